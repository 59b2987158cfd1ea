"""Do ours and theirs give the same answer? Each check is one line of the report."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

LOGITS = 1e-3  # absolute, fp32
RESIDUALS = 1e-3  # relative to the token's largest
LOSS = 1e-3  # nats, fp32; the second loss also holds the gradients and AdamW to account
LOSS_BF16 = 0.02
LOSS_LENS = 0.1  # bf16, of some 18: before training, lenses are far from what the model predicts
GAP = {"float32": 2 * LOGITS, "bfloat16": 0.25, "quantized": 0.25}  # nats, of a chosen token below the best


@dataclass(frozen=True)
class Check:
    title: str
    found: str
    wanted: str
    met: bool


def load(path: Path) -> np.ndarray:
    """An .npy file, or a safetensors file of one array, whatever the path is called."""
    with open(path, "rb") as file:
        start = file.read(6)
    if start == b"\x93NUMPY":
        return np.load(path, mmap_mode="r")
    from safetensors.numpy import load_file

    (array,) = load_file(path).values()
    return array


def errors(found: np.ndarray, expected: np.ndarray) -> tuple[float, float]:
    """Largest and root mean square difference, a row at a time: logits are 200 MB."""
    if found.shape != expected.shape:
        raise ValueError(f"Expected an array {expected.shape}, found {found.shape}.")
    rows, others = (a.reshape(-1, a.shape[-1]) for a in (found, expected))
    largest, total = 0.0, 0.0
    for row, other in zip(rows, others):
        difference = np.abs(row.astype(np.float64) - other)
        worst = difference.max()
        largest = max(largest, worst if worst == worst else np.inf)  # NaN is no agreement
        total += float((difference**2).sum())
    return float(largest), float(np.sqrt(total / found.size))


def same_logits(title: str, found: np.ndarray, expected: np.ndarray, limit=LOGITS) -> Check:
    largest, _ = errors(found, expected)
    return Check(title, f"differs by at most {largest:.1e}", f"{limit:.0e}", largest <= limit)


def near_logits(title: str, found: np.ndarray, expected: np.ndarray, limit=LOGITS) -> Check:
    """For products of fewer bits than fp32's: the root mean square instead of the largest."""
    worst, error = errors(found, expected)
    return Check(title, f"RMS error {error:.1e}, largest {worst:.1e}", f"RMS {limit:.0e}", error <= limit)


def no_worse(title: str, ours, theirs, reference, name: str) -> Check:
    """The root mean square decides: the largest of 50 million differences is one draw of luck."""
    our_worst, our_error = errors(ours, reference)
    their_worst, their_error = errors(theirs, reference)
    found = f"RMS error {our_error:.1e}, largest {our_worst:.1e}"
    wanted = f"{name}'s RMS {their_error:.1e} (largest {their_worst:.1e})"
    return Check(title, found, wanted, our_error <= their_error)


def same_residuals(title: str, found: np.ndarray, expected: np.ndarray, limit=RESIDUALS) -> Check:
    """Relative to each token's own largest value: the first token's is 22,000, others' are tens."""
    if found.shape != expected.shape:
        raise ValueError(f"Expected an array {expected.shape}, found {found.shape}.")
    worst = 0.0
    for block, other in zip(found, expected):
        scale = np.abs(other).max(axis=-1, keepdims=True)
        value = float((np.abs(block - other) / scale).max())
        worst = max(worst, value if value == value else np.inf)
    found = f"differs by at most {worst:.1e} of its token's largest"
    return Check(title, found, f"{limit:.0e}", worst <= limit)


def block_errors(found: np.ndarray, expected: np.ndarray) -> list[dict[str, float]]:
    """Of every block, the length of a token's difference over its residual's length."""
    if found.shape != expected.shape:
        raise ValueError(f"Expected an array {expected.shape}, found {found.shape}.")
    errors = []
    for block, other in zip(found, expected):
        exact = other.astype(np.float64)
        shares = np.linalg.norm(block - exact, axis=-1) / np.linalg.norm(exact, axis=-1)
        errors.append({"median": float(np.median(shares)), "largest": float(shares.max())})
    return errors


def same_losses(title: str, ours: list[float], theirs: list[float], limit: float) -> Check:
    # `all`, not the largest: Python's `max` passes over a NaN that is not first.
    met = len(ours) == len(theirs) > 0 and all(abs(a - b) <= limit for a, b in zip(ours, theirs))
    found = f"{', '.join(f'{x:.5f}' for x in ours)} against {', '.join(f'{x:.5f}' for x in theirs)}"
    return Check(title, found, f"{limit:.0e}", met)


def greedy(title: str, ours: list, theirs: list, name: str, precision: str) -> Check:
    """Each of our tokens has to be the best in PyTorch's fp32 logits, but for rounding's ties."""
    mine, other = (float(np.max(np.array(gaps))) for gaps in (ours, theirs))  # NaN if one is
    found = f"a token lies {mine:.1e} nats below the best ({name}: {other:.1e})"
    limit = float(np.fmax(GAP[precision], other))
    return Check(title, found, f"{limit:.1e}", mine <= limit)


def common_prefix(ours: list[list[int]], theirs: list[list[int]]) -> list[int]:
    """How many tokens agree from the start, row by row."""
    counts = []
    for a, b in zip(ours, theirs):
        differing = (i for i, (x, y) in enumerate(zip(a, b)) if x != y)
        counts.append(next(differing, min(len(a), len(b))))
    return counts


def write_sequences(path: Path, prompts: list[list[int]], ids: list[list[int]]) -> Path:
    path.write_text(json.dumps([prompt + new for prompt, new in zip(prompts, ids)]))
    return path


def self_test() -> None:
    """What has to be refused is refused: too large, NaN, of another shape."""
    import tempfile

    from safetensors.numpy import save_file

    right = np.array([[1.0, -2.0, 3.0], [4.0, 5.0, -6.0]], dtype=np.float32)
    near, far, broken = right + np.float32(5e-4), right.copy(), right.copy()
    far[1, 1] += 0.01
    broken[0, 2] = np.nan
    assert same_logits("", near, right).met
    assert not same_logits("", far, right).met
    assert not same_logits("", broken, right).met
    assert near_logits("", near, right).met
    assert not near_logits("", far, right).met
    assert not near_logits("", broken, right).met
    assert no_worse("", near, far, right, "").met
    assert not no_worse("", far, near, right, "").met
    assert not no_worse("", broken, far, right, "").met
    assert same_residuals("", near[None], right[None]).met
    assert not same_residuals("", far[None], right[None]).met
    assert not same_residuals("", broken[None], right[None]).met
    lengths = np.array([[[3.0, 4.0], [0.0, 1.0], [0.0, 2.0]]], dtype=np.float32)
    moved = lengths + np.array([[0.0, 0.0], [0.0, 0.5], [0.2, 0.0]], dtype=np.float32)
    (error,) = block_errors(moved, lengths)  # 0, 0.5 and 0.1 of the three tokens
    assert abs(error["median"] - 0.1) < 1e-6 and error["largest"] == 0.5, error
    moved[0, 0, 0] = np.nan
    assert all(np.isnan(value) for value in block_errors(moved, lengths)[0].values())
    assert same_losses("", [3.0, 2.0], [3.0001, 2.0001], LOSS).met
    assert not same_losses("", [3.0, 2.0], [3.0, 2.01], LOSS).met
    assert not same_losses("", [3.0, float("nan")], [3.0, 2.0], LOSS).met
    assert not same_losses("", [3.0], [3.0, 2.0], LOSS).met
    assert greedy("", [[0.0, 1e-3]], [[0.0, 0.0]], "", "float32").met
    assert not greedy("", [[0.0, 1e-2]], [[0.0, 0.0]], "", "float32").met
    assert greedy("", [[0.0, 1e-2]], [[0.0, 0.1]], "", "float32").met
    assert not greedy("", [[0.0, float("nan")]], [[0.0, 0.1]], "", "bfloat16").met
    assert common_prefix([[1, 2, 3], [4]], [[1, 2, 4], [4]]) == [2, 1]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "array.npy"
        np.save(path, right)
        assert np.array_equal(load(path), right)
        save_file({"logits": right}, str(path))
        assert np.array_equal(load(path), right)
    try:
        errors(right[:1], right)
    except ValueError:
        pass
    else:
        raise AssertionError("arrays of two shapes were compared")
    print("checks: refuse what is too far off, NaN and other shapes")
