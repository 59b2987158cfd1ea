"""One run of the benchmark: the groups in turn, their checks, and what one worker does alone."""

from __future__ import annotations

import json
import random
import statistics
import sys
import time
from pathlib import Path

import alone
import checks
import works
from checks import Check
from intervals import Ratio, ratio
from workers import Team
from works import BF16_FLAGS, BF16X3, FP32, SHORT, Bar, Group, Run

COMPARED = ["forward", "capture", "prefill"]  # works whose output is written in the warm-up
OTHER_SECONDS = {"error": 40, "logprobs": 75, "length": 60, "start": 35}  # on two slow cores


class Session:
    def __init__(self, team: Team, data: Path, scratch: Path, options, flags: set[str]):
        self.team, self.data, self.scratch, self.options = team, data, scratch, options
        self.judges_bf16 = BF16_FLAGS <= flags
        self.has_amx = "amx_bf16" in flags
        self.described = json.loads((data / "described.json").read_text())
        self.random = random.Random(options.seed)
        self.rows, self.checks, self.bars = [], [], []
        self.rates, self.errors, self.memory, self.lengths, self.starts = {}, [], [], [], []
        self.bandwidth, self.raw = None, {}
        self.trouble: Exception | None = None
        self.versions: dict = {}
        self.began, self.nominal_done = time.perf_counter(), 0.0
        every = works.groups(options.file_precision, self.has_amx)
        self.groups = [g for g in every if g.name in options.only]
        self.others = [name for name in OTHER_SECONDS if name in options.only]
        rounds = options.pairs + 1.5  # the warm-up, and the comparison of the answers
        self.nominal = {g.title: g.seconds * rounds for g in self.groups}
        self.nominal |= {name: OTHER_SECONDS[name] for name in self.others}

    # --- In order ---------------------------------------------------------------------------

    def run(self) -> None:
        for group in self.groups:
            self.run_group(group)
            self.nominal_done += self.nominal[group.title]
        self.measure_bandwidth()
        self.versions = {name: self.team[name].ask("hello") for name in self.team.started("ours")}
        # From here on every worker is alone: memory is measured, and fresh starts.
        self.team.close()
        for name in self.others:
            self.say(name)
            getattr(alone, name)(self)
            self.nominal_done += self.nominal[name]

    def say(self, what: str, within: float = 0.0) -> None:
        """To standard error, with the time left by what has passed against what was expected."""
        passed, done = time.perf_counter() - self.began, self.nominal_done + within
        scale = passed / done if done > 20 else 1.0
        left = scale * (sum(self.nominal.values()) - done)
        print(f"[{clock(passed)}, about {clock(left)} left] {what}", file=sys.stderr, flush=True)

    def tokens(self, name: str) -> str:
        return str(self.data / "tokens" / f"{name}.json")

    def fields(self, run: Run, more: dict | None = None) -> dict:
        fields = {"precision": run.precision} | run.fields | (more or {})
        return fields | ({"tokens": self.tokens(run.tokens)} if run.tokens else {})

    # --- Groups -----------------------------------------------------------------------------

    def run_group(self, group: Group) -> None:
        self.say(f"{group.title}: warming up")
        warm = {key: self.warm_up(group, key, run) for key, run in group.runs.items()}
        self.agree(group, warm)
        seconds, answers, order = {key: [] for key in group.runs}, {}, []
        for number in range(self.options.pairs):
            within = group.seconds * (number + 1.5)
            self.say(f"{group.title}: round {number + 1} of {self.options.pairs}", within)
            for key in self.shuffled(group):
                run = group.runs[key]
                answers[key] = self.team.timed(run.worker, run.work, **self.fields(run))
                seconds[key] += answers[key]["seconds"]
                order.append(key)
        self.raw[group.title] = {"seconds": seconds, "order": order}
        self.judge(group, seconds)
        if group.name == "forward":
            precision = group.runs["ours"].precision
            self.rates[precision] = {k: (seconds[k], answers[k]) for k in seconds if "matmuls" in k}
        if group.name == "decode":
            self.agree_decode(group, answers)

    def shuffled(self, group: Group) -> list[str]:
        return self.random.sample(list(group.runs), len(group.runs))

    def output(self, group: Group, key: str) -> Path:
        return self.scratch / f"{group.title}.{key}.npy".replace(" ", "-")

    def warm_up(self, group: Group, key: str, run: Run) -> dict:
        """Not counted. It also gives the answers that are compared."""
        more = dict(run.warm)
        if run.work in COMPARED:
            more["output"] = str(self.output(group, key))
        if run.work == "lora_step":
            more |= {"adapter": str(self.data / "adapter"), "repeats": 2}
        if run.work == "lens_step":
            more |= {"fresh": True, "repeats": 2}
        return self.team[run.worker].ask(run.work, **self.fields(run, more))

    def judge(self, group: Group, seconds: dict[str, list[float]]) -> None:
        for bar in group.bars:
            names = [bar.theirs] if isinstance(bar.theirs, str) else list(bar.theirs)
            theirs = min((seconds[name] for name in names), key=statistics.median)
            ours = seconds[bar.ours]
            inverted = bar.at_most is not None
            found = ratio(ours, theirs) if inverted else ratio(theirs, ours)
            self.rows.append(
                {
                    "title": bar.title,
                    "ours": statistics.median(ours),
                    "theirs": statistics.median(theirs),
                    "ratio": [found.centre, found.low, found.high],
                    "group": group.title,
                }
                | self.verdict(bar, found)
            )

    def verdict(self, bar: Bar, found: Ratio) -> dict:
        """The whole interval has to be on the bar's side."""
        if bar.at_most is not None:
            text, met = f"at most {bar.at_most:g}", found.high <= bar.at_most
        elif bar.at_least is not None:
            text, met = f"at least {bar.at_least:g}", found.low >= bar.at_least
        else:
            return {"bar": None, "met": None}
        if bar.needs_bf16 and not self.judges_bf16:
            return {"bar": f"{text} (not judged here)", "met": None}
        return {"bar": text, "met": met}

    # --- The same answers -------------------------------------------------------------------

    def agree(self, group: Group, warm: dict[str, dict]) -> None:
        if group.name in COMPARED:
            arrays = {
                key: checks.load(self.output(group, key))
                for key, run in group.runs.items()
                if run.work in COMPARED
            }
            self.checks += getattr(self, f"agree_{group.name}")(group, arrays)
            for path in self.scratch.iterdir():
                path.unlink()
        elif group.name in ["lora_step", "lens_step"]:
            self.checks += self.agree_losses(group, warm)

    def agree_forward(self, group: Group, arrays: dict) -> list[Check]:
        if group.runs["ours"].precision == FP32:
            theirs = arrays["theirs"]
            found = [checks.same_logits("forward fp32: PyTorch", arrays["ours"], theirs)]
            if "x3" in arrays:
                title = f"forward {SHORT[BF16X3]}: PyTorch fp32"
                found.append(checks.near_logits(title, arrays["x3"], theirs))
            return found
        title = "forward bf16: error against PyTorch fp32"
        expected = self.reference("forward", "forward")
        ours, theirs = arrays["ours"], arrays["theirs"]
        return [checks.no_worse(title, ours, theirs, expected, "PyTorch bf16")]

    def agree_capture(self, group: Group, arrays: dict) -> list[Check]:
        title = "resid_post of all blocks: TransformerLens"
        lens = self.scratch / "lens.npy"
        fields = {"tokens": self.tokens("forward"), "output": str(lens), "precision": FP32}
        self.team["lens"].ask("forward", **fields)
        logits = "capture's plain forward: TransformerLens"
        return [
            checks.same_residuals(title, arrays["ours"], arrays["theirs"]),
            checks.same_logits(logits, arrays["plain"], checks.load(lens)),
        ]

    def agree_prefill(self, group: Group, arrays: dict) -> list[Check]:
        title = f"prefill {SHORT[group.runs['ours'].precision]}: error against PyTorch fp32"
        expected = self.reference("prefill", "prefill").reshape(1, -1)
        ours, theirs = (arrays[key].reshape(1, -1) for key in ["ours", "theirs"])
        return [checks.no_worse(title, ours, theirs, expected, "llama.cpp")]

    def reference(self, work: str, tokens: str):
        path = self.scratch / "reference.npy"
        fields = {"tokens": self.tokens(tokens), "output": str(path), "precision": FP32}
        self.team["pytorch"].ask(work, **fields)
        return checks.load(path)

    def agree_losses(self, group: Group, warm: dict) -> list[Check]:
        limit = checks.LOSS if group.runs["ours"].precision == FP32 else checks.LOSS_BF16
        limit = checks.LOSS_LENS if group.name == "lens_step" else limit
        return [
            checks.same_losses(
                f"{group.name.replace('_', ' ')} {SHORT[group.runs[key].precision]}: "
                "the first two losses",
                warm[key]["losses"],
                warm["theirs"]["losses"],
                limit,
            )
            for key in ["ours", "x3"]
            if key in warm
        ]

    def agree_decode(self, group: Group, answers: dict) -> None:
        """By PyTorch's fp32 logits, on up to 8 rows: 128 tokens of 32 take too long."""
        prompts = json.loads(Path(self.tokens(group.runs["ours"].tokens)).read_text())[:8]
        ids = {key: answer["ids"][:8] for key, answer in answers.items()}
        other, name = next(
            (key, name)
            for key, name in [("torch", "transformers bf16"), ("llama", "llama.cpp")]
            if key in ids
        )
        path, gaps = self.scratch / "sequences.json", {}
        for key in ["ours", other]:
            checks.write_sequences(path, prompts, ids[key])
            fields = {"tokens": str(path), "prompt": len(prompts[0])}
            gaps[key] = self.team["pytorch"].ask("choices", **fields)["gaps"]
        same = checks.common_prefix(ids["ours"], ids[other])
        title = f"{group.title}: tokens are greedy by PyTorch fp32"
        precision = group.runs["ours"].precision
        found = checks.greedy(title, gaps["ours"], gaps[other], name, precision)
        self.checks.append(found)
        self.raw[group.title]["common prefix of 128"] = same


    def measure_bandwidth(self) -> None:
        self.say("memory bandwidth")
        answer = self.team["pytorch"].ask("bandwidth", bytes=1 << 30, repeats=9)
        self.bandwidth = answer["bytes"] / min(answer["seconds"])


def clock(seconds: float) -> str:
    return f"{int(max(0, seconds)) // 60}:{int(max(0, seconds)) % 60:02d}"
