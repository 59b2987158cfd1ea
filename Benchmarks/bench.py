"""Runs ours and its peers alternately, on the same weights, and prints one table.

    Benchmarks/setup                                     the environment, once
    .deps/bench/bin/python Benchmarks/bench.py           everything, some 12 minutes on two cores

Exit status: 0 when every bar holds and all answers agree, 1 when one falls short, 2 on trouble
(a worker died; the end of its standard error is shown). README.md says how to read the table.

The protocol
------------
A worker is a process started as `COMMAND --model FILE.gguf --folder FOLDER --threads N`; FOLDER
holds the same weights in fp32 as a Hugging Face folder, and may be ignored. It reads one request
a line from standard input and writes one answer a line to standard output, both JSON objects, until
standard input ends; then it exits. Standard error is for people. It loads a model when first asked
for something that needs it, outside of the times that it reports, and does no warm-up: the first
request of a kind is not counted here. Idle, it must not use the processor.

A request has `work` and that work's fields. The answer holds `seconds`, a list of `repeats`
(default 1) wall-clock times, each of one full execution from token ids to finished numbers; or
`error`, a sentence, when it cannot be done.

    work        fields                                  the time is of; more in the answer
    ----------  --------------------------------------  ------------------------------------------
    hello       -                                       (no `seconds`) `name`, `threads`,
                                                        `versions` {name: version}, `isa`?
    load        precision                               making the model ready
    forward     precision, tokens, repeats, output      logits of all positions;
                                                        output [batch, position, dVocab]
    capture     precision, tokens, repeats, output      the same (but for an encoder's logits), and
                                                        the residual stream after every block kept;
                                                        output [block, batch, position, dModel]
    lora_step   precision, tokens, repeats, adapter,    forward, backward, AdamW (betas 0.9 and
                learning_rate (default 1e-4)            0.999, epsilon 1e-8, decay 0.01); `losses`,
                                                        one before each step, mean over all
                                                        next tokens in nats
    lens_step   precision, tokens, repeats, fresh       a step of training tuned lenses for all
                                                        layers: forward, KL and its gradient a
                                                        layer, clipping, SGD; `losses`, means over
                                                        layers and tokens in nats
    lens_train  precision, tokens, tokens_per_step,     one pass over the sequences; the lens goes
                output                                  to the folder in tuned-lens's files
    decode      precision, tokens, new_tokens, repeats  greedy, from the prompts to the last token,
                                                        end tokens too; `ids` [batch][new_tokens]
    prefill     precision, tokens, repeats, output      logits of the last position only;
                                                        output [1, dVocab]
    length      as prefill
    logprobs    precision, tokens, repeats, output      log-probability of every token but the
                                                        first; output [1, position - 1];
                                                        `weight_bytes`?, what the weights take
    matmul      precision, rows, repeats                the products of a forward pass over `rows`
                                                        tokens, in its order, each with its own
                                                        weight, summed; `shapes`, a list of
                                                        {m, k, n, count, seconds}
    bandwidth   bytes, repeats                          (PyTorch's worker) reading memory; `bytes`
    choices     tokens, prompt                          (PyTorch's worker; no `seconds`) `gaps`, how
                                                        far each token after the prompt is below
                                                        the best

`precision` is `float32`, `bfloat16` or, of ours, `quantized` (llama.cpp gets `file` and goes by its
file). `tokens` is the path of a JSON list of token id lists, all of one length. `output` is a path
or absent: if it is given, the last repeat's numbers are written there in fp32 as .npy, or as
safetensors with a single tensor, outside the time. `adapter` is a folder as PEFT writes it (r 16,
alpha 32, all linear layers): training starts there with a fresh optimiser; absent, it goes on where
it had got to; so with `fresh` and lenses. A worker may be asked for `load` first, or not at all.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import json
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from dataclasses import asdict
from pathlib import Path

import checks
import intervals
import report
from session import Session, clock
from workers import Team, Trouble, environment
from works import BF16, BF16_FLAGS, FILE, FP32, WORKS

ROOT = Path(__file__).resolve().parents[1]
PEERS = {
    "pytorch": "pytorch_peer.py",
    "lens": "lens_peer.py",
    "tuned-lens": "tuned_lens_peer.py",
    "llama": "llama_peer.py",
}
MODEL = ROOT / ".deps/models/SmolLM2-135M-Instruct.Q4_1.gguf"
PROGRAM = ROOT / ".build/release/plumbline"


def parse(flags: set[str]):
    parser = argparse.ArgumentParser(
        description="Runs Plumbline and its peers alternately on the same weights.",
        epilog=f"Works: {', '.join(WORKS)}.",
    )
    add = parser.add_argument
    add("--ours", metavar="COMMAND", help="our worker (default: .build/release/plumbline-bench)")
    add("--program", help="for `--help`'s time (default: .build/release/plumbline)")
    add("--model", type=Path, default=MODEL, help="the GGUF file (default: the default model)")
    add("--threads", type=int, default=len(os.sched_getaffinity(0)), help="(default: all cores)")
    add("--pairs", type=int, default=7, help="rounds of each comparison (default: 7)")
    add("--only", action="append", choices=WORKS, metavar="WORK", help="may be repeated")
    add("--seed", type=int, default=int(time.time()), help="of the order within the rounds")
    default = FILE if BF16_FLAGS <= flags else FP32
    add("--file-precision", choices=[FP32, BF16, FILE], default=default, metavar="PRECISION",
        help=f"of our products in decode and prefill (default here: {default})")  # fmt: skip
    add("--json", type=Path, metavar="FILE", help="every single time, for another program")
    add("--self-test", action="store_true", help="test the statistics and the checks, and exit")
    options = parser.parse_args()
    if options.pairs < 1 or options.threads < 1:
        parser.error("expected at least one pair and one thread.")
    options.only = options.only or WORKS
    options.cores = os.cpu_count()
    return options


def commands(options) -> dict[str, list[str]]:
    more = ["--model", str(options.model), "--folder", str(ROOT / ".deps/bench-data/model")]
    more += ["--threads", str(options.threads)]
    peers = Path(__file__).parent / "peers"
    found = {name: [sys.executable, str(peers / file), *more] for name, file in PEERS.items()}
    return {"ours": [*shlex.split(options.ours), *more]} | found


def complete(options) -> None:
    """Defaults that depend on each other. Another worker as ours has no program to time."""
    if options.ours is None:
        options.ours = shlex.quote(str(PROGRAM.parent / "plumbline-bench"))
        options.program = options.program or str(PROGRAM)
    for path in [shlex.split(options.ours)[0], options.program]:
        if path and "/" in path and not Path(path).exists():
            raise Trouble(f"Expected {path}, found nothing there: `make bench` builds it.")
    if not options.model.exists():
        raise Trouble(f"Expected the model {options.model}, found none: run `make bootstrap`.")


def prepared(options) -> Path:
    data = ROOT / ".deps/bench-data"
    script = [sys.executable, str(Path(__file__).parent / "prepare.py")]
    done = subprocess.run(
        [*script, str(options.model), str(data)], capture_output=True, env=environment(1), text=True
    )
    if done.returncode != 0:
        raise Trouble(f"Expected weights and tokens in {data}, preparing failed: {done.stderr}")
    return data


def save(session: Session, path: Path, text: str) -> None:
    kept = "rows bars errors memory lengths starts bandwidth versions raw rates described".split()
    values = {name: getattr(session, name) for name in kept}
    values |= {"checks": [asdict(check) for check in session.checks], "report": text}
    values |= {"options": vars(session.options), "machine": session.team.used}
    path.write_text(json.dumps(values, indent=1, default=str) + "\n")


@contextlib.contextmanager
def alone():
    """Two benchmarks at once would measure each other."""
    with open(ROOT / ".deps/bench.lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Trouble("Expected no other benchmark, found one running: wait for it.") from error
        yield


def measured(options, flags: set[str]) -> Session:
    data = prepared(options)
    team = Team(commands(options), options.threads)
    try:
        # Beside the weights, for room: the logits of one comparison are 200 MB.
        with tempfile.TemporaryDirectory(dir=data) as scratch:
            session = Session(team, data, Path(scratch), options, flags)
            try:
                session.run()
            except Exception as trouble:  # what was measured before is not to be lost
                session.trouble = trouble
                if not isinstance(trouble, Trouble):
                    traceback.print_exc()
    finally:
        team.close()
    return session


def main() -> int:
    flags = set(report.cpu_flags())
    options = parse(flags)
    if options.self_test:
        intervals.self_test()
        checks.self_test()
        return 0
    start = time.perf_counter()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that scratch files are removed
    try:
        complete(options)
        with alone():
            session = measured(options, flags)
    except Trouble as trouble:
        print(f"bench: {trouble}", file=sys.stderr)
        return 2
    except Exception:  # an answer that lacks something, an array of another shape, a full disk
        traceback.print_exc()
        return 2
    text = report.write(session)
    print(text)
    if options.json:
        save(session, options.json, text)
    if session.trouble:
        print(f"bench: {session.trouble} (the rest was not measured)", file=sys.stderr)
        return 2
    short = report.shortcomings(session)
    for title in short:
        print(f"falls short: {title}", file=sys.stderr)
    print(f"took {clock(time.perf_counter() - start)}; seed {options.seed}", file=sys.stderr)
    return 1 if short else 0


if __name__ == "__main__":
    sys.exit(main())
