"""Records what scikit-learn and PyTorch compute on small inputs, for the tests of detectors.

    python probe_fixtures.py sklearn Tests/InstrumentsTests/Fixtures/probes.json
    python probe_fixtures.py torch Tests/InstrumentsTests/Fixtures/probes.json

The first needs numpy and scikit-learn and writes the file; the second needs numpy and PyTorch and adds
contrast-consistent search to it: the loss of arXiv 2212.03827 minimised as its authors do (AdamW, learning
rate 1e-3, 1,000 epochs of the whole batch, ten starts, features normalised side by side).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np


def sample(seed: int, rows: int, width: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(rows, width))


def with_sklearn(path: Path) -> None:
    import sklearn
    from sklearn.covariance import ledoit_wolf
    from sklearn.decomposition import PCA
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    x = sample(1, 40, 6) * np.array([1, 2, 0.5, 3, 1, 1]) + sample(2, 40, 6)[:, [0]]
    labels = np.arange(40) % 3 == 0
    x[labels] += np.array([1, 0, 0.5, 0, -1, 0])
    penalties = []
    for penalty in (0.0, 0.1, 1.0):
        # (1 - s) S + s tr(S)/d I is proportional to S + s/(1 - s) tr(S)/d I.
        lda = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=penalty / (1 + penalty))
        direction = lda.fit(x, labels).coef_[0]
        penalties.append([penalty, *(direction / np.linalg.norm(direction))])
    covariances = []
    for seed, rows, width in ((3, 15, 8), (4, 60, 5), (5, 6, 10)):
        z = sample(seed, rows, width) * (1 + np.arange(width))
        z -= z.mean(axis=0)
        matrix, shrinkage = ledoit_wolf(z, assume_centered=True)
        covariances.append(
            {"rows": rows, "x": z.ravel().tolist(), "covariance": matrix.ravel().tolist(),
             "shrinkage": float(shrinkage)})
    high, low = sample(6, 20, 7), sample(7, 20, 7)
    high += np.linspace(-3, 3, 20)[:, None] * np.array([1, -1, 0, 2, 0, 0, 1]) + 0.5
    signs = np.where(np.arange(20) % 2 == 0, 1.0, -1.0)
    component = PCA(1).fit((high - low) * signs[:, None]).components_[0]
    component *= np.sign(component @ (high - low).mean(axis=0))
    path.write_text(json.dumps({
        "versions": {"numpy": np.__version__, "scikit-learn": sklearn.__version__},
        "discriminant": {"x": x.ravel().tolist(), "labels": labels.tolist(), "directions": penalties},
        "ledoitWolf": covariances,
        "tomography": {"high": high.ravel().tolist(), "low": low.ravel().tolist(), "rows": 20,
                       "direction": component.tolist()},
    }, indent=1))


def with_torch(path: Path) -> None:
    import torch

    known = json.loads(path.read_text())
    truth = np.arange(60) % 2 == 0
    high, low = sample(8, 60, 5), sample(9, 60, 5)
    high[:, 1] += np.where(truth, 1.5, -1.5)
    low[:, 1] -= np.where(truth, 1.5, -1.5)

    def normalise(x: np.ndarray) -> torch.Tensor:
        x = x - x.mean(axis=0)
        return torch.tensor(x / x.std(axis=0), dtype=torch.float32)

    x, y = normalise(high), normalise(low)
    torch.manual_seed(0)
    best = None
    for _ in range(10):
        probe = torch.nn.Sequential(torch.nn.Linear(5, 1), torch.nn.Sigmoid())
        optimizer = torch.optim.AdamW(probe.parameters(), lr=1e-3, weight_decay=0.01)
        for _ in range(1000):
            p, q = probe(x), probe(y)
            loss = ((torch.min(p, q) ** 2).mean(0) + ((p - (1 - q)) ** 2).mean(0)).sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            p, q = probe(x), probe(y)
            value = float(((torch.min(p, q) ** 2).mean(0) + ((p - (1 - q)) ** 2).mean(0)).sum())
            beliefs = (0.5 * (p + 1 - q))[:, 0].tolist()
        if best is None or value < best[0]:
            best = (value, beliefs)
    known["versions"]["torch"] = torch.__version__
    known["consistent"] = {
        "high": high.ravel().tolist(), "low": low.ravel().tolist(), "rows": 60,
        "truth": truth.tolist(), "loss": best[0], "beliefs": best[1]}
    path.write_text(json.dumps(known, indent=1))


if __name__ == "__main__":
    {"sklearn": with_sklearn, "torch": with_torch}[sys.argv[1]](Path(sys.argv[2]))
