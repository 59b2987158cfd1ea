"""What is measured against what, and the bars. To add a work, see README.md."""

from __future__ import annotations

from dataclasses import dataclass, field

FP32, BF16, FILE = "float32", "bfloat16", "quantized"
# Ours alone, where there is AMX: fp32's products as three in bf16, 16 of 24 bits. Shown beside the peers'
# fp32; since it is not fp32, no bar is judged by it.
BF16X3 = "bfloat16x3"
# Processors on which the bars of bf16 are judged.
BF16_FLAGS = {"avx512f", "avx512_bf16"}
SHORT = {FP32: "fp32", BF16: "bf16", FILE: "the file's weights", BF16X3: "bfloat16x3"}


@dataclass(frozen=True)
class Run:
    """One thing that one worker does, timed."""

    worker: str
    work: str
    precision: str
    tokens: str | None = None
    fields: dict = field(default_factory=dict)
    warm: dict = field(default_factory=dict)  # what the warm-up asks for instead


@dataclass(frozen=True)
class Bar:
    """`ours` and `theirs` name runs of a group; with several of theirs, the fastest counts.

    `at_least` bounds theirs / ours, how many times as fast ours is, from below; `at_most` bounds
    ours / theirs from above. Neither: the row is for information.
    """

    title: str
    ours: str
    theirs: str | tuple[str, ...]
    at_least: float | None = None
    at_most: float | None = None
    needs_bf16: bool = False


@dataclass(frozen=True)
class Group:
    """Runs that take turns, in a new random order every round."""

    name: str
    title: str
    runs: dict[str, Run]
    bars: list[Bar]
    seconds: float  # of one round on two slow cores, for the time that is left


def forward(precision: str, least: float, has_amx: bool = False) -> Group:
    short, bf16 = SHORT[precision], precision == BF16
    whole = f"forward with logits, 4×256, {short}"
    runs = {
        "ours": Run("ours", "forward", precision, "forward"),
        "theirs": Run("pytorch", "forward", precision, "forward"),
        "our matmuls": Run("ours", "matmul", precision, fields={"rows": 1024}),
        "their matmuls": Run("pytorch", "matmul", precision, fields={"rows": 1024}),
    }
    if has_amx:
        runs["x3"] = Run("ours", "forward", BF16X3, "forward")
    return Group(
        "forward",
        f"forward {short}",
        runs,
        [
            Bar(f"{whole}: PyTorch", "ours", "theirs", at_least=least, needs_bf16=bf16),
            Bar(
                f"{whole}: its matmuls alone",
                "ours",
                ("our matmuls", "their matmuls"),
                at_most=1.3,
                needs_bf16=bf16,
            ),
            Bar(f"its matmuls alone, {short}: PyTorch's", "our matmuls", "their matmuls"),
        ]
        + in_parts(runs, f"{whole}: PyTorch"),
        seconds=2.5 if bf16 else 9,
    )


def in_parts(runs: dict[str, Run], title: str) -> list[Bar]:
    """The same comparison of products in parts, where they run."""
    title = title.replace(SHORT[FP32], SHORT[BF16X3], 1)
    return [Bar(f"{title} fp32", "x3", "theirs")] if "x3" in runs else []


def capture() -> Group:
    return Group(
        "capture",
        "capture",
        {
            "plain": Run("ours", "forward", FP32, "forward"),
            "ours": Run("ours", "capture", FP32, "forward"),
            "theirs": Run("lens", "capture", FP32, "forward"),
        },
        [
            Bar("resid_post of all blocks, fp32: plain forward", "ours", "plain", at_most=1.1),
            Bar("resid_post of all blocks, fp32: TransformerLens", "ours", "theirs", at_least=2.0),
        ],
        seconds=8,
    )


def lora_step(precision: str, least: float, has_amx: bool = False) -> Group:
    short, bf16 = SHORT[precision], precision == BF16
    title = f"LoRA step, r=16, 4×256, {short}: PEFT"
    runs = {
        "ours": Run("ours", "lora_step", precision, "forward"),
        "theirs": Run("pytorch", "lora_step", precision, "forward"),
    }
    if has_amx:
        runs["x3"] = Run("ours", "lora_step", BF16X3, "forward")
    return Group(
        "lora_step",
        f"LoRA step {short}",
        runs,
        [Bar(title, "ours", "theirs", at_least=least, needs_bf16=bf16)]
        + in_parts(runs, title),
        seconds=7 if bf16 else 13,
    )


def lens_step() -> Group:
    """A step of training tuned lenses for all layers, as the package trains them on a GPU: in bf16."""
    runs = {
        "ours": Run("ours", "lens_step", BF16, "forward"),
        "theirs": Run("tuned-lens", "lens_step", BF16, "forward"),
    }
    title = "tuned lens step, all layers, 4×256, bf16: tuned-lens"
    bars = [Bar(title, "ours", "theirs", at_least=3.0, needs_bf16=True)]
    return Group("lens_step", "tuned lens step bf16", runs, bars, seconds=50)


def decode(batch: int, precision: str) -> Group:
    """Batch 1 against llama.cpp on the file, batch 32 against transformers in bf16."""
    tokens, long, short = f"decode{batch}", {"new_tokens": 128}, {"new_tokens": 8}
    ours = Run("ours", "decode", precision, tokens, long, short)
    llama = Run("llama", "decode", "file", tokens, long, short)
    torch = Run("pytorch", "decode", BF16, tokens, long, short)
    if batch == 1:
        bars = [Bar("greedy decoding of 128, batch 1: llama.cpp", "ours", "llama", at_least=1.2)]
        runs = {"ours": ours, "llama": llama}
    else:
        title = f"greedy decoding of 128, batch {batch}: "
        bars = [
            Bar(title + "transformers bf16", "ours", "torch", at_least=3.0, needs_bf16=True),
            Bar(title + "llama.cpp", "ours", "llama"),
        ]
        runs = {"ours": ours, "torch": torch, "llama": llama}
    return Group("decode", f"decode, batch {batch}", runs, bars, seconds=5 if batch == 1 else 38)


def prefill(precision: str) -> Group:
    return Group(
        "prefill",
        "prefill",
        {
            "ours": Run("ours", "prefill", precision, "prefill"),
            "theirs": Run("llama", "prefill", "file", "prefill"),
        },
        [Bar("prefill of 500 tokens: llama.cpp", "ours", "theirs", at_least=2.0)],
        seconds=1.2,
    )


def groups(file_precision: str, has_amx: bool) -> list[Group]:
    """All comparisons of speed. `file_precision`: of our products with the weights of the file."""
    return [
        forward(FP32, 1.8, has_amx),
        forward(BF16, 1.25),
        capture(),
        lora_step(FP32, 2.0, has_amx),
        lora_step(BF16, 1.3),
        lens_step(),
        decode(1, file_precision),
        decode(32, file_precision),
        prefill(file_precision),
    ]


# Bars that are not ratios. Bytes are beyond the weights; seconds are medians.
LOGPROBS_BYTES = 200e6
HELP_SECONDS = 0.05
READY_SECONDS = 0.5
# Memory for 4,096 tokens less that for 2,048, over that for 2,048 less that for 1,024: 2 if memory
# is linear in the length, 4 if it is quadratic.
GROWTH = 2.5
GROWTH_SLACK_BYTES = 16e6

WORKS = ["forward", "capture", "lora_step", "lens_step", "decode", "prefill"]
WORKS += ["error", "logprobs", "length", "start"]
