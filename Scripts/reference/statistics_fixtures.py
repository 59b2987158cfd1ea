"""Records what SciPy, scikit-learn, statsmodels and R compute, for StatisticsTests.

    python statistics_fixtures.py Tests/StatisticsTests/Fixtures

Needs mpmath, numpy, scipy, scikit-learn and statsmodels, and Rscript with pROC and survey (Debian:
r-cran-proc, r-cran-survey). Writes statistics.json, which names every version and the seed.
The generator below is xoshiro256** written anew, so that the recorded bootstrap intervals check
Plumbline's random draws too.
"""

from __future__ import annotations

import csv
import json
import math
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

import mpmath
import numpy as np
import scipy
import sklearn
import statsmodels
from scipy import optimize, special, stats
from sklearn.metrics import roc_auc_score, roc_curve
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.weightstats import ttost_paired

SEED = 20261122
MASK = (1 << 64) - 1


def mix(value: int) -> int:
    z = (value + 0x9E3779B97F4A7C15) & MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


def fnv1a64(text: str) -> int:
    value = 0xCBF29CE484222325
    for byte in text.encode():
        value = ((value ^ byte) * 0x100000001B3) & MASK
    return value


class Generator:
    """xoshiro256** filled by SplitMix64, with bounded draws after Lemire."""

    def __init__(self, seed: int, stream: str):
        seed = mix((mix(seed) + fnv1a64(stream)) & MASK)
        self.s = [mix((seed + k * 0x9E3779B97F4A7C15) & MASK) for k in range(4)]

    def next(self) -> int:
        def rotated(x, k):
            return ((x << k) | (x >> (64 - k))) & MASK

        s = self.s
        result = (rotated((s[1] * 5) & MASK, 7) * 9) & MASK
        shifted = (s[1] << 17) & MASK
        s[2] ^= s[0]
        s[3] ^= s[1]
        s[1] ^= s[2]
        s[0] ^= s[3]
        s[2] ^= shifted
        s[3] = rotated(s[3], 45)
        return result

    def uniform(self) -> float:
        return (self.next() >> 11) * 2.0**-53

    def normal(self) -> float:
        return float(special.ndtri(((self.next() >> 12) + 0.5) * 2.0**-52))

    def below(self, bound: int) -> int:
        rejected = (2**64 - bound) % bound
        while True:
            product = self.next() * bound
            if (product & MASK) >= rejected:
                return product >> 64


def draws() -> dict:
    g = Generator(SEED, "draws")
    return {
        "seed": SEED,
        "stream": "draws",
        "uniform": [g.uniform() for _ in range(20)],
        "normal": [g.normal() for _ in range(20)],
        "below": [[b, g.below(b)] for b in [1, 2, 3, 10, 1000, 2**40, 3 * 2**61] * 8],
    }


def exact_beta(a, b, x, y) -> tuple:
    """I_x(a, b) and its complement to some 35 digits, by the textbook continued fraction."""
    if x > (a + 1) / (a + b + 2):
        return exact_beta(b, a, y, x)[::-1]
    d = 1 / (1 - (a + b) * x / (a + 1))
    c, fraction = mpmath.mpf(1), d
    for m in range(1, 1_000_000):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d, c = 1 / (1 + term * d), 1 + term / c
            fraction *= c * d
        if abs(c * d - 1) < mpmath.mpf(10) ** -45:
            break
    logarithm = a * mpmath.log(x) + b * mpmath.log(y) - mpmath.log(a)
    logarithm += mpmath.loggamma(a + b) - mpmath.loggamma(a) - mpmath.loggamma(b)
    lower = mpmath.exp(logarithm) * fraction
    return lower, 1 - lower


def beta_pair(a, b, x) -> list:
    a, b, x = map(mpmath.mpf, (a, b, x))
    return [float(v) for v in exact_beta(a, b, x, 1 - x)]


def t_pair(df, t) -> list:
    df, t = mpmath.mpf(df), mpmath.mpf(t)
    if t == 0:
        return [0.5, 0.5]
    tail = exact_beta(df / 2, mpmath.mpf(0.5), df / (df + t * t), t * t / (df + t * t))[0] / 2
    return [float(v) for v in ((tail, 1 - tail) if t < 0 else (1 - tail, tail))]


def polished(start: float, error, density) -> float:
    """SciPy's quantile after Newton steps at 50 digits."""
    x = mpmath.mpf(start)
    for _ in range(4):
        x -= error(x) / density(x)
    return float(x)


def beta_quantile(a, b, p) -> float:
    a, b, p = map(mpmath.mpf, (a, b, p))
    scale = mpmath.exp(mpmath.loggamma(a + b) - mpmath.loggamma(a) - mpmath.loggamma(b))
    return polished(
        float(special.betaincinv(float(a), float(b), float(p))),
        lambda x: exact_beta(a, b, x, 1 - x)[0] - p,
        lambda x: scale * x ** (a - 1) * (1 - x) ** (b - 1),
    )


def t_quantile(df, p) -> float:
    if p == 0.5:
        return 0.0
    v, p = mpmath.mpf(df), mpmath.mpf(p)
    scale = mpmath.exp(mpmath.loggamma((v + 1) / 2) - mpmath.loggamma(v / 2))
    scale /= mpmath.sqrt(v * mpmath.pi)
    half = mpmath.mpf(0.5)

    def error(t):
        tail = exact_beta(v / 2, half, v / (v + t * t), t * t / (v + t * t))[0] / 2
        return (tail if t < 0 else 1 - tail) - p

    return polished(
        float(special.stdtrit(df, float(p))), error,
        lambda t: scale * (1 + t * t / v) ** (-(v + 1) / 2),
    )  # fmt: skip


def agrees_with_scipy(rows: list, count: int, function, rtol: float) -> None:
    """Fails where SciPy and the 50 digits tell of different functions, not of rounding."""
    for row in rows:
        theirs = float(function(*row[:count]))
        assert math.isclose(theirs, row[count], rel_tol=rtol, abs_tol=1e-300), (row, theirs)


def distributions() -> dict:
    """References to 50 digits: SciPy's t cdf near 0 and some tails are off by 1e-9."""
    mpmath.mp.dps = 50
    xs = [-37, -20, -8.3, -3, -1, -0.1, -1e-9, 0, 0.5, 1.96, 5, 9]
    ps = [1e-300, 1e-100, 1e-20, 1e-9, 0.001, 0.025, 0.075, 0.2, 0.5, 0.6, 0.93, 0.975, 0.9999]
    ps += [1 - 1e-12]
    shapes = [0.01, 0.5, 1, 2, 7.3, 41, 999, 1e5, 1e7]
    beta_cdf, beta_quantiles = [], []
    for a in shapes:
        for b in shapes:
            mean, sd = a / (a + b), math.sqrt(a * b / (a + b + 1)) / (a + b)
            for x in [mean - 3 * sd, mean - sd / 2, mean, mean + 2 * sd, 0.01, 0.5, 0.99]:
                if 0 < x < 1:
                    beta_cdf.append([a, b, x, *beta_pair(a, b, x)])
            for p in [1e-6, 0.025, 0.3, 0.5, 0.975]:
                # Below the smallest normal number nothing is left to compare.
                if 1e-290 < special.betaincinv(a, b, p) < 1:
                    beta_quantiles.append([a, b, p, beta_quantile(a, b, p)])
    degrees = [0.5, 1, 2, 3.7, 10, 99, 1e4, 1e7]
    ts = [-40, -5, -1.5, -0.01, 0, 1e-8, 0.7, 2, 12]
    t_cdf = [[df, t, *t_pair(df, t)] for df in degrees for t in ts]
    tails = [1e-10, 0.005, 0.025, 0.3, 0.5, 0.50001, 0.9, 0.975, 0.9995]
    t_quantiles = [[df, p, t_quantile(df, p)] for df in degrees for p in tails]
    normal_quantile = [
        [p, polished(special.ndtri(p), lambda z: mpmath.ncdf(z) - mpmath.mpf(p), mpmath.npdf)]
        for p in ps
    ]
    agrees_with_scipy(beta_cdf, 3, special.betainc, 1e-7)
    agrees_with_scipy(beta_quantiles, 3, special.betaincinv, 1e-9)
    agrees_with_scipy(t_cdf, 2, lambda df, t: stats.t.cdf(t, df), 1e-7)
    agrees_with_scipy(t_quantiles, 2, special.stdtrit, 1e-9)
    agrees_with_scipy(normal_quantile, 1, special.ndtri, 1e-13)
    return {
        "normal_cdf": [[x, float(mpmath.ncdf(x)), float(mpmath.ncdf(-x))] for x in xs],
        "normal_quantile": normal_quantile,
        "beta_cdf": beta_cdf,
        "beta_quantile": beta_quantiles,
        "t_cdf": t_cdf,
        "t_quantile": t_quantiles,
    }


def clopper_pearson() -> list:
    counts = [(0, 1), (1, 1), (0, 2), (1, 2), (2, 2), (0, 30), (3, 30), (29, 30), (30, 30)]
    counts += [(1, 1000), (500, 1000), (999, 1000), (0, 10**6), (17, 10**6), (10**6 - 1, 10**6)]
    counts += [(123456, 10**7), (5 * 10**8, 10**9), (1, 10**9)]
    sides = {"both": "two-sided", "lower": "greater", "upper": "less"}
    rows = []
    for k, n in counts:
        for level in [0.5, 0.9, 0.95, 0.999]:
            for side, alternative in sides.items():
                # As scipy's binomtest(...).proportion_ci(method="exact") where n is small: its
                # p-value would walk through 1e9 outcomes, its upper end there is off by 1e-8.
                tail = (1 - level) / 2 if side == "both" else 1 - level
                low, high = 0.0, 1.0
                if k > 0 and side != "upper":
                    low = beta_quantile(k, n - k + 1, tail)
                if k < n and side != "lower":
                    high = beta_quantile(k + 1, n - k, 1 - mpmath.mpf(tail))
                if n <= 1000:
                    ci = stats.binomtest(k, n, alternative=alternative).proportion_ci(level)
                    assert math.isclose(ci.low, low, rel_tol=1e-9, abs_tol=1e-12), (k, n)
                    assert math.isclose(ci.high, high, rel_tol=1e-9), (k, n)
                numbers = [k, n, level, float(low), float(high)]
                rows.append({"side": side, "k_n_level_low_high": numbers})
    return rows


def samples(rng: np.random.Generator) -> dict:
    """Named (scores, labels); `continuous` and `second` share labels, as do `tied` and `coarse`."""
    labels = (rng.random(120) < 0.4).astype(int)
    latent = rng.normal(size=120) + 0.8 * labels
    other = 0.5 * latent + rng.normal(size=120)
    return {
        "continuous": (latent, labels),
        "second": (other, labels),
        "tied": (np.round(latent), labels),
        "coarse": ((other > 0.3).astype(float), labels),
        "all_equal": (np.full(120, 0.25), labels),
        "separated": (labels + 0.1 * rng.random(120), labels),
        "reversed": (-labels - 0.1 * rng.random(120), labels),
        "two_and_two": (np.array([0.1, 0.4, 0.35, 0.8]), np.array([0, 0, 1, 1])),
        "one_and_one_tied": (np.array([1.0, 1.0]), np.array([0, 1])),
        "huge_and_tiny": (np.exp(40 * latent), labels),
        "unbalanced": (rng.normal(size=600), (np.arange(600) % 200 == 0).astype(int)),
    }


R_PROGRAM = """
suppressMessages(library(pROC))
data <- read.csv(commandArgs(TRUE)[1])
say <- function(...) cat(sprintf("%s,%s,%.17g\\n", ...), sep = "")
curve <- function(name) {
  d <- data[data$name == name, ]
  roc(d$label, d$score, levels = c(0, 1), direction = "<", quiet = TRUE)
}
for (name in unique(data$name)) {
  r <- curve(name)
  say(name, "auroc", as.numeric(auc(r)))
  if (min(table(r$original.response)) < 2) next
  say(name, "variance", var(r, method = "delong"))
  for (level in c(0.9, 0.95)) {
    ci <- suppressWarnings(ci.auc(r, method = "delong", conf.level = level))
    say(name, paste0("lower", level), ci[1])
    say(name, paste0("upper", level), ci[3])
  }
}
for (pair in list(c("continuous", "second"), c("tied", "coarse"), c("continuous", "tied"))) {
  t <- roc.test(curve(pair[1]), curve(pair[2]), method = "delong", paired = TRUE)
  name <- paste(pair, collapse = ":")
  say(name, "z", t$statistic)
  say(name, "p", t$p.value)
  say(name, "lower", t$conf.int[1])
  say(name, "upper", t$conf.int[2])
}
cat("version,pROC,", as.character(packageVersion("pROC")), "\\n", sep = "")
cat("version,R,", as.character(getRversion()), "\\n", sep = "")
"""


def run_r(program: str, header: list, rows: list) -> list:
    with tempfile.TemporaryDirectory() as folder:
        table, script = Path(folder, "data.csv"), Path(folder, "program.R")
        with table.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(header)
            writer.writerows(rows)
        script.write_text(program)
        output = subprocess.run(
            ["Rscript", "--vanilla", script, table], check=True, capture_output=True, text=True
        ).stdout
    return [line.split(",") for line in output.splitlines()]


def roc_section(rng: np.random.Generator, versions: dict) -> dict:
    named = samples(rng)
    rows = [
        [name, repr(float(s)), int(y)] for name, (ss, ys) in named.items() for s, y in zip(ss, ys)
    ]
    recorded: dict = {}
    for name, key, value in run_r(R_PROGRAM, ["name", "score", "label"], rows):
        if name == "version":
            versions[key] = value
        else:
            recorded.setdefault(name, {})[key] = float(value)
    result = {"samples": [], "pairs": []}
    for name, (scores, labels) in named.items():
        fpr, tpr, thresholds = roc_curve(labels, scores, drop_intermediate=False)
        entry = {
            "name": name,
            "scores": scores.tolist(),
            "labels": labels.tolist(),
            "fpr": fpr.tolist(),
            "tpr": tpr.tolist(),
            "thresholds": thresholds[1:].tolist(),  # the first is infinity
            "auroc": float(roc_auc_score(labels, scores)),
            "tpr_at_fpr": [[f, float(tpr[fpr <= f].max())] for f in [0, 0.01, 0.1, 0.5, 1]],
            "pROC": recorded[name],
        }
        assert math.isclose(entry["auroc"], recorded[name]["auroc"], abs_tol=1e-12), name
        result["samples"].append(entry)
    for name, values in recorded.items():
        if ":" in name:
            first, second = name.split(":")
            result["pairs"].append({"first": first, "second": second, **values})
    return result


def obuchowski(scores, labels, clusters) -> float:
    """The clustered variance by Obuchowski 1997, from all pairs and without ranks."""
    x, y = scores[labels == 1], scores[labels == 0]
    kernel = (x[:, None] > y[None, :]) + 0.5 * (x[:, None] == y[None, :])
    area = kernel.mean()
    v10, v01 = kernel.mean(axis=1) - area, kernel.mean(axis=0) - area
    cx, cy = clusters[labels == 1], clusters[labels == 0]
    ids = np.unique(clusters)
    sum10 = np.array([v10[cx == c].sum() for c in ids])
    sum01 = np.array([v01[cy == c].sum() for c in ids])
    i10, i01, i = len(np.unique(cx)), len(np.unique(cy)), len(ids)
    m, n = len(x), len(y)
    s10 = i10 / ((i10 - 1) * m) * (sum10**2).sum()
    s01 = i01 / ((i01 - 1) * n) * (sum01**2).sum()
    s11 = i / (i - 1) * (sum10 * sum01).sum()
    return float(s10 / m + s01 / n + 2 * s11 / (m * n))


def resampled_counts(cluster_count: int, replicates: int, seed: int):
    g = Generator(seed, "cluster-bootstrap")
    for _ in range(replicates):
        counts = np.zeros(cluster_count, dtype=int)
        for _ in range(cluster_count):
            counts[g.below(cluster_count)] += 1
        yield counts


def bootstrap_section(rng: np.random.Generator) -> list:
    result = []
    for name, cluster_count, size, mixed in [("mixed", 25, 6, True), ("few", 5, 4, False)]:
        clusters = np.repeat(np.arange(cluster_count), size)
        effect = rng.normal(size=cluster_count)[clusters]
        if mixed:
            labels = (rng.random(len(clusters)) < 0.5).astype(int)
        else:
            labels = (clusters % 2).astype(int)
        scores = np.round(effect + rng.normal(size=len(clusters)) + labels, 1)
        other = np.round(effect + rng.normal(size=len(clusters)), 1)
        values, differences, means = [], [], []
        for counts in resampled_counts(cluster_count, 300, SEED):
            weights = counts[clusters]
            means.append(np.average(scores, weights=weights))
            if weights[labels == 1].sum() and weights[labels == 0].sum():
                values.append(roc_auc_score(labels, scores, sample_weight=weights))
                differences.append(values[-1] - roc_auc_score(labels, other, sample_weight=weights))
        result.append({
            "name": name,
            "scores": scores.tolist(),
            "other": other.tolist(),
            "labels": labels.tolist(),
            "clusters": clusters.tolist(),
            "seed": SEED,
            "replicates": 300,
            "undefined": 300 - len(values),
            "quantiles": np.quantile(values, [0.025, 0.05, 0.95, 0.975]).tolist(),
            "standard_error": float(np.std(values, ddof=1)),
            "difference_quantiles": np.quantile(differences, [0.025, 0.975]).tolist(),
            "mean_quantiles": np.quantile(means, [0.025, 0.975]).tolist(),
            "auroc": float(roc_auc_score(labels, scores)),
            "obuchowski_variance": obuchowski(scores, labels, clusters),
            "cluster_means": cluster_means(scores, clusters),
        })  # fmt: skip
    return result


def cluster_means(values, clusters) -> list:
    means = [values[clusters == c].mean() for c in np.unique(clusters)]
    ci = stats.ttest_1samp(means, 0).confidence_interval(0.95)
    return [float(np.mean(means)), float(ci.low), float(ci.high)]


SURVEY_PROGRAM = """
suppressMessages(library(survey))
data <- read.csv(commandArgs(TRUE)[1])
for (name in unique(data$name)) {
  d <- data[data$name == name, ]
  design <- svydesign(id = ~cluster, data = d, weights = ~one)
  ci <- attr(svyciprop(~outcome, design, method = "beta"), "ci")
  cat(sprintf("%s,%.17g,%.17g\\n", name, ci[1], ci[2]))
}
cat("version,survey,", as.character(packageVersion("survey")), "\\n", sep = "")
"""


def clustered_proportions(rng: np.random.Generator, versions: dict) -> list:
    named, rows = {}, []
    for name, cluster_count, size, mean in [("many", 40, 5, 0.3), ("few", 6, 10, 0.25)]:
        rates = rng.beta(3 * mean, 3 * (1 - mean), size=cluster_count)
        clusters = np.repeat(np.arange(cluster_count), size)
        outcomes = (rng.random(len(clusters)) < rates[clusters]).astype(int)
        named[name] = {"outcomes": outcomes.tolist(), "clusters": clusters.tolist()}
        rows += [[name, int(o), int(c), 1] for o, c in zip(outcomes, clusters)]
    output = run_r(SURVEY_PROGRAM, ["name", "outcome", "cluster", "one"], rows)
    for name, low, high in output:
        if name == "version":
            versions[low] = high
        else:
            named[name]["interval"] = [float(low), float(high)]
    return list(named.values())


def tango(both, b, c, neither, delta) -> float:
    """The score statistic, its nuisance maximised numerically instead of by the closed form."""
    n = both + b + c + neither

    def negative(q):
        return -(special.xlogy(b, q + delta) + special.xlogy(c, q)
                 + special.xlog1py(both + neither, -(2 * q + delta)))  # fmt: skip

    low, high = max(0.0, -delta), (1 - delta) / 2
    q = optimize.minimize_scalar(
        negative, bounds=(low, high), method="bounded", options={"xatol": 1e-13}
    ).x
    # Refined where the maximum is inside: a minimiser alone stops at the root of the precision.
    slope = lambda q: b / (q + delta) + c / q - 2 * (both + neither) / (1 - 2 * q - delta)  # noqa
    if both + neither > 0 and b > 0 and c > 0:
        q = optimize.brentq(slope, low + 1e-12, high - 1e-12, xtol=1e-16, rtol=1e-15)
    return float((b - c - n * delta) / math.sqrt(n * (2 * q + delta * (1 - delta))))


def paired_tests(rng: np.random.Generator) -> dict:
    tables = [[10, 0, 0, 5], [3, 1, 7, 12], [0, 5, 5, 0], [20, 12, 3, 65], [1, 0, 6, 2]]
    tables += [[500, 40, 61, 399], [10**5, 1000, 900, 10**5], [0, 1, 0, 0]]
    exact = [
        [*t, float(mcnemar([[t[0], t[1]], [t[2], t[3]]], exact=True).pvalue)] for t in tables
    ]
    scores = []
    for t in [[3, 1, 7, 12], [20, 12, 3, 65], [500, 40, 61, 399]]:
        for delta in [-0.3, -0.1, 0.05, 0.2]:
            scores.append([*t, delta, tango(t[0], t[1], t[2], t[3], delta)])
    tost = []
    for n, shift, low, high in [(2, 0.1, -1, 1), (12, 0.2, -0.8, 0.5), (400, 0.0, -0.1, 0.1)]:
        first = rng.normal(size=n)
        second = first - shift + 0.7 * rng.normal(size=n)
        p, (t1, p1, _), (t2, p2, _) = ttost_paired(first, second, low, high)
        ci = stats.ttest_1samp(first - second, 0).confidence_interval(0.9)
        numbers = [p, t1, p1, t2, p2, ci.low, ci.high]
        tost.append({
            "first": first.tolist(), "second": second.tolist(), "margin": [low, high],
            "p_t1_p1_t2_p2_low_high": [float(v) for v in numbers],
        })  # fmt: skip
    families = [[0.01, 0.04, 0.03, 0.005], [0.5, 0.5, 0.5], [0.0, 1.0], [0.2], []]
    families.append(rng.random(50).tolist())
    return {
        "mcnemar": exact,
        "tango": scores,
        "tost": tost,
        "holm": [
            {"p": f, "adjusted": multipletests(f, method="holm")[1].tolist() if f else []}
            for f in families
        ],
    }


def main() -> None:
    rng = np.random.default_rng(SEED)
    versions = {
        "python": platform.python_version(),
        "mpmath": mpmath.__version__,
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "scikit-learn": sklearn.__version__,
        "statsmodels": statsmodels.__version__,
    }
    record = {
        "seed": SEED,
        "versions": versions,
        "draws": draws(),
        "distributions": distributions(),
        "clopper_pearson": clopper_pearson(),
        "roc": roc_section(rng, versions),
        "bootstrap": bootstrap_section(rng),
        "clustered_proportions": clustered_proportions(rng, versions),
        "paired": paired_tests(rng),
    }
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(record, allow_nan=False, separators=(",", ":"))
    (folder / "statistics.json").write_text(text.replace('},{"', '},\n{"') + "\n")


if __name__ == "__main__":
    main()
