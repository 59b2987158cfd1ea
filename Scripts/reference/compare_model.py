"""Compares the plumbline command with transformers on texts that no test contains.

    python compare_model.py MODEL.gguf .build/release/plumbline [--seed N] [--adapter DIR]

Draws texts of many scripts, code, digits, special tokens and malformed bytes from the seed, runs
`tokenize`, `logprobs`, `generate` and `trace` on them and prints one line a check. Exit status 0
when all agree, 1 otherwise.

Limits: log-probabilities and logits 1e-3 absolute; other sites 1e-4 of the site's largest value in
its token (rounding alone gives some 1e-5). A greedy continuation may leave the reference only where
the reference's two largest logits lie closer than 1e-3: that is said, and is not a failure.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
from pathlib import Path

from model_fixtures import Recorder, next_token_logprobs
from reference_model import Checkpoint, start

import torch
from peft import PeftModel
from safetensors.torch import load_file

LOGIT_LIMIT, SITE_LIMIT, TIE = 1e-3, 1e-4, 1e-3
PLACES = [
    "resid_pre", "attn.q", "attn.k", "attn.v", "attn.rot_q", "attn.rot_k", "attn.pattern",
    "attn.z", "attn.out", "resid_mid", "mlp.gate", "mlp.up", "mlp.post", "mlp.out", "resid_post",
]  # fmt: skip
WORDS = (
    "river copper seven almost because window I'm they'll don't HTTP naïve Straße señor été"
    " Москва вода Ελλάδα שלום مرحبا नमस्ते สวัสดี 東京 漢字 ひらがな 한국어 ½ ٣٤ Ⅳ x² 3.14159"
    " 2026-11-22 1,000,000 0x1F 🙂 👩‍🔬 🇫🇷 a_b __init__ == != -> // /* */ \\n {} [0] \"quoted\""
    " http://a.example/?q=1&r=2 … — “” <|im_start|> <|im_end|> <|endoftext|> <|im_end <| |>"
    " e\u0301 \u200b \ufeff \u0301"
).split(" ")
SPACES = [
    " ", " ", " ", " ", "", "\n", "\n\n", "  ", "\t", "    ", "\r\n", "\u00a0", "\u3000", " \n ",
]  # fmt: skip
BROKEN = [b"\xff", b"\xc3", b"\xe2\x82", b"\xf0\x9f\x99", b"\xed\xa0\x80", b"\xc0\xaf", b"\x80"]


def drawn_text(random_: random.Random, words: int) -> str:
    parts = []
    for _ in range(words):
        if random_.random() < 0.1:
            parts.append("".join(chr(random_.randrange(0x21, 0x17F)) for _ in range(4)))
        else:
            parts.append(random_.choice(WORDS))
        parts.append(random_.choice(SPACES))
    return "".join(parts)


def drawn_bytes(random_: random.Random, words: int) -> bytes:
    data = drawn_text(random_, words).encode()
    for _ in range(random_.randrange(3)):
        at = random_.randrange(len(data) + 1)
        data = data[:at] + random_.choice(BROKEN) + data[at:]
    return data


class Check:
    """Counts what agreed and prints what did not."""

    def __init__(self):
        self.failures = 0
        self.worst: dict[str, float] = {}

    def fail(self, what: str, text, detail: str):
        self.failures += 1
        print(f"FAIL {what}: {detail}\n     text {text!r}")

    def close(self, what: str, text, found, expected, limit: float, scale=1.0):
        if tuple(found.shape) != tuple(expected.shape):
            return self.fail(what, text, f"expected {expected.shape}, found {found.shape}")
        difference = ((found - expected).abs() / scale).max().item() if found.numel() else 0.0
        self.worst[what] = max(self.worst.get(what, 0.0), difference)
        if not difference <= limit:  # NaN fails
            self.fail(what, text, f"difference {difference:.2e}, limit {limit:.0e}")


class Comparison:
    def __init__(self, arguments):
        self.check = Check()
        self.random = random.Random(arguments.seed)
        self.count = arguments.count
        checkpoint = Checkpoint(arguments.gguf)
        self.tokenizer = checkpoint.tokenizer()
        self.model = checkpoint.model()
        self.options = ["--model", str(arguments.gguf.resolve())]
        if arguments.adapter:
            self.model = PeftModel.from_pretrained(self.model, arguments.adapter).eval()
            self.model = self.model.get_base_model()
            self.options += ["--adapter", str(arguments.adapter.resolve())]
        self.binary = str(arguments.plumbline.resolve())

    def run(self, *arguments: str, text: bytes = b"") -> bytes:
        command = [self.binary, arguments[0], *self.options, *arguments[1:]]
        done = subprocess.run(command, input=text, capture_output=True)
        if done.returncode != 0:
            message = done.stderr.decode(errors="replace").strip()
            raise RuntimeError(f"{arguments[0]} ended with {done.returncode}: {message}")
        return done.stdout

    def encode(self, text: str) -> list[int]:
        return self.tokenizer.encode(text, add_special_tokens=False).ids

    def tokenize(self):
        texts = [b"", b" ", b"12345"] + [
            drawn_bytes(self.random, self.random.randrange(1, 60)) for _ in range(4 * self.count)
        ]
        # The adapter changes no token, and the option belongs to commands that run the model.
        options, self.options = self.options, self.options[:2]
        for data in texts:
            found = json.loads(self.run("tokenize", "--json", text=data))
            expected = self.encode(data.decode(errors="replace"))
            if found["ids"] != expected:
                self.check.fail("tokenize", data, f"expected {expected}, found {found['ids']}")
            if len(found["tokens"]) != len(found["ids"]):
                self.check.fail("tokenize", data, "ids and tokens differ in number")
        self.options = options
        print(f"tokenize: {len(texts)} texts")

    def logprobs(self):
        for _ in range(self.count):
            text = drawn_text(self.random, self.random.randrange(1, 25))
            found = json.loads(self.run("logprobs", "--json", text=text.encode()))
            ids = self.encode(text)
            if found["ids"] != ids or found["logprobs"][:1] != [None]:
                self.check.fail("logprobs", text, f"expected ids {ids}, found {found}")
                continue
            with torch.no_grad():
                logits = self.model(torch.tensor([ids]), use_cache=False).logits[0]
            expected = next_token_logprobs(logits, ids)
            values = torch.tensor(found["logprobs"][1:], dtype=torch.float32)
            self.check.close("logprobs", text, values, expected, LOGIT_LIMIT)
        print(f"logprobs: {self.count} texts")

    def generate(self, tokens: int = 24):
        for _ in range(self.count):
            text = drawn_text(self.random, self.random.randrange(1, 25))
            limits = ["--max-tokens", str(tokens), "--temperature", "0", "--json"]
            found = json.loads(self.run("generate", f"--prompt={text}", *limits))
            expected, margins, ended = self.greedy(self.encode(text), tokens)
            ids = found["ids"]
            if ended and ids[-1:] == expected[-1:]:
                ids = ids[:-1]  # whether the end token is listed is the command's choice
            plain = expected[:-1] if ended else expected
            if ids != plain:
                self.judge_departure(text, ids, expected, margins)
            elif found["finish_reason"] != ("stop" if ended else "length"):
                self.check.fail("generate", text, f"finish_reason {found['finish_reason']}")
            elif found["text"] != self.tokenizer.decode(plain, skip_special_tokens=False):
                self.check.fail("generate", text, f"text {found['text']!r} is not that of {plain}")
        print(f"generate: {self.count} prompts of {tokens} tokens")

    def judge_departure(self, text, ids, expected, margins):
        pairs = list(zip(ids, expected))
        step = next((i for i, (a, b) in enumerate(pairs) if a != b), len(pairs))
        margin = margins[step] if step < len(margins) else float("inf")
        detail = f"differs at step {step}, margin {margin:.1e}: expected {expected}, found {ids}"
        if margin < TIE:
            print(f"tie  generate {detail}")
        else:
            self.check.fail("generate", text, detail)

    def greedy(self, ids: list[int], tokens: int):
        produced, margins, end = [], [], self.model.config.eos_token_id
        for _ in range(tokens):
            with torch.no_grad():
                logits = self.model(torch.tensor([ids + produced]), use_cache=False).logits[0, -1]
            top = logits.topk(2)
            produced.append(top.indices[0].item())
            margins.append((top.values[0] - top.values[1]).item())
            if produced[-1] == end:
                return produced, margins, True
        return produced, margins, False

    def trace(self):
        layers = self.model.config.num_hidden_layers
        for round_ in range(self.count):
            text = drawn_text(self.random, self.random.randrange(1, 25))
            blocks = self.random.sample(range(layers), 2)
            sites = [f"blocks.{block}.{place}" for block in blocks for place in PLACES]
            if round_ == 0:
                sites += ["embed", "final_norm", "logits"]
            self.compare_sites(text, sites, blocks)
        print(f"trace: {self.count} texts")

    def compare_sites(self, text: str, sites: list[str], blocks: list[int]):
        asked = [part for site in sites for part in ("--site", site)]
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "trace.safetensors"
            self.run("trace", *asked, "--output", str(path), text=text.encode())
            found = load_file(path)
        expected = Recorder(self.model, blocks).run(self.encode(text))
        for block in blocks:
            before = f"blocks.{block - 1}.resid_post" if block else "embed"
            expected[f"blocks.{block}.resid_pre"] = expected[before]
        if set(found) != set(sites):
            return self.check.fail("trace", text, f"arrays {sorted(found)}, asked for {sites}")
        for site in sites:
            place = site.split(".", 2)[-1]
            value = expected[site]
            if site == "logits":
                limit, scale = LOGIT_LIMIT, 1.0
            else:  # a token at a time: the first one's residual stream is a hundred times larger
                axes = tuple(range(1, value.ndim))
                limit, scale = SITE_LIMIT, value.abs().amax(axes, keepdim=True).clamp_min(1e-6)
            self.check.close(f"trace {place}", text, found[site], value, limit, scale)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("gguf", type=Path)
    parser.add_argument("plumbline", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=8, help="texts for each command")
    parser.add_argument("--adapter", type=Path, help="a PEFT adapter folder")
    commands = ["tokenize", "logprobs", "generate", "trace"]
    parser.add_argument("--only", nargs="+", choices=commands, default=commands)
    arguments = parser.parse_args()
    start()
    comparison = Comparison(arguments)
    for command in arguments.only:
        try:
            getattr(comparison, command)()
        except (RuntimeError, KeyError, json.JSONDecodeError) as error:
            comparison.check.fail(command, "", f"{type(error).__name__} {error}")
    for what, worst in sorted(comparison.check.worst.items()):
        print(f"{what}: largest difference {worst:.1e}")
    print(f"seed {arguments.seed}: {comparison.check.failures} failures")
    sys.exit(1 if comparison.check.failures else 0)


if __name__ == "__main__":
    main()
