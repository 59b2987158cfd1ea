"""Compares `plumbline trace` with transformers on any supported model, site by site.

    python compare_family.py MODEL .build/release/plumbline [--text TEXT ...] [--seed N] [--count N]
    python compare_family.py MODEL --record FILE.safetensors
    python compare_family.py MODEL --save FOLDER

MODEL is a folder with `config.json`, or a GGUF file. A GGUF file goes through transformers' own
loader, which dequantises; it reads only some of the metadata, so a file that needs the rest is
refused unless a `config.json` lies beside it. Everything is fp32 with eager attention. Of a large
vocabulary the loader takes minutes: `--save` writes what it loaded as a folder of fp32 weights,
and `--reference FOLDER` has transformers read that instead of MODEL from then on.

Ids are compared first; the model is then run on Plumbline's ids, so that a difference of the
tokenizers does not hide one of the models. Limits: logits 1e-3 absolute, other sites 1e-4 of the
site's largest value in its token. `--record` writes what transformers gives and needs no binary:
`{n}.ids`, the sites, and for logits the last LAST_LOGITS positions. Exit status 0 when all agree.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
from functools import cached_property
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"  # everything comes from MODEL

import gguf
import torch
from family_fixtures import last_block
from reference_model import start
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModel, AutoModelForCausalLM, AutoTokenizer
from transformers.modeling_gguf_pytorch_utils import load_gguf_checkpoint

LOGIT_LIMIT, SITE_LIMIT = 1e-3, 1e-4
LAST_LOGITS = 4
MOST_LOGITS = 32_000_000
"""More than this many logits are not compared: `final_norm`, from which they follow, is."""
UNREAD = ["rope.scaling.", "attn_logit_softcapping", "final_logit_softcapping", "freq_base_swa"]
TEXTS = [
    "The capital of France is",
    "Once upon a time there was a copper river, and seven old men who could not swim.",
    "def add(a, b):\n    return a + b\n\nassert add(2, 3) == 5  # 3.14159",
]
WORDS = (
    "river copper seven almost because window I'm they'll don't HTTP naïve Straße señor Москва 東京"
    " 漢字 한국어 3.14159 2026-11-22 1,000,000 __init__ == != // {} [0] http://a.example/?q=1 … —"
).split(" ")


class Reference:
    """A model in transformers, and its tokenizer once asked for: a large one takes minutes."""

    def __init__(self, path: Path):
        self.model, self.tokenizer_from = None, (path, {})
        if path.suffix == ".gguf":
            self.load_gguf(path)
        else:
            config = AutoConfig.from_pretrained(path)
            loader = AutoModel if config.model_type == "bert" else AutoModelForCausalLM
            self.model, info = loader.from_pretrained(
                path, attn_implementation="eager", dtype=torch.float32, output_loading_info=True
            )
            self.complete(path, {name: found for name, found in info.items() if found})
        self.model.eval()
        self.config = self.model.config
        self.encoder = self.config.model_type == "bert"

    @cached_property
    def tokenizer(self):
        path, options = self.tokenizer_from
        return AutoTokenizer.from_pretrained(path, **options)

    def load_gguf(self, path: Path) -> None:
        self.tokenizer_from = path.parent, {}
        if (path.parent / "config.json").exists():
            config = AutoConfig.from_pretrained(path.parent)
            self.model = AutoModelForCausalLM.from_config(config, attn_implementation="eager")
            tensors = load_gguf_checkpoint(str(path), True, self.model)["tensors"]
            lost = self.model.load_state_dict(tensors, strict=False)
            tied = {"lm_head.weight"} if config.tie_word_embeddings else set()
            self.complete(path, (set(lost.missing_keys) - tied) | set(lost.unexpected_keys))
            self.model.tie_weights()
            return
        self.refuse_unread(path)
        options = {"gguf_file": path.name}
        self.model, info = AutoModelForCausalLM.from_pretrained(
            path.parent, **options, attn_implementation="eager", dtype=torch.float32,
            output_loading_info=True,
        )  # fmt: skip
        self.complete(path, {name: found for name, found in info.items() if found})
        self.tokenizer_from = path.parent, options

    @staticmethod
    def complete(path: Path, problems) -> None:
        if problems:
            raise SystemExit(f"{path}: transformers reports {problems}.")

    @staticmethod
    def refuse_unread(path: Path) -> None:
        """What transformers' GGUF loader would silently leave out."""
        reader = gguf.GGUFReader(str(path))
        lost = [key for key in reader.fields if any(part in key for part in UNREAD)]
        lost += [tensor.name for tensor in reader.tensors if tensor.name.startswith("rope_freqs")]
        if lost:
            raise SystemExit(f"{path}: transformers ignores {lost}; put config.json beside it.")

    def encode(self, text: str) -> list[int]:
        return self.tokenizer(text).input_ids

    def sites(self, ids: list[int]) -> dict[str, torch.Tensor]:
        """Under Plumbline's names. The last entry of hidden_states comes after the final norm."""
        kept = {}

        def keep(module, inputs, output):
            kept["last"] = (output[0] if isinstance(output, tuple) else output).squeeze(0)

        handle = last_block(self.model).register_forward_hook(keep)
        with torch.no_grad():
            output = self.model(torch.tensor([ids]), output_hidden_states=True)
        handle.remove()
        states = [state.squeeze(0) for state in output.hidden_states]
        blocks = len(states) - 1
        found = {f"blocks.{i}.resid_post": states[i + 1] for i in range(blocks - 1)}
        found |= {"embed": states[0], f"blocks.{blocks - 1}.resid_post": kept["last"]}
        if not self.encoder:
            found |= {"final_norm": states[-1], "logits": output.logits.squeeze(0)}
        return found

    def embedding(self, ids: list[int]) -> torch.Tensor:
        """Of a sentence encoder: the mean over all tokens, of length one."""
        with torch.no_grad():
            states = self.model(torch.tensor([ids])).last_hidden_state.squeeze(0)
        return torch.nn.functional.normalize(states.mean(0), dim=0)


class Comparison:
    def __init__(self, arguments, reference: Reference):
        self.arguments, self.reference = arguments, reference
        self.failures = 0
        self.worst: dict[str, float] = {}

    def trace(self, text: str, sites: list[str]) -> tuple[list[int], dict[str, torch.Tensor]]:
        with tempfile.TemporaryDirectory() as folder:
            output = str(Path(folder) / "trace.safetensors")
            command = [str(self.arguments.plumbline.resolve()), "trace", "--json"]
            command += ["--model", str(self.arguments.model.resolve()), "--output", output]
            command += [part for site in sites for part in ("--site", site)]
            done = subprocess.run(command, input=text.encode(), capture_output=True)
            if done.returncode != 0:
                message = done.stderr.decode(errors="replace").strip()
                raise SystemExit(f"trace ended with {done.returncode}: {message}")
            return json.loads(done.stdout)["ids"], load_file(output)

    def fail(self, text: str, detail: str) -> None:
        self.failures += 1
        print(f"FAIL {detail}\n     text {text[:200]!r}")

    def compare(self, text: str) -> None:
        expected_ids = self.reference.encode(text)
        sites = self.wanted(len(expected_ids))
        ids, found = self.trace(text, sites)
        if ids != expected_ids:
            self.fail(text, f"ids: expected {expected_ids[:40]}, found {ids[:40]}")
        expected = self.reference.sites(ids)
        for site in sites:
            self.compare_site(text, site, found[site], expected[site])

    def wanted(self, tokens: int) -> list[str]:
        config = self.reference.config
        sites = ["embed"] + [f"blocks.{i}.resid_post" for i in range(config.num_hidden_layers)]
        if self.reference.encoder:
            return sites
        few = tokens * config.vocab_size <= MOST_LOGITS
        return sites + ["final_norm"] + (["logits"] if few else [])

    def compare_site(self, text: str, site: str, found, expected) -> None:
        if found.shape != expected.shape:
            return self.fail(text, f"{site}: expected {expected.shape}, found {found.shape}")
        scale = 1.0 if site == "logits" else expected.abs().amax(-1, keepdim=True)
        difference = ((found - expected).abs() / scale).max().item()
        kind = site.rsplit(".", 1)[-1]
        self.worst[kind] = max(self.worst.get(kind, 0.0), difference)
        limit = LOGIT_LIMIT if site == "logits" else SITE_LIMIT
        if not difference <= limit:  # NaN fails
            self.fail(text, f"{site}: difference {difference:.2e}, limit {limit:.0e}")


def texts(arguments, reference: Reference) -> list[str]:
    """Those asked for, or fixed ones, drawn ones and one that is longer than the window."""
    if arguments.text:
        return arguments.text
    drawn = random.Random(arguments.seed)
    found = TEXTS + [
        " ".join(drawn.choice(WORDS) for _ in range(drawn.randrange(3, 40)))
        for _ in range(arguments.count)
    ]
    window = getattr(reference.config, "sliding_window", None) or 0
    most = reference.config.max_position_embeddings
    if 0 < window < min(2000, most - 100):
        long = []
        while len(reference.encode(" ".join(long))) < window + 60:
            long += [drawn.choice(WORDS) for _ in range(20)]
        found.append(" ".join(long))
    return [text for text in found if len(reference.encode(text)) <= most]


def record(path: Path, reference: Reference, chosen: list[str]) -> None:
    arrays, metadata = {}, {}
    for n, text in enumerate(chosen):
        ids = reference.encode(text)
        sites = reference.sites(ids)
        arrays[f"{n}.ids"] = torch.tensor(ids, dtype=torch.int32)
        if "logits" in sites:
            sites["logits"] = sites["logits"][-LAST_LOGITS:]
        if reference.encoder:
            sites["embedding"] = reference.embedding(ids)
        arrays |= {f"{n}.{site}": value.contiguous().clone() for site, value in sites.items()}
        metadata[f"{n}.text"] = text
        print(f"{n}: {len(ids)} tokens, {text[:60]!r}")
    save_file(arrays, str(path), metadata=metadata)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("plumbline", type=Path, nargs="?")
    parser.add_argument("--text", action="append")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=4)
    parser.add_argument("--record", type=Path)
    parser.add_argument("--save", type=Path)
    parser.add_argument("--reference", type=Path)
    arguments = parser.parse_args()
    if not (arguments.plumbline or arguments.record or arguments.save):
        parser.error("Expected the plumbline binary, --record or --save, found none of them.")
    start()
    reference = Reference(arguments.reference or arguments.model)
    if arguments.save:
        reference.model.save_pretrained(arguments.save)
        reference.tokenizer.save_pretrained(arguments.save)
    chosen = texts(arguments, reference)
    if arguments.record:
        record(arguments.record, reference, chosen)
    if not arguments.plumbline:
        return 0
    comparison = Comparison(arguments, reference)
    for text in chosen:
        comparison.compare(text)
    for site, difference in comparison.worst.items():
        print(f"{site:12} worst difference {difference:.2e}")
    print(f"{len(chosen)} texts, {comparison.failures} failures")
    return 1 if comparison.failures else 0


if __name__ == "__main__":
    sys.exit(main())
