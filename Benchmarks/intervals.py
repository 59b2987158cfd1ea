"""Ratios over pairs, with their intervals. Standard library only."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass

CONFIDENCE = 0.90


@dataclass(frozen=True)
class Ratio:
    centre: float
    low: float
    high: float


def ratio(above: list[float], below: list[float], confidence: float = CONFIDENCE) -> Ratio:
    """Geometric mean of above/below over the pairs, and Student's t interval on the logarithms.

    Pairs, because noise that lasts longer than a pair cancels within it; logarithms, because then
    it does not matter which of the two is called above. One pair has no interval: 0 to infinity.
    """
    if len(above) != len(below) or not above:
        raise ValueError(f"Expected pairs, found {len(above)} and {len(below)} times.")
    logs = [math.log(a / b) for a, b in zip(above, below)]
    centre = statistics.fmean(logs)
    if len(logs) == 1:
        return Ratio(math.exp(centre), 0.0, math.inf)
    reach = t_quantile((1 + confidence) / 2, len(logs) - 1)
    reach *= statistics.stdev(logs) / math.sqrt(len(logs))
    return Ratio(math.exp(centre), math.exp(centre - reach), math.exp(centre + reach))


def t_quantile(probability: float, freedom: int) -> float:
    """Of Student's t distribution, for probabilities above one half, by bisection."""
    low, high = 0.0, 1e3
    for _ in range(80):
        middle = (low + high) / 2
        if t_cumulative(middle, freedom) < probability:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def t_cumulative(t: float, freedom: int) -> float:
    """Student's t distribution function for t >= 0.

    The closed form for whole degrees of freedom: Abramowitz and Stegun, 26.7.3 and 26.7.4.
    """
    angle = math.atan(t / math.sqrt(freedom))
    cosine2 = math.cos(angle) ** 2
    if freedom % 2 == 1:
        term = math.cos(angle) if freedom > 1 else 0.0
        first, total = 3, term
        inside = angle
    else:
        term = total = 1.0
        first, inside = 2, 0.0
    for k in range(first, freedom - 1, 2):
        term *= cosine2 * (k - 1) / k
        total += term
    if freedom % 2 == 1:
        return 0.5 + (inside + math.sin(angle) * total) / math.pi
    return 0.5 + math.sin(angle) * total / 2


def self_test() -> None:
    """Against printed tables, a case worked out by hand, and simulated coverage."""
    import random

    tables = {(0.95, 1): 6.314, (0.95, 2): 2.920, (0.95, 3): 2.353, (0.95, 6): 1.943}
    tables |= {(0.95, 7): 1.895, (0.975, 10): 2.228, (0.99, 30): 2.457, (0.95, 120): 1.658}
    for (probability, freedom), expected in tables.items():
        found = t_quantile(probability, freedom)
        assert abs(found - expected) < 6e-4, (probability, freedom, expected, found)
    # Logarithms 0 and ln 4: mean ln 2, standard error ln 2, so the reach is 6.3138 ln 2.
    by_hand = ratio([1.0, 4.0], [1.0, 1.0])
    assert abs(by_hand.centre - 2) < 1e-12
    assert abs(by_hand.high - 2 ** (1 + 6.313752)) < 1e-3, by_hand
    assert abs(by_hand.low - 2 ** (1 - 6.313752)) < 1e-5, by_hand
    assert ratio([3.0] * 7, [2.0] * 7) == Ratio(*[math.exp(math.log(1.5))] * 3)
    there, back = ratio([1.0, 2.0, 4.0], [3.0, 5.0, 7.0]), ratio([3.0, 5.0, 7.0], [1.0, 2.0, 4.0])
    assert abs(there.low * back.high - 1) < 1e-12
    draw, covered, rounds = random.Random(5), 0, 4000
    for _ in range(rounds):
        slow = [1.8 * math.exp(draw.gauss(0, 0.1)) for _ in range(7)]
        found = ratio(slow, [math.exp(draw.gauss(0, 0.1)) for _ in range(7)])
        covered += found.low <= 1.8 <= found.high
    assert abs(covered / rounds - CONFIDENCE) < 0.02, covered / rounds
    try:
        ratio([1.0], [1.0, 2.0])
    except ValueError:
        pass
    else:
        raise AssertionError("unequal lists were taken for pairs")
    print(f"intervals: as tabulated; 90 % intervals held the truth {covered / rounds:.1%} of times")


if __name__ == "__main__":
    self_test()
