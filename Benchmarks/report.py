"""The report of a session, in Markdown."""

from __future__ import annotations

import platform
import statistics
from pathlib import Path

from works import SHORT

FLAGS = "avx2 avx512f avx512_vnni avx512_bf16 avx512_fp16 amx_tile amx_int8 amx_bf16".split()
MET = {True: "yes", False: "**NO**", None: ""}


def cpu_flags() -> list[str]:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    found = next((line for line in lines if line.startswith(("flags", "Features"))), ":")
    return found.split(":", 1)[1].split()


def table(titles: list[str], rows: list[list[str]]) -> str:
    lines = [titles, ["---"] * len(titles), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def seconds(value: float) -> str:
    if value >= 1:
        return f"{value:.2f} s"
    return f"{value * 1e3:.0f} ms" if value >= 0.1 else f"{value * 1e3:.1f} ms"


def megabytes(value: float) -> str:
    return f"{value / 1e6:.0f} MB"


def speeds(session) -> str:
    rows = []
    for row in session.rows:
        centre, low, high = row["ratio"]
        times = [seconds(row["ours"]), seconds(row["theirs"])]
        interval = f"{centre:.2f} [{low:.2f}, {high:.2f}]"
        rows.append([row["title"], *times, interval, row["bar"] or "", MET[row["met"]]])
    titles = ["work: compared with", "ours", "theirs", "ratio [90 %]", "bar", "met"]
    note = (
        f"\n\nMedians and ratios over {session.options.pairs} pairs. The ratio is theirs / ours, "
        "how many times as fast ours is; where the bar says *at most*, it is ours / theirs. The "
        "whole interval has to be on the bar's side."
    )
    return table(titles, rows) + note if rows else ""


def answers(session) -> str:
    rows = [[c.title, c.found, c.wanted, MET[c.met]] for c in session.checks]
    return table(["the same answer", "found", "wanted: at most", "met"], rows) if rows else ""


def rates(session) -> str:
    rows = []
    for precision, runs in session.rates.items():
        for name, (times, answer) in runs.items():
            shapes = answer["shapes"]
            work = sum(2 * s["m"] * s["k"] * s["n"] * s["count"] for s in shapes)
            rate = work / statistics.median(times) / 1e9
            each = ", ".join(
                f"{s['k']}→{s['n']}: "
                f"{2 * s['m'] * s['k'] * s['n'] * s['count'] / s['seconds'] / 1e9:.0f}"
                for s in shapes
            )
            whole = [seconds(statistics.median(times)), f"{rate:.0f}", each]
            rows.append([f"{SHORT[precision]}, {name}", *whole])
    titles = ["matmuls of the forward pass, 1,024 rows", "all", "GFLOP/s", "by shape (last round)"]
    return table(titles, rows) if rows else ""


def shares(session) -> str:
    """Decoding against reading the file's weights once a step, and nothing else."""
    limit = session.described["weight_bytes"] / session.bandwidth * 128
    rows = []
    for row in session.rows:
        if row["group"].startswith("decode"):
            batch = int(row["group"].rsplit(" ", 1)[1])
            sides = []
            for side in ["ours", "theirs"]:
                rate, share = batch * 128 / row[side], limit / row[side]
                sides.append(f"{rate:.0f} tokens/s, {share:.0%}")
            rows.append([row["title"], *sides])
    gigabytes = f"{session.bandwidth / 1e9:.1f} GB/s"
    weights = megabytes(session.described["weight_bytes"])
    note = (
        f"\n\nThe share is of what reading the file's {weights} of weights once a step allows at "
        f"{gigabytes}, measured in this run: "
        f"{128 / limit:.0f} steps/s."
    )
    titles = ["decoding", "ours", "theirs"]
    return table(titles, rows) + note if rows else f"Memory bandwidth: {gigabytes}."


def errors(session) -> str:
    """First block, middle and last; `--json` has all."""
    if not session.errors:
        return ""
    count = len(session.errors[0]["blocks"])
    shown = sorted({0, (count - 1) // 2, count - 1})
    rows = []
    for row in session.errors:
        kept = [row["blocks"][index] for index in shown]
        each = [f"{block['median']:.1e}, {block['largest']:.1e}" for block in kept]
        worst = [f"{max(block['largest'] for block in row['blocks']):.1e}"]
        rows.append([f"{row['worker']}, {SHORT[row['precision']]}", *each, *worst])
    titles = ["error of the residual stream: median, largest"]
    titles += [f"after block {index + 1}" for index in shown] + ["largest of all"]
    note = (
        "\n\nOver the tokens of 4×256, the length of the difference from the same worker's fp32, "
        f"over the residual's. {count} blocks; not judged here."
    )
    return table(titles, rows) + note


def memory(session) -> str:
    rows = []
    for row in session.memory:
        beyond = row["peak"] - row["weights"]
        sizes = [megabytes(row["peak"]), megabytes(row["weights"]), megabytes(beyond)]
        judged = ["at most 200 MB", MET[row["met"]]] if row["met"] is not None else ["", ""]
        name = f"{row['worker']}, {SHORT[row['precision']]}"
        rows.append([name, seconds(row["seconds"]), *sizes, *judged])
    titles = ["log-probabilities of 4,096 tokens", "time", "peak memory", "weights", "beyond"]
    return table([*titles, "bar", "met"], rows) if rows else ""


def lengths(session) -> str:
    rows = []
    for row in session.lengths:
        (our_time, our_memory), (their_time, their_memory) = row["ours"], row["theirs"]
        times = [seconds(our_time), seconds(their_time), f"{their_time / our_time:.2f}"]
        rows.append([str(row["tokens"]), *times, megabytes(our_memory), megabytes(their_memory)])
    titles = ["one sequence, fp32, tokens", "ours", "PyTorch", "ratio", "our peak memory"]
    return table([*titles, "PyTorch's"], rows) if rows else ""


def starts(session) -> str:
    rows = [
        [s["title"], seconds(s["median"]), seconds(min(s["seconds"])), str(len(s["seconds"]))]
        for s in session.starts
    ]
    return table(["start", "median", "fastest", "times"], rows) if rows else ""


def bars(session) -> str:
    rows = [[b["title"], b["found"], b["bar"], MET[b["met"]]] for b in session.bars]
    return table(["bar", "found", "wanted", "met"], rows) if rows else ""


def machine(session) -> str:
    info = Path("/proc/cpuinfo").read_text().splitlines()
    names = (line.split(":", 1)[1].strip() for line in info if "model name" in line)
    flags = [flag for flag in FLAGS if flag in cpu_flags()]
    total = Path("/proc/meminfo").read_text().split()[1]
    lines = [
        f"Machine: {next(names, 'unknown')}, {session.options.threads} threads on "
        f"{session.options.cores} cores, "
        f"{int(total) / 1e6:.0f} GB; {', '.join(flags) or 'no AVX2'}; {platform.platform()}.",
        "bf16 bars are judged." if session.judges_bf16 else "bf16 bars are not judged here.",
    ]
    used, cores = session.team.used, session.options.cores
    if used["wall"]:
        share = {k: v / (used["wall"] * cores) for k, v in used.items()}
        lines.append(
            f"While a worker was timed, it used {share['asked']:.0%} of the cores' time, idle "
            f"workers {share['idle workers']:.1%}, other processes {share['others']:.1%}, and the "
            f"hypervisor withheld {share['stolen']:.1%}."
        )
    for name, hello in session.versions.items():
        versions = ", ".join(f"{k} {v}" for k, v in hello.get("versions", {}).items())
        isa = f" ({hello['isa']})" if "isa" in hello else ""
        lines.append(f"{name}: {hello['name']}, {hello['threads']} threads; {versions}{isa}.")
    return "\n".join(f"- {line}" for line in lines)


def write(session) -> str:
    parts = [speeds, answers, rates, shares, errors, memory, lengths, starts, bars, machine]
    return "\n\n".join(text for part in parts if (text := part(session)))


def shortcomings(session) -> list[str]:
    """Titles of whatever was judged and falls short."""
    rows = [row["title"] for row in session.rows + session.bars if row["met"] is False]
    rows += [f"the same answer, {check.title}" for check in session.checks if not check.met]
    over = [row for row in session.memory if row["met"] is False]
    return rows + [f"log-probabilities, memory, {SHORT[row['precision']]}" for row in over]
