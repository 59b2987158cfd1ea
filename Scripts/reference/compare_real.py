"""Compares our engine with transformers on random tokens of a published model's own weights.

    python compare_real.py MODEL .build/release/plumbline-bench [--tokens N] [--seed N]

MODEL is a folder with `config.json`, or a GGUF file that transformers' own loader reads whole (see
`compare_family.py`). The ids are drawn from the whole vocabulary, the first one is the model's `<bos>`
if it declares one, and both sides get them as they are: no tokenizer takes part. Compared in fp32,
relative to the largest value of their row, are the logits of all positions, or an encoder's residual
stream after every block. Exit status 0 when nothing differs by more than 1e-4.

Said and not judged are a decoder's residual stream, in which single tokens can amplify rounding a
hundredfold, and at how many positions the largest logit is the same one: two may lie closer than
rounding.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
from contextlib import closing
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2] / "Benchmarks"))

import checks
import numpy as np
import torch
from compare_family import Reference
from reference_model import start
from workers import Trouble, Worker

LIMIT = 1e-4
TOKENS = 700  # more than Gemma 3's window of 512


class Ours:
    """The benchmark's worker, which takes ids and gives arrays."""

    def __init__(self, worker: Worker, folder: Path, ids: list[int]):
        self.worker, self.output, self.tokens = worker, folder / "output", folder / "tokens.json"
        self.tokens.write_text(json.dumps([ids]))

    def ask(self, work: str) -> np.ndarray:
        files = {"tokens": str(self.tokens), "output": str(self.output)}
        self.worker.ask(work, precision="float32", **files)
        return checks.load(self.output)


def drawn(config, tokens: int | None, seed: int) -> list[int]:
    longest = config.max_position_embeddings
    count = min(TOKENS, longest) if tokens is None else tokens
    if not 1 <= count <= longest:
        raise SystemExit(f"Expected 1 to {longest} tokens, found {count}.")
    ids = random.Random(seed).choices(range(config.vocab_size), k=count)
    first = getattr(config, "bos_token_id", None)
    return ids if first is None else [first, *ids[1:]]


def compare(ours: Ours, reference: Reference, ids: list[int]) -> checks.Check:
    expected = reference.sites(ids)
    blocks = range(reference.config.num_hidden_layers)
    states = torch.stack([expected[f"blocks.{i}.resid_post"] for i in blocks]).numpy()
    found = ours.ask("capture").reshape(states.shape)
    streams = checks.same_residuals("residual stream after every block", found, states, LIMIT)
    if reference.encoder:
        return streams
    print(f"{streams.title}: {streams.found}")
    logits = expected["logits"].numpy()
    found = ours.ask("forward").reshape(logits.shape)
    same = int((found.argmax(axis=-1) == logits.argmax(axis=-1)).sum())
    print(f"largest logits: the same one in {same} of {len(ids)} rows")
    # A row at a time: those of a large vocabulary take a gigabyte.
    return checks.same_residuals("logits", found[:, None], logits[:, None], LIMIT)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("worker", type=Path, help=".build/release/plumbline-bench")
    parser.add_argument("--tokens", type=int, help=f"(default: {TOKENS}, or the model's longest)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1, help="of ours (default: 1)")
    arguments = parser.parse_args()
    start()
    reference = Reference(arguments.model)
    ids = drawn(reference.config, arguments.tokens, arguments.seed)
    print(f"{reference.config.model_type}, {len(ids)} tokens of seed {arguments.seed}")
    command = [str(arguments.worker.resolve()), "--model", str(arguments.model.resolve())]
    command += ["--threads", str(arguments.threads)]
    try:
        with tempfile.TemporaryDirectory() as folder:
            with closing(Worker("ours", command, arguments.threads)) as worker:
                found = compare(Ours(worker, Path(folder), ids), reference, ids)
    except Trouble as trouble:
        raise SystemExit(str(trouble)) from trouble
    verdict = "" if found.met else "FAIL "
    print(f"{verdict}{found.title}: {found.found} (at most {found.wanted})")
    return 0 if found.met else 1


if __name__ == "__main__":
    sys.exit(main())
