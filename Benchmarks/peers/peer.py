"""A worker's side of the protocol that ../bench.py describes: requests in, answers out."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
import traceback
from importlib.metadata import version

import numpy as np


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True, help="the GGUF file")
    parser.add_argument("--folder", help="the same weights as a Hugging Face folder, fp32")
    parser.add_argument("--threads", type=int, required=True)
    return parser.parse_args()


def serve(works: dict) -> None:
    """Answers one request a line until standard input ends."""
    # Libraries print to standard output, which belongs to the protocol: they get standard error.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        try:
            answer = answer_to(works, json.loads(line))
        except Exception as error:
            traceback.print_exc()
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), file=answers, flush=True)


def answer_to(works: dict, request: dict) -> dict:
    work = request.pop("work")
    if work not in works:
        return {"error": f"Expected one of {', '.join(works)}, found {work}."}
    return works[work](**request)


def hello(name: str, threads: int, packages: list[str], **more) -> dict:
    return {"name": name, "threads": threads, "versions": {p: version(p) for p in packages}, **more}


def timed(repeats: int, run):
    """Seconds of each of `repeats` calls, and the last one's value."""
    seconds, value = [], None
    for _ in range(repeats):
        value = None  # the one before must not lie in memory beside the next
        start = time.perf_counter()
        value = run()
        seconds.append(time.perf_counter() - start)
    return seconds, value


def read_tokens(path: str) -> list[list[int]]:
    with open(path) as file:
        return json.load(file)


def write_array(path: str | None, value) -> None:
    if path is not None:
        with open(path, "wb") as file:  # np.save would append .npy to another name
            np.save(file, np.ascontiguousarray(value, dtype=np.float32))
