"""Compares Plumbline's tokenizers with other programs' on freshly drawn strings.

    python check_tokenizers.py DRIVER [--seed N] [--count N] NAME=OURS:REFERENCE ...

DRIVER is a program that is called as `DRIVER ids OURS`, reads lines of two flags (add special
tokens, parse them) and a text's UTF-8 in hexadecimal, and answers each with its token ids, `|`, the
decoded text in hexadecimal, `|` and the same without special tokens. OURS is what it reads: a GGUF
file, a tokenizer.json, a tokenizer.model or a folder; REFERENCE is what Hugging Face tokenizers
(.json), sentencepiece (.model) or llama.cpp (.gguf) reads.
"""

import argparse
import random
import subprocess
import sys
import unicodedata

import tokenizer_references

SCRIPTS = [
    (0x20, 0x7E), (0x20, 0x7E), (0x61, 0x7A), (0x30, 0x39), (0xA0, 0xFF), (0x100, 0x24F),
    (0x250, 0x2FF), (0x300, 0x36F), (0x370, 0x3FF), (0x400, 0x4FF), (0x531, 0x587), (0x5D0, 0x5EA),
    (0x600, 0x6FF), (0x700, 0x74F), (0x900, 0x97F), (0x980, 0x9FF), (0xB80, 0xBFF), (0xE00, 0xE7F),
    (0xF00, 0xFDA), (0x10A0, 0x10FF), (0x1100, 0x11FF), (0x1200, 0x137F), (0x13A0, 0x13F5),
    (0x1780, 0x17F9), (0x1E00, 0x1FFF), (0x2000, 0x206F), (0x2070, 0x20BF), (0x2100, 0x23FF),
    (0x2460, 0x27BF), (0x2C00, 0x2DFF), (0x3000, 0x30FF), (0x3100, 0x33FF), (0x4E00, 0x9FFF),
    (0xAC00, 0xD7A3), (0xF900, 0xFAFF), (0xFB00, 0xFDFF), (0xFE00, 0xFEFF), (0xFF00, 0xFFEF),
    (0x10330, 0x1034A), (0x1D400, 0x1D7FF), (0x1F1E6, 0x1F1FF), (0x1F300, 0x1FAFF),
    (0x20000, 0x2A6DF), (0x0, 0x1F), (0x7F, 0x9F), (0xE000, 0xE010),
]  # fmt: skip
WORDS = """the The THE don't DON'T we'll I've 'S 's 'LL it\u2019s na\u00efve caf\u00e9 cafe\u0301 Stra\u00dfe \u0130stanbul
print(f"{x}") def __init__(self): return; i++ => != /* */ // # {} [] <b></b> </s> \\n 0x1F 3.14 1,000,000
camelCase HTTPServer snake_case \u65e5\u672c\u8a9e \u4e2d\u6587\u6d4b\u8bd5 \ud55c\uad6d\uc5b4 \u1112\u1161\u11ab \u041f\u0440\u0438\u0432\u0435\u0442 \u0645\u0631\u062d\u0628\u0627 \u05e9\u05dc\u05d5\u05dd \u0928\u092e\u0938\u094d\u0924\u0947 \u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35
\U0001f44d\U0001f3fd \U0001f468\u200d\U0001f469\u200d\U0001f467 \U0001f1fa\U0001f1f8 \u2764\ufe0f \ufb01x \u00bd \u2167 \u0661\u0662 \uff11\uff12 \u2581 \u2581\u2581 \u200b \ufeff \u00ad '' `` -- ... ?! a.b .5 e.g.
do not can't isn't he's I'm you're they've ' n't""".split()
SPACES = [" ", " ", " ", "  ", "   ", "\n", "\n\n", "\r\n", "\t", "\u00a0", "\u3000", "\u2028", " \n ", "\u0085", "\x0b"]


def strings(rng, specials, count):
    yield ""
    for unit in [" ", "\n", "\t", "\r\n", "0", "1234567890", "a", "ab ", "-", "=", "\u00e9", "\U0001f642", "\u2581", " \n", "\u0301"]:
        for n in [1, 2, 3, 4, 5, 7, 8, 15, 16, 17, 31, 33, 64, 100, 129, 257]:
            yield unit * n
    for special in specials:
        for pattern in ["{}", "a{}b", " {} ", "{}{}", "\n{}\n", "x {}", "{} y", "{}\u0301", "1{}2"]:
            yield pattern.replace("{}", special)
    kinds = [words, script, mixed, scalars, malformed, letters, code]
    for index in range(count):
        yield kinds[index % len(kinds)](rng, specials)


def words(rng, specials):
    return "".join(rng.choice(WORDS) + rng.choice(SPACES) for _ in range(rng.randrange(1, 12)))


def script(rng, specials):
    first, last = rng.choice(SCRIPTS)
    parts = [chr(rng.randint(first, last)) for _ in range(rng.randrange(1, 20))]
    for _ in range(rng.randrange(4)):
        parts.insert(rng.randrange(len(parts) + 1), rng.choice(SPACES + ["'s", "1", "a", "\u0301", "."]))
    return "".join(parts)


def mixed(rng, specials):
    pool = specials + WORDS + SPACES
    return "".join(rng.choice(pool) for _ in range(rng.randrange(2, 12)))


def scalars(rng, specials):
    return "".join(chr(rng.randint(*rng.choice(SCRIPTS))) for _ in range(rng.randrange(1, 16)))


def malformed(rng, specials):
    lead = [0x41, 0x20, 0x31, 0x80, 0x8F, 0x9F, 0xA0, 0xBF, 0xC0, 0xC2, 0xDF, 0xE0, 0xE2, 0xED, 0xEF, 0xF0, 0xF4, 0xF5, 0xFF]
    return bytes(rng.choice(lead) for _ in range(rng.randrange(1, 12)))


def letters(rng, specials):
    pool = "etaoinshrdlucmfwypvbgkjqxzETAOIN'_-. 0123"
    return "".join(rng.choice(pool) for _ in range(rng.randrange(3, 60)))


def code(rng, specials):
    lines = []
    for _ in range(rng.randrange(1, 5)):
        lines.append(" " * rng.randrange(0, 17) + rng.choice(WORDS) + "(" + rng.choice(WORDS) + ")" + rng.choice([";", " {", "", "\t# x", "//\n/"]))
    return rng.choice(["\n", "\r\n", "\n\n"]).join(lines)


def whole(reference, rng):
    """Every assigned scalar, a hundred at a time, each between letters."""
    chars = [chr(c) for c in range(0x80, 0x110000) if unicodedata.category(chr(c)) not in ("Cn", "Cs", "Co")]
    rng.shuffle(chars)
    chars = chars[:40000]
    for start in range(0, len(chars), 50):
        yield " ".join("a" + c + "b" for c in chars[start : start + 50])


def compare(driver, ours, path, rng, count):
    reference = tokenizer_references.read(path)
    special = reference.specials
    rng.shuffle(special)
    texts = list(strings(rng, special[:24], count)) + list(whole(reference, rng))
    lines, expected = [], []
    for number, text in enumerate(texts):
        data = text if isinstance(text, bytes) else text.encode("utf-8")
        add, parse = reference.flags(number)
        ids = reference.encode(data.decode("utf-8", errors="replace"), add, parse)
        texts_back = [reference.decode(ids, s) for s in (False, True)]
        lines.append(f"{int(add)}{int(parse)} {data.hex()}")
        expected.append((ids, *texts_back))
    result = subprocess.run(
        [driver, "ids", ours], input="\n".join(lines) + "\n", capture_output=True, text=True)
    rows = result.stdout.split("\n")[:-1]
    if len(rows) != len(lines):
        return print(f"  {result.stdout[:300]} {result.stderr[:300]}: {len(rows)} answers") or 1
    wrong_ids = wrong_text = shown = 0
    for line, row, (ids, text, short) in zip(lines, rows, expected):
        a, b, c = row.split("|")
        found = [int(x) for x in a.split()]
        same = found == ids
        wrong_ids += not same
        if same and text is not None:
            same = bytes.fromhex(b) == text.encode() and bytes.fromhex(c) == short.encode()
            wrong_text += not same
        if not same and shown < 4:
            shown += 1
            print("  differs:", line[:2], ascii(bytes.fromhex(line[3:]).decode("utf-8", "replace"))[:120])
            at = next((i for i, (x, y) in enumerate(zip(found, ids)) if x != y), min(len(found), len(ids)))
            print("    ours", found[at : at + 6], "theirs", ids[at : at + 6])
            if found == ids:
                print("    text", ascii(bytes.fromhex(b).decode())[:90], ascii(text)[:90])
    extra = "; STREAMING differs" if "STREAM DIFFERS" in result.stderr else ""
    print(f"  {len(lines)} strings: {wrong_ids} differ in ids, {wrong_text} in decoded text{extra}", flush=True)
    return wrong_ids + wrong_text + bool(extra)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("driver")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=2500)
    parser.add_argument("pairs", nargs="+")
    options = parser.parse_args()
    bad = 0
    for pair in options.pairs:
        name, rest = pair.split("=", 1)
        ours, reference = rest.split(":", 1)
        print(name, flush=True)
        bad += compare(options.driver, ours, reference, random.Random(options.seed), options.count)
    sys.exit(bad > 0)


main()
