"""What is measured with one worker alone: error, memory, lengths and start-up.

Peaks are the kernel's own count of a fresh process, the same for every worker.
"""

from __future__ import annotations

import statistics
import subprocess
import time

import checks
import works
from workers import Trouble
from works import BF16, BF16X3, FILE, FP32


def error(session) -> None:
    """What each precision adds to the residual stream, block after block; both fp32 agree first."""
    exact = {}
    ours = [BF16, BF16X3, FILE] if session.has_amx else [BF16, FILE]
    for name, precisions in {"ours": ours, "pytorch": [BF16]}.items():
        session.say(f"error: {name}")
        worker = session.team.fresh(name)
        exact[name] = residuals(session, worker, FP32)
        for precision in precisions:
            found = checks.block_errors(residuals(session, worker, precision), exact[name])
            session.errors.append({"worker": name, "precision": precision, "blocks": found})
        worker.close()
    title = "residual stream after every block fp32: PyTorch"
    session.checks.append(checks.same_residuals(title, exact["ours"], exact["pytorch"]))


def residuals(session, worker, precision: str):
    path = session.scratch / f"{worker.name}-{precision}.npy"
    fields = {"tokens": session.tokens("forward"), "output": str(path)}
    worker.ask("capture", precision=precision, **fields)
    return checks.load(path)


def logprobs(session) -> None:
    arrays = {}
    for precision in [FP32, BF16]:
        for name in ["ours", "pytorch"]:
            path = session.scratch / f"{name}-{precision}.npy"
            worker, fields = session.team.fresh(name), {"precision": precision}
            worker.ask("load", **fields)
            fields |= {"tokens": session.tokens("logprobs"), "output": str(path)}
            answer = worker.ask("logprobs", **fields)
            remember_memory(session, name, precision, answer, worker.peak_bytes())
            worker.close()
            arrays[name, precision] = checks.load(path)
    expected = arrays["pytorch", FP32]
    found = checks.same_logits("log-probabilities fp32: PyTorch", arrays["ours", FP32], expected)
    title = "log-probabilities bf16: error against PyTorch fp32"
    compared = [arrays[name, BF16] for name in ["ours", "pytorch"]]
    session.checks += [found, checks.no_worse(title, *compared, expected, "PyTorch bf16")]


def remember_memory(session, name: str, precision: str, answer: dict, peak: int) -> None:
    """A worker may say how much its weights take, up to one fp32 copy of them."""
    count = session.described["parameters"]
    weights = count * (4 if precision == FP32 else 2)
    weights = min(answer.get("weight_bytes", weights), 4 * count)
    judged = name == "ours" and (precision == FP32 or session.judges_bf16)
    met = peak - weights <= works.LOGPROBS_BYTES if judged else None
    row = {"worker": name, "precision": precision, "seconds": answer["seconds"][0]}
    session.memory.append(row | {"peak": peak, "weights": weights, "met": met})


def length(session) -> None:
    lengths, outputs = session.described["lengths"], {}
    columns = {name: lengths_of(session, name, lengths, outputs) for name in ["ours", "pytorch"]}
    for n, ours, theirs in zip(lengths, columns["ours"], columns["pytorch"]):
        session.lengths.append({"tokens": n, "ours": ours, "theirs": theirs})
    title = f"last logits after {lengths[-1]} tokens: PyTorch"
    session.checks.append(checks.same_logits(title, outputs["ours"], outputs["pytorch"]))
    one, two, four = (memory for _, memory in columns["ours"][-3:])
    grown, slack = (four - two, two - one), works.GROWTH_SLACK_BYTES
    session.bars.append(
        {
            "title": f"memory from {lengths[-2]} to {lengths[-1]} tokens grows linearly",
            "found": f"{grown[0] / 1e6:.0f} MB, after {grown[1] / 1e6:.0f} MB for the step before",
            "bar": f"at most {works.GROWTH:g} times that and {slack / 1e6:.0f} MB",
            "met": grown[0] <= works.GROWTH * max(grown[1], 0) + slack,
        }
    )


def lengths_of(session, name: str, lengths: list[int], outputs: dict) -> list[tuple[float, int]]:
    """Seconds and peak bytes of each length, ascending, in one fresh process."""
    worker, column = session.team.fresh(name), []
    worker.ask("length", precision=FP32, tokens=session.tokens(f"length{lengths[0]}"))
    for n in lengths:
        session.say(f"length: {name}, {n} tokens")
        path = session.scratch / f"{name}-length.npy"
        fields = {"tokens": session.tokens(f"length{n}"), "output": str(path), "precision": FP32}
        worker.reset_peak()
        answer = worker.ask("length", repeats=max(1, min(5, 2048 // n)), **fields)
        column.append((statistics.median(answer["seconds"]), worker.peak_bytes()))
        outputs[name] = checks.load(path).reshape(1, -1)
    worker.close()
    return column


def start(session) -> None:
    if session.options.program:
        times = [help_seconds(session) for _ in range(11)]
        remember_start(session, "plumbline --help", times, works.HELP_SECONDS)
    own = {"ours": session.options.file_precision}
    for name in session.team.commands:
        precision = own.get(name, FP32)
        count = 5 if name == "ours" else 1
        times = [ready_seconds(session, name, precision) for _ in range(count)]
        bar = works.READY_SECONDS if name == "ours" else None
        remember_start(session, f"default model ready, {name}", times, bar)


def remember_start(session, title: str, times: list[float], bar: float | None) -> None:
    median = statistics.median(times)
    session.starts.append({"title": title, "seconds": times, "median": median})
    if bar is not None:
        session.bars.append(
            {
                "title": title,
                "found": f"{median * 1e3:.0f} ms (median of {len(times)})",
                "bar": f"under {bar * 1e3:.0f} ms",
                "met": median < bar,
            }
        )


def help_seconds(session) -> float:
    start = time.perf_counter()
    try:
        done = subprocess.run([session.options.program, "--help"], capture_output=True)
    except OSError as error:
        raise Trouble(f"Expected the program {session.options.program}: {error}.") from error
    if done.returncode != 0:
        raise Trouble(f"{session.options.program} --help ended with {done.returncode}.")
    return time.perf_counter() - start


def ready_seconds(session, name: str, precision: str) -> float:
    """From before the process exists to the answer that the model is loaded."""
    worker = session.team.fresh(name)
    worker.ask("load", precision=precision)
    seconds = time.perf_counter() - worker.started
    worker.close()
    return seconds
