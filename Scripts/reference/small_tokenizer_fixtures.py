"""Trains a small tokenizer of every kind and records what Hugging Face tokenizers makes of strings.

    python small_tokenizer_fixtures.py TEXT.txt FOLDER

TEXT.txt is any English text of a megabyte or so, FOLDER is
Tests/LanguageModelsTests/Fixtures/tokenizers. Each NAME.json there is a whole tokenizer.json, each
NAME.ids.json its answers; both have the normaliser, pre-tokeniser, decoder and post-processor that
the family publishes, so that the same code runs as for the real vocabulary.
"""

import json
import os
import random
import sys

import tokenizers
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers
from tokenizers import pre_tokenizers as pre
from tokenizers import processors, trainers

SEED = 20261122
SIZE = 700
GPT4 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}%s| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
GPT4O = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+%s"
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*%s"
    r"|\p{N}%s| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
QWEN35 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}"
    r"| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
DEEPSEEK = [
    r"\p{N}{1,3}",
    "[一-龥\u3040-ゟ゠-ヿ]+",
    "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+"
    "| ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+",
]
BYTES = [f"<0x{byte:02X}>" for byte in range(256)]
TEXTS = """Don't you think SHE'LL've said it's 'S what they'd?|The year 1984 cost $3,999.50 in 2024!
    def f(x):\n        return {"a": [x, x**2]}  # \t done\r\n\r\n|  leading, trailing  |\t\ttabs\n\n\n   \nx
Größe naïve café cafe\u0301 ﬁne ½ Ⅷ Å Å e\u0323\u0307|camelCase HTTPServer XMLÉcole ŁódźCity ǅabc 日A本B
日本語の文章、中文测试。 한국어 \u1112\u1161\u11ab テスト|Привет мир مرحبا שלום नमस्ते สวัสดี ბ Ա ᎠᎡ
👍🏽 👨‍👩‍👧 🇺🇸 ❤️ \u200b \ufeff \u00ad \u2028x|\x00 a\x01b \x7f \x85 \u0300x \ufffd
''quotes'' ``ticks`` - -- --- ... ?! a.b .5 e.g. http://x.y/z?q=1&r=%20|▁ ▁▁ x▁y <0x41> [UNK] ##ing
<s>a</s> <|end|> x<|end|>y <pad> [CLS] [MASK] b [SEP]|do not can't isn't I'm you're they've ' ( ) , .
Supercalifragilisticexpialidocious 1234567890123 ١٢٣ １２３ \U00020000 \U0001f9ff'ſ 'ſt ''ll""".split("|")


def strings():
    rng = random.Random(SEED)
    lines = [line for text in TEXTS for line in text.split("\n") + [text]]
    yield ""
    yield from dict.fromkeys(line.replace("\\n", "\n").replace("\\t", "\t").replace("\\r", "\r") for line in lines)
    yield from [" ", "  ", "\n\n", " \n ", "a" * 130, "=" * 40, " " * 33 + "x", "0" * 10]
    pool = "".join(lines)
    for _ in range(60):
        yield "".join(rng.choice(pool) for _ in range(rng.randrange(1, 24)))


def build(model, normalizer, pre_tokenizer, decoder, train, unknown, specials, extra=None):
    tokenizer = Tokenizer(model)
    if normalizer:
        tokenizer.normalizer = normalizer
    if pre_tokenizer:
        tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.decoder = decoder
    alphabet = pre.ByteLevel.alphabet() if isinstance(decoder, decoders.ByteLevel) else []
    kinds = {models.BPE: trainers.BpeTrainer, models.WordPiece: trainers.WordPieceTrainer}
    options = dict(vocab_size=SIZE, special_tokens=specials, initial_alphabet=alphabet, show_progress=False)
    if isinstance(model, models.Unigram):
        trainer = trainers.UnigramTrainer(unk_token=unknown, **options)
    else:
        trainer = kinds[type(model)](limit_alphabet=600, **options)
    tokenizer.train_from_iterator(train, trainer)
    return tokenizer


def byte_level(pattern, contractions=True, **model):
    steps = [pre.Split(Regex(p), "isolated") for p in pattern] if pattern else []
    return steps + [pre.ByteLevel(add_prefix_space=False, use_regex=not pattern)]


def families(train):
    def bpe(pattern, normalizer=None, steps=None):
        return build(
            models.BPE(), normalizer, pre.Sequence(steps or byte_level(pattern)),
            decoders.ByteLevel(), train, None, ["<|end|>", "<s>"])

    yield "gpt2", bpe(None)
    yield "starcoder", bpe(None, steps=[pre.Digits(individual_digits=True), pre.ByteLevel(add_prefix_space=True)])
    llama3 = bpe([GPT4 % "{1,3}"])
    llama3.post_processor = processors.Sequence([
        processors.ByteLevel(trim_offsets=False),
        processors.TemplateProcessing("<s> $A", "<s> $A <s> $B", [("<s>", 1)])])
    yield "llama3", llama3
    yield "qwen2", bpe([GPT4 % ""], normalizers.NFC())
    yield "qwen35", bpe([QWEN35], normalizers.NFKC())
    yield "gpt4o", bpe([GPT4O % (CONTRACTIONS, CONTRACTIONS, "{1,3}")])
    yield "tekken", bpe([GPT4O % ("", "", "")])
    yield "deepseek", bpe(DEEPSEEK, normalizers.NFKD())
    llama2 = build(
        models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True),
        normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]),
        pre.Metaspace(prepend_scheme="never"),
        decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]),
        train, "<unk>", ["<unk>", "<s>", "</s>"] + BYTES)
    llama2 = published(llama2, pre_tokenizer=None, plain=BYTES)
    llama2.post_processor = processors.TemplateProcessing("<s> $A", "<s> $A <s> $B", [("<s>", 1)])
    yield "llama2", llama2
    space = {"type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious", "invert": False}
    gemma = published(llama2, pre_tokenizer=space, normalizer={"type": "Replace", "pattern": {"String": " "}, "content": "▁"})
    gemma.add_tokens([AddedToken("\n\n", normalized=False), AddedToken("▁▁", normalized=False)])
    yield "gemma", gemma
    bert = build(
        models.WordPiece(unk_token="[UNK]"), normalizers.BertNormalizer(), pre.BertPreTokenizer(),
        decoders.WordPiece(), train, None, ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"])
    bert.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    yield "bert", bert
    albert = build(
        models.Unigram(), normalizers.Sequence([
            normalizers.Replace("``", '"'), normalizers.Replace("''", '"'), normalizers.NFKD(),
            normalizers.StripAccents(), normalizers.Lowercase(), normalizers.Replace(Regex(" {2,}"), " ")]),
        pre.Sequence([pre.WhitespaceSplit(), pre.Metaspace()]), decoders.Metaspace(), train, "<unk>",
        ["<pad>", "<unk>", "[CLS]", "[SEP]"])
    albert.post_processor = processors.TemplateProcessing("[CLS] $A [SEP]", None, [("[CLS]", 2), ("[SEP]", 3)])
    albert.add_special_tokens([AddedToken("[MASK]", lstrip=True, normalized=False, special=True)])
    yield "albert", albert


def published(tokenizer, plain=(), **parts):
    """The tokenizer with parts of its description changed."""
    description = json.loads(tokenizer.to_str())
    description.update(parts)
    description["added_tokens"] = [t for t in description["added_tokens"] if t["content"] not in plain]
    return Tokenizer.from_str(json.dumps(description))


def main():
    source, folder = sys.argv[1:]
    with open(source) as file:
        train = file.read()[:400_000].split("\n") + ["é ü ñ 日本 中 ｜ “ ” — ’ テ"] * 3
    os.makedirs(folder, exist_ok=True)
    for name, tokenizer in families(train):
        rows = []
        for text in strings():
            plain = tokenizer.encode(text, add_special_tokens=False).ids
            rows.append([
                text, plain, tokenizer.encode(text).ids, tokenizer.decode(plain, skip_special_tokens=False),
                tokenizer.decode(plain, skip_special_tokens=True)])
        with open(f"{folder}/{name}.json", "w") as file:
            json.dump(json.loads(tokenizer.to_str()), file, ensure_ascii=False, separators=(",", ":"))
        with open(f"{folder}/{name}.ids.json", "w") as file:
            json.dump(
                {"tokenizers": tokenizers.__version__, "seed": SEED, "rows": rows}, file,
                ensure_ascii=False, separators=(",", ":"))
        print(name, tokenizer.get_vocab_size(), len(rows), flush=True)


main()
