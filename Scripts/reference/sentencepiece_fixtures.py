"""Trains small SentencePiece models and records what the sentencepiece package makes of strings.

    pip install sentencepiece==0.2.3 tokenizers==0.23.3
    python sentencepiece_fixtures.py TEXT.txt FOLDER

TEXT.txt is any English text of 100 kB or more, FOLDER is
Tests/LanguageModelsTests/Fixtures/sentencepiece. Each NAME.model there is a whole model, each
NAME.ids.json the answers of sentencepiece: `encoded` is rows of a text and its ids, `decoded` rows of
ids and their text. Between them the models have replacements of their own, user-defined tokens that
overlap, tokens marked as unused, byte fallback, and every setting of spaces. `precompiled.json` is a
tokenizer.json with the replacements of one of them, `precompiled.ids.json` what Hugging Face
tokenizers makes of the same texts: it looks characters up, not prefixes.
"""

import contextlib
import json
import os
import random
import sys
import tempfile

import sentencepiece
import tokenizers
from tokenizers import Tokenizer, models, normalizers

SEED = 20261122
SIZE = 400
USER_DEFINED = ["<tab>", "▁▁", "▁▁▁", "\n", "\n\n", "ab", "aba", "é!", "▁x▁", "<A>"]
# What becomes what, in code points: A a, AB b, ﬁ fi, ½ 1/2, some spaces, e with an accent, nothing,
# " ̈".
RULES = "41\t61\n41 42\t62\nFB01\t66 69\nBD\t31 2F 32\n3000\t20\n9\t20\n65 301\tE9\nAD\t\nA8\t20 308\n"
PLAIN = dict(remove_extra_whitespaces=False, add_dummy_prefix=False)
MODELS = {
    "unigram_user": dict(model_type="unigram", user_defined_symbols=USER_DEFINED, rules=RULES),
    "unigram_bytes": dict(
        model_type="unigram", byte_fallback=True, vocab_size=SIZE + 256, remove_extra_whitespaces=False,
        user_defined_symbols=USER_DEFINED[:4]),
    "unigram_unused": dict(model_type="unigram", unused=True),
    "bpe_user": dict(model_type="bpe", user_defined_symbols=USER_DEFINED, rules=RULES),
    "bpe_bytes": dict(model_type="bpe", byte_fallback=True, vocab_size=SIZE + 256, **PLAIN),
    "bpe_unused": dict(model_type="bpe", unused=True),
}  # fmt: skip
TEXTS = """the  quick brown fox |  leading, trailing  | |  |   |▁|a▁|▁▁a ▁ b|a ▁▁▁▁b|   ▁a|x▁|aba|ababa|xabab ab.|the ab▁▁
<tab>|a<tab> <tab>b|the x the| x  x x |é!|e\u0301!|caf\u0065\u0301|ﬁne ½|Å¨ ¨|\u00ad|a\u00adb \u00ad |\u3000x\u3000\u3000y|A\tAA\t
日本語 中文测试|한국어 👍🏽 Ⅷ|a日b本c|日|\x00a\x01|\ufeff\u200b|<s>a</s><unk>|<0x41>|-------|0000000|1,000,000 and 1,000,000
...........|== == ==|        return;(x)|aaaaaaaaa|Don't you think she'd've said 'it's'?|f(x) -> {"a": [x, x**2]}|\r\n\r\n|\u2028|AB AAB ABA <A>A""".replace("\n", "|").split("|") + ["\n", "\n\n", "\n\n\n", "a\n\n\nb\n", " \n ", "\n\n\n\n\n"]


def strings():
    rng = random.Random(SEED)
    yield from dict.fromkeys(TEXTS)
    pool = TEXTS + [" ", " ", "  ", "▁", ".", "ab", "\n", "1", "é"]
    for _ in range(60):
        yield "".join(rng.choice(pool) for _ in range(rng.randrange(2, 8)))
    # Long ones too: how a sum is rounded depends on all before it.
    words = "the of and a to in is was that for as with by on are from at be his an".split()
    for _ in range(20):
        yield " ".join(rng.choice(words) + rng.choice(["", "", ",", "0000", "..", "日"]) for _ in range(rng.choice([12, 60])))


def unlike_their_words(model):
    """Texts whose ids are not those of their words, because sums are rounded."""
    rng = random.Random(SEED)
    words = [model.id_to_piece(i).strip("▁") for i in range(300, model.vocab_size())]
    words = [word for word in words if word] + ["0000", "000", "-----", "aaaa", "日"]
    found = []
    for _ in range(4000):
        text = " ".join("".join(rng.sample(words, 2)) for _ in range(rng.randrange(2, 40)))
        if model.encode(text) != [id for word in text.split(" ") for id in model.encode(word)]:
            found.append(text)
    return sorted(found, key=len)[:8]


def decodable(model):
    """Ids of all sorts, byte tokens and markers above all."""
    rng = random.Random(SEED)
    ids = [i for i in range(model.vocab_size()) if not model.is_unknown(i) and not model.is_control(i)]
    marked = [i for i in ids if "▁" in model.id_to_piece(i)]
    if any(map(model.is_byte, ids)):
        space = model.piece_to_id("<0x20>")
        yield from ([space], [space, space, ids[-1]], [space, marked[0]])
    pools = [ids, marked, [i for i in ids if model.is_byte(i)] or ids]
    for _ in range(120):
        yield [rng.choice(rng.choice(pools)) for _ in range(rng.randrange(1, 9))]


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        value, shift, at = value | (byte & 127) << shift, shift + 7, at + 1
        if byte < 128:
            return value, at


def fields(data):
    """Numbers and contents of the length-delimited fields of a message, where there is no other."""
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        length, at = varint(data, at)
        yield key >> 3, data[at : at + length]
        at += length


def charsmap(data):
    """The replacements of a model: field 2 of its normaliser, which follows on its name."""
    spec = next(body for number, body in fields(data) if number == 3)
    name, at = varint(spec, 1)
    assert spec[0] == 0x0A and spec[at + name] == 0x12
    size, start = varint(spec, at + name + 1)
    return spec[start : start + size]


def precompiled(data):
    model = sentencepiece.SentencePieceProcessor(model_proto=data)
    ids = range(model.vocab_size())
    tokenizer = Tokenizer(
        models.Unigram([(model.id_to_piece(i), model.get_score(i)) for i in ids], unk_id=0))
    tokenizer.normalizer = normalizers.Precompiled(charsmap(data))
    return tokenizer


def with_types(data):
    """The model with tokens of several characters marked as unused (5) or user-defined (4)."""
    result, at, number = b"", 0, 0
    while at < len(data):
        start = at
        key, at = varint(data, at)
        length, at = varint(data, at)
        body, at = data[at : at + length], at + length
        if key != 0x0A:
            result += data[start:at]
            continue
        number += 1
        text = body[2 : 2 + body[1]].decode()
        # A piece, its score in five bytes, and no type: normal.
        if len(text) > 1 and number % 3 < 2 and len(body) == 2 + body[1] + 5:
            if number % 3 == 0:
                body += b"\x18\x05"
            elif number % 9 == 1:
                body += b"\x18\x04"
        assert len(body) < 128
        result += bytes([0x0A, len(body)]) + body
    return result


def train(lines, rules=None, unused=False, vocab_size=SIZE, **options):
    """A model's bytes; trains in the current folder, whose name would stand in the file."""
    if rules:
        options["normalization_rule_tsv"] = "rules.tsv"
        with open("rules.tsv", "w") as file:
            file.write(rules)
    else:
        options["normalization_rule_name"] = "identity"
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines), model_prefix="model", vocab_size=vocab_size, minloglevel=2,
        num_threads=1, character_coverage=0.999, **options)
    with open("model.model", "rb") as file:
        data = file.read()
    return with_types(data) if unused else data


def main():
    source, target = sys.argv[1:]
    with open(source, errors="replace") as file:
        lines = [line for line in file.read()[:150_000].split("\n") if line.strip()]
    lines += ["é ü ñ — ’ 0000 00 000"] * 3
    target = os.path.abspath(target)
    os.makedirs(target, exist_ok=True)
    for name, options in MODELS.items():
        with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
            data = train(lines, **options)
        model = sentencepiece.SentencePieceProcessor(model_proto=data)
        with open(f"{target}/{name}.model", "wb") as file:
            file.write(data)
        fixture = {
            "sentencepiece": sentencepiece.__version__,
            "seed": SEED,
            "encoded": [
                [text, model.encode(text)] for text in [*strings(), *unlike_their_words(model)]
            ],
            "decoded": [[ids, model.decode(ids)] for ids in decodable(model)],
        }
        with open(f"{target}/{name}.ids.json", "w") as file:
            json.dump(fixture, file, ensure_ascii=False, separators=(",", ":"))
        print(name, model.vocab_size(), len(data), len(fixture["encoded"]))
        if name == "unigram_user":
            tokenizer = precompiled(data)
            tokenizer.save(f"{target}/precompiled.json", pretty=False)
            rows = [[text, tokenizer.encode(text).ids] for text in strings()]
            with open(f"{target}/precompiled.ids.json", "w") as file:
                json.dump(
                    {"tokenizers": tokenizers.__version__, "seed": SEED, "encoded": rows, "decoded": []},
                    file, ensure_ascii=False, separators=(",", ":"))


if __name__ == "__main__":
    main()
