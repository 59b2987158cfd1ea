#!/usr/bin/env python3
"""Records llama.cpp's tokenisation of many texts: Tests/LanguageModelsTests/Fixtures/tokenizer.json.

    pip install xllamacpp==2026.10.11549
    Scripts/reference/tokenizer_fixtures.py MODEL.gguf Tests/LanguageModelsTests/Fixtures/tokenizer.json

MODEL is SmolLM2-135M-Instruct (any quantisation: only the vocabulary is used). The texts come from
a seeded generator, so that the same library gives the same file. llama.cpp is called through its C
interface, which the wheel's shared library exports.

Where llama.cpp and Python differ, malformed UTF-8, Python's errors="replace" is the truth: those
texts are repaired by Python before llama.cpp sees them.
"""

import ctypes
import glob
import importlib.metadata
import json
import os
import random
import sys
import tempfile

SEED = 20_240_229


class ModelParams(ctypes.Structure):
    """llama_model_params, larger than any version of it: filled in and read by the library only."""

    _fields_ = [("raw", ctypes.c_uint8 * 1024)]


class Llama:
    def __init__(self, model):
        import xllamacpp

        folder = os.path.dirname(xllamacpp.__file__)
        lib = self.lib = ctypes.CDLL(glob.glob(os.path.join(folder, "*.so"))[0])
        self.quiet = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)(
            lambda *_: None
        )
        lib.llama_log_set(self.quiet, None)
        lib.llama_model_default_params.restype = ModelParams
        lib.llama_model_load_from_file.restype = ctypes.c_void_p
        lib.llama_model_load_from_file.argtypes = [ctypes.c_char_p, ModelParams]
        lib.llama_model_get_vocab.restype = ctypes.c_void_p
        lib.llama_model_get_vocab.argtypes = [ctypes.c_void_p]
        lib.llama_vocab_n_tokens.argtypes = [ctypes.c_void_p]
        lib.llama_vocab_is_eog.argtypes = [ctypes.c_void_p, ctypes.c_int32]
        lib.llama_vocab_is_eog.restype = ctypes.c_bool
        lib.llama_tokenize.argtypes = [
            ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int32, ctypes.POINTER(ctypes.c_int32),
            ctypes.c_int32, ctypes.c_bool, ctypes.c_bool,
        ]  # fmt: skip
        lib.llama_token_to_piece.argtypes = [
            ctypes.c_void_p, ctypes.c_int32, ctypes.c_char_p, ctypes.c_int32, ctypes.c_int32,
            ctypes.c_bool,
        ]  # fmt: skip
        handle = lib.llama_model_load_from_file(model.encode(), lib.llama_model_default_params())
        if not handle:
            sys.exit(f"llama.cpp cannot load {model}")
        self.vocab = lib.llama_model_get_vocab(handle)
        self.size = lib.llama_vocab_n_tokens(self.vocab)

    def encode(self, text, parse_special=True):
        data = text.encode()
        room = (ctypes.c_int32 * (len(data) + 16))()
        count = self.lib.llama_tokenize(
            self.vocab, data, len(data), room, len(room), False, parse_special
        )
        assert count >= 0
        return list(room[:count])

    def piece(self, token):
        room = ctypes.create_string_buffer(512)
        count = self.lib.llama_token_to_piece(self.vocab, token, room, 512, 0, True)
        assert count >= 0
        return room.raw[:count]

    def end_of_generation(self):
        return [i for i in range(self.size) if self.lib.llama_vocab_is_eog(self.vocab, i)]

    def classes(self):
        """[[first code point, class], ...]: llama.cpp's own Unicode tables as runs."""
        flags = self.lib["_Z26unicode_cpt_flags_from_cptj"]
        flags.restype, flags.argtypes = ctypes.c_uint16, [ctypes.c_uint32]
        runs = []
        for code in range(0x110000):
            flag = flags(code)
            name = "S" if flag & 0x100 else "N" if flag & 2 else "L" if flag & 4 else "O"
            if not runs or runs[-1][1] != name:
                runs.append([code, name])
        return runs


def as_gpt2(model, folder):
    """A copy of the model whose pre-tokeniser is GPT-2's.

    `mellum` is a name of the same length that llama.cpp maps to it.
    """
    data = open(model, "rb").read(8 << 20)
    key = data.index(b"tokenizer.ggml.pre") + len("tokenizer.ggml.pre")
    start = key + 4 + 8
    assert data[start : start + 6] == b"smollm"
    path = os.path.join(folder, "gpt2.gguf")
    with open(model, "rb") as source, open(path, "wb") as target:
        whole = source.read()
        target.write(whole[:start] + b"mellum" + whole[start + 6 :])
    return path


SENTENCES = """
The quick brown fox jumps over the lazy dog.|Don't you think she'll've said it's what they'd do?
I'M SHOUTING, YOU'RE NOT; WE'VE 'rEd the 'llama's and 'Twas|rock 'n' roll 'tis 's 't 're 've 'm 'll 'd
Größe, Straße, Übermut und ähnliches|L’été, c’est déjà l’après-midi à Besançon
El niño comió piñas en São Tomé; ¿verdad? ¡Sí!|Příliš žluťoučký kůň úpěl ďábelské ódy
Zażółć gęślą jaźń|Árvíztűrő tükörfúrógép|İstanbul'da ığdır şöyle çiğ|Það er ævintýri á Íslandi
Съешь же ещё этих мягких французских булок|Їжак і ґава з'їли об'єкт|Ξεσκεπάζω την ψυχοφθόρα βδελυγμία
ὕδωρ ἄνθρωπος ᾄδω|שלום עולם, מה שלומך היום?|שָׁלוֹם|مرحبا بالعالم، كيف حالك؟|السَّلامُ عَلَيْكُم ۱۲۳ ٤٥٦
نوشته‌های فارسی می‌خوانم|یہ اردو ہے۔|नमस्ते दुनिया, आप कैसे हैं?|क्षत्रिय ज्ञान श्री १२३|আমি বাংলায় গান গাই ৪৫৬
ਸਤ ਸ੍ਰੀ ਅਕਾਲ|નમસ્તે મિત્રો|வணக்கம் உலகம் ௧௨௩|తెలుగు భాష|ಕನ್ನಡ ಭಾಷೆ|മലയാളം ഭാഷ ൧൨|සිංහල භාෂාව
สวัสดีชาวโลก ๑๒๓|ສະບາຍດີ ໂລກ|မြန်မာဘာသာ ၁၂၃|ភាសាខ្មែរ ១២៣|བོད་སྐད་ ༡༢༣|ქართული ენა|Հայերեն լեզու|አማርኛ ቋንቋ ፩፪፫
你好，世界！今天天气怎么样？|繁體中文「引號」與標點。|日本語のテスト、カタカナとひらがな。ｶﾀｶﾅ|１２３ＡＢＣ全角|안녕하세요 세계! 한국어 ㄱㄴㄷ|Tiếng Việt có dấu: nghiêng ngả
ᏣᎳᎩ ᎦᏬᏂᎯᏍᏗ|ᐃᓄᒃᑎᑐᑦ|ᠮᠣᠩᠭᠣᠯ ᠪᠢᠴᠢᠭ|ߒߞߏ ߁߂߃|ⵜⴰⵎⴰⵣⵉⵖⵜ|𐌰𐌱𐌲 gothic|𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𝟙𝟚𝟛 𝒜ℬ𝒞|𓀀𓁐 hieroglyphs|𞤀𞤁𞤂 adlam 𞥐𞥑
👩‍👩‍👧‍👦 family|🏳️‍🌈🏴󠁧󠁢󠁳󠁣󠁴󠁿 flags 🇩🇪🇫🇷🇯🇵|👍🏻👍🏿👩🏽‍🚀 skin|1️⃣2️⃣#️⃣|❤️‍🔥☺️☺|🫠🫡🫨🪿|(╯°□°）╯︵ ┻━┻|¯\\_(ツ)_/¯|ಠ_ಠ
x² + y³ = z⁴ − ½·⅔ ≤ ∞ ∑∫√∂|H₂O, Ⅻ ⅳ ① ⑳ ㊿ 〇一二三|5'10\" tall, £3.50, €1,234.56, ₹₿|№ ™ © ® ° µ Å Å ﬁ ﬂ ǅ ŉ
3.14159265358979|1234567890|0xDEADBEEF 0b1010 1e-10 -42 +7|2024-02-29T12:34:56.789Z|192.168.0.1:8080|v1.2.3-rc.4+build5
for (int i = 0; i < 10; ++i) { sum += a[i] * b[i]; }|def f(x: int = 3) -> str:\n    return f"{x!r:>10}"\n|<div class="a">&nbsp;&amp;</div>|SELECT * FROM t WHERE id = 'it''s';
#!/bin/sh\nset -eu\nfor f in *.txt; do echo "$f"; done|let x = y?.z ?? []; // TODO|{"a":[1,2,{"b":null}],"c":"\\u00e9"}|\\begin{align} \\frac{a}{b} &= \\sum_{i=0}^n x_i \\end{align}
http://example.com/path?q=a%20b&c=d#frag|user.name+tag@example.co.uk|C:\\Windows\\System32\\|/usr/local/bin/../lib|--flag=value -x|@@@ ### $$$ %%% ^^^ &&& *** ((( ))) ___ === ~~~ ```
|a|A| |  |   |\n|\n\n|\n\n\n|\t|\t\t|\r\n|\r\n\r\n|\r| \n|\n |  \n  |\t \n\t |a |a  | a|  a|a\n|a\n\n|\na|\n a|\n  a
"""

SPACES = [
    "\t", "\n", "\v", "\f", "\r", "\x1c", "\x1d", "\x1e", "\x1f", " ", "\x85", "\xa0", "\u1680",
    "\u180e", "\u2000", "\u2003", "\u2009", "\u200a", "\u200b", "\u200c", "\u200d", "\u2028",
    "\u2029", "\u202f", "\u205f", "\u2060", "\u3000", "\ufeff", "  ", "   ", "\r\n", " \n",
]  # fmt: skip

# First and last code point of stretches from many scripts, with what is no letter in them left in.
STRETCHES = [
    (0x20, 0x7E), (0xA0, 0xFF), (0x100, 0x17F), (0x180, 0x24F), (0x250, 0x2FF), (0x300, 0x36F),
    (0x370, 0x3FF), (0x400, 0x52F), (0x530, 0x58F), (0x590, 0x5FF), (0x600, 0x6FF), (0x700, 0x7BF),
    (0x7C0, 0x86F), (0x870, 0x8FF), (0x900, 0x97F), (0x980, 0x9FF), (0xA00, 0xAFF), (0xB00, 0xBFF),
    (0xC00, 0xCFF), (0xD00, 0xDFF), (0xE00, 0xEFF), (0xF00, 0xFFF), (0x1000, 0x10FF),
    (0x1100, 0x11FF), (0x1200, 0x139F), (0x13A0, 0x167F), (0x1680, 0x171F), (0x1780, 0x18AF),
    (0x1900, 0x1AFF), (0x1B00, 0x1C4F), (0x1C50, 0x1CFF), (0x1D00, 0x1DFF), (0x1E00, 0x1FFF),
    (0x2000, 0x206F), (0x2070, 0x20CF), (0x2100, 0x218F), (0x2190, 0x23FF), (0x2400, 0x24FF),
    (0x2500, 0x27BF), (0x27C0, 0x2BFF), (0x2C00, 0x2DFF), (0x2E00, 0x2FFF), (0x3000, 0x30FF),
    (0x3100, 0x33FF), (0x3400, 0x4DFF), (0x4E00, 0x9FFF), (0xA000, 0xA4CF), (0xA4D0, 0xA6FF),
    (0xA700, 0xA82F), (0xA830, 0xA9FF), (0xAA00, 0xABFF), (0xAC00, 0xD7A3), (0xD7B0, 0xD7FF),
    (0xE000, 0xF8FF), (0xF900, 0xFAFF), (0xFB00, 0xFDFF), (0xFE00, 0xFEFF), (0xFF00, 0xFFFF),
    (0x10000, 0x101FF), (0x10280, 0x103FF), (0x10400, 0x105FF), (0x10800, 0x10AFF),
    (0x10B00, 0x10D8F), (0x10E60, 0x10FFF), (0x11000, 0x112FF), (0x11300, 0x116FF),
    (0x11700, 0x11BFF), (0x11C00, 0x11FFF), (0x12000, 0x1254F), (0x13000, 0x1345F),
    (0x14400, 0x1467F), (0x16800, 0x16D7F), (0x16E40, 0x18AFF), (0x1AFF0, 0x1B2FF),
    (0x1BC00, 0x1BCAF), (0x1D000, 0x1D1FF), (0x1D2C0, 0x1D3FF), (0x1D400, 0x1D7FF),
    (0x1DF00, 0x1E14F), (0x1E290, 0x1E95F), (0x1EC70, 0x1EEFF), (0x1F000, 0x1F2FF),
    (0x1F300, 0x1F5FF), (0x1F600, 0x1F8FF), (0x1F900, 0x1FBFF), (0x20000, 0x2A6DF),
    (0x2A700, 0x2EBEF), (0x2EBF0, 0x2FA1F), (0x30000, 0x323AF), (0x40000, 0x4FFFF),
    (0xE0000, 0xE01FF), (0xF0000, 0xFFFFD), (0x100000, 0x10FFFD), (0x00, 0x1F), (0x7F, 0x9F),
    # Letters and numbers of Unicode 16 and 17, unknown to llama.cpp's tables.
    (0x1C89, 0x1C8A), (0xA7CB, 0xA7DC), (0x10D40, 0x10D65), (0x11BC0, 0x11BF9),
    (0x16D40, 0x16D79), (0x1E5D0, 0x1E5FF),
]  # fmt: skip

DIGITS = [
    0x30, 0x660, 0x6F0, 0x7C0, 0x966, 0x9E6, 0xA66, 0xAE6, 0xB66, 0xBE6, 0xC66, 0xCE6, 0xD66,
    0xDE6, 0xE50, 0xED0, 0xF20, 0x1040, 0x1090, 0x17E0, 0x1810, 0x1946, 0x19D0, 0x1A80, 0x1A90,
    0x1B50, 0x1BB0, 0x1C40, 0x1C50, 0x2070, 0x2080, 0x2150, 0x2160, 0x2460, 0x2776, 0x3021,
    0x3220, 0x3280, 0xA620, 0xA8D0, 0xA900, 0xA9D0, 0xA9F0, 0xAA50, 0xABF0, 0xFF10, 0x104A0,
    0x10D30, 0x10D40, 0x11066, 0x110F0, 0x11136, 0x111D0, 0x112F0, 0x11450, 0x114D0, 0x11650,
    0x116C0, 0x11730, 0x118E0, 0x11950, 0x11C50, 0x11D50, 0x11DA0, 0x11F50, 0x16A60, 0x16AC0,
    0x16B50, 0x1D7CE, 0x1E140, 0x1E2F0, 0x1E4F0, 0x1E950, 0x1F100, 0x1FBF0, 0x12400, 0x10107,
]  # fmt: skip

WORDS = """the of and to in that is was for on with as at by from it's don't we'll they've I'm he'd
hello World HTTP getElementById snake_case CamelCase café naïve Zürich привет мир 世界 日本 안녕 مرحبا
नमस्ते 42 2024 3.14 100% $5 #tag @user e.g. i.e. etc... --- === != <= => :: // /* */ () [] {} <b> </b>
\\n \\t " ' ` ~ | & ^ 👍 🇺🇸 👩‍💻 ½ ² Ⅷ ١٢ १२ ９ é è ñ""".split()

SPECIALS = [
    "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<repo_name>", "<reponame>", "<file_sep>",
    "<filename>", "<gh_stars>", "<issue_start>", "<issue_comment>", "<issue_closed>",
    "<jupyter_start>", "<jupyter_text>", "<jupyter_code>", "<jupyter_output>", "<jupyter_script>",
    "<empty_output>", "<|im_end|", "<|im_start", "<|im_end|>>", "<<|im_end|>", "<|IM_END|>",
    "<|im_ end|>", "<unk>", "</s>", "<|im_<|im_end|>end|>",
]  # fmt: skip


def texts(rng):
    yield from SENTENCES.strip("\n").replace("\\n", "\n").replace("\\t", "\t").replace(
        "\\r", "\r"
    ).split("|")
    yield from SENTENCES.strip("\n").split("\n")
    for space in SPACES:
        for pattern in ["{}", "a{}b", "a{}{}b", " {} b", "{}1", "1{}{}", "a {}", "{} .", "x{}\n{}y"]:
            yield pattern.replace("{}", space)
    for start in DIGITS:
        number = "".join(chr(start + rng.randrange(10)) for _ in range(rng.randrange(1, 6)))
        for pattern in ["{}", "a {}b", "  {}", "{}.{}"]:
            yield pattern.replace("{}", number)
    for first, last in STRETCHES:
        for _ in range(6):
            parts = [chr(rng.randint(first, last)) for _ in range(rng.randrange(1, 14))]
            for _ in range(rng.randrange(3)):
                extra = rng.choice([" ", " ", "\n", "'s", "1", "a", "\u0301", rng.choice(SPACES)])
                parts.insert(rng.randrange(len(parts) + 1), extra)
            yield "".join(parts)
    for _ in range(150):  # Any code point next to any other.
        codes = [rng.choice(STRETCHES) for _ in range(rng.randrange(2, 10))]
        yield "".join(chr(rng.randint(*stretch)) for stretch in codes)
    for special in SPECIALS:
        for pattern in ["{}", "a{}b", " {} ", "{}{}", "\n{}\n", "1{}2", "'{}'s", "{} 12 é"]:
            yield pattern.replace("{}", special)
    for _ in range(100):
        yield "".join(rng.choice(SPECIALS + WORDS + SPACES) for _ in range(rng.randrange(2, 7)))
    for _ in range(500):
        parts = []
        for _ in range(rng.randrange(2, 9)):
            parts += [rng.choice(WORDS), rng.choice(["", " ", " ", " ", "  ", rng.choice(SPACES)])]
        yield "".join(parts)
    for _ in range(100):  # Repetition, on which the order of merges shows.
        unit = rng.choice(["a", "ab", "-", "=", " ", "\n", "\t", "é", "字", "ha", "!?", "1", "🙂", "'s"])
        yield unit * rng.randrange(2, 40)
    for _ in range(150):  # Letters at random: words that no one has merged before.
        letters = "etaoinshrdlucmfwypvbgkjqxzETAOIN'_-. "
        yield "".join(rng.choice(letters) for _ in range(rng.randrange(3, 30)))


def malformed(rng):
    """Bytes that are no UTF-8."""
    lead = [0x41, 0x20, 0x31, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC2, 0xDF, 0xE0, 0xE2, 0xED]
    lead += [0xEF, 0xF0, 0xF1, 0xF4, 0xF5, 0xFF]
    for _ in range(150):
        yield bytes(rng.choice(lead) for _ in range(rng.randrange(1, 9)))


def main():
    model, target = sys.argv[1:]
    rng = random.Random(SEED)
    llama = Llama(model)
    with tempfile.TemporaryDirectory() as folder:
        gpt2 = Llama(as_gpt2(model, folder))
    unique = list(dict.fromkeys(texts(rng)))
    pieces = []
    for _ in range(200):
        ids = [rng.randrange(llama.size) for _ in range(rng.randrange(1, 9))]
        text = b"".join(map(llama.piece, ids)).decode("utf-8", errors="replace")
        pieces.append([ids, text])
    fixture = {
        "llama.cpp": "as bundled in xllamacpp " + importlib.metadata.version("xllamacpp"),
        "seed": SEED,
        "texts": [[text, llama.encode(text)] for text in unique],
        "plain": [
            [text, llama.encode(text, False)]
            for text in unique
            if llama.encode(text, False) != llama.encode(text)
        ],
        "gpt2": [
            [text, gpt2.encode(text)] for text in unique if gpt2.encode(text) != llama.encode(text)
        ],
        "malformed": [
            [data.hex(), llama.encode(data.decode("utf-8", errors="replace"))]
            for data in malformed(rng)
        ],
        "decoded": pieces,
        "endOfGeneration": llama.end_of_generation(),
        "classes": llama.classes(),
    }
    with open(target, "w") as file:
        file.write("{\n")
        lines = []
        for key, value in fixture.items():
            if isinstance(value, list) and value and isinstance(value[0], list):
                rows = ",\n".join(json.dumps(row, separators=(",", ":")) for row in value)
                lines.append(f"{json.dumps(key)}: [\n{rows}\n]")
            else:
                lines.append(f"{json.dumps(key)}: {json.dumps(value)}")
        file.write(",\n".join(lines) + "\n}\n")
    counts = {key: len(value) for key, value in fixture.items() if isinstance(value, list)}
    print(counts, os.path.getsize(target), "bytes")


main()
