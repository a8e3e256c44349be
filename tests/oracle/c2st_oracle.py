"""Compares c2st_score with the same protocol in scikit-learn, on pairs of
samples that are drawn here and on reference posteriors against changed copies.
Takes minutes; not a test. Needs Debian's python3-sklearn and a built
c2st_score:

    python3 tests/oracle/c2st_oracle.py build/release/bin/c2st_score [pair ...]

Prints a table and fails where two scores differ by more than 0.01.
"""

import bz2
import os
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy as np
from sklearn.model_selection import KFold, cross_val_score
from sklearn.neural_network import MLPClassifier

ROOT = pathlib.Path(__file__).resolve().parents[2]
SHARED = pathlib.Path(os.environ.get("SOMAFIT_SHARED", ROOT.parent / "shared"))


def sklearn_score(x, y):
    mean, sd = x.mean(axis=0), x.std(axis=0, ddof=1)
    data = np.concatenate(((x - mean) / sd, (y - mean) / sd))
    target = np.concatenate((np.zeros(len(x)), np.ones(len(y))))
    hidden = 10 * x.shape[1]
    classifier = MLPClassifier(
        activation="relu", hidden_layer_sizes=(hidden, hidden), solver="adam",
        max_iter=10000, random_state=1)
    folds = KFold(n_splits=5, shuffle=True, random_state=1)
    return cross_val_score(classifier, data, target, cv=folds,
                           scoring="accuracy")


def reference(task, observation):
    path = (SHARED / "data/sbibm" / task / str(observation) /
            "reference_posterior_samples.csv.bz2")
    if not path.exists():
        return None
    with bz2.open(path, "rt") as file:
        return np.loadtxt(file, delimiter=",", skiprows=1)


def pairs():
    rng = np.random.default_rng(5)
    n = 10000
    yield "normal 2-D, same", rng.normal(size=(n, 2)), rng.normal(size=(n, 2))
    yield ("normal 2-D, mean + 0.5", rng.normal(size=(n, 2)),
           rng.normal(size=(n, 2)) + [0.5, 0])
    a = rng.normal(size=(n, 2))
    b = rng.normal(size=(n, 2))
    b[:, 1] = 0.8 * b[:, 0] + 0.6 * b[:, 1]
    yield "normal 2-D, correlation 0.8", a, b
    yield ("normal 2-D, mean + 4", rng.normal(size=(n, 2)),
           rng.normal(size=(n, 2)) + [4, 0])
    yield ("normal 5-D, sd 1.3", rng.normal(size=(n, 5)),
           1.3 * rng.normal(size=(n, 5)))
    for task, noise in (("two_moons", 0.02), ("two_moons", 0.2),
                        ("gaussian_mixture", 0.3), ("slcp", 0.3)):
        x = reference(task, 1)
        if x is None:
            continue
        y = x[rng.permutation(len(x))] + noise * x.std(axis=0) * rng.normal(
            size=x.shape)
        yield f"{task} 1, noise {noise} sd", x, y
    x = reference("two_moons", 1)
    if x is not None:
        low, high = x.min(axis=0), x.max(axis=0)
        yield "two_moons 1, uniform", x, rng.uniform(low, high, x.shape)
        y = reference("two_moons", 2)
        yield "two_moons 1, two_moons 2", x, y


def main():
    program, wanted = sys.argv[1], sys.argv[2:]
    worst = 0.0
    print(f"{'pair':32} {'sklearn':>8} {'ours':>8} {'differ':>8} "
          f"{'folds':>8} {'s':>6} {'s':>6}", flush=True)
    for name, x, y in pairs():
        if wanted and not any(word in name for word in wanted):
            continue
        start = time.time()
        expected = sklearn_score(x, y)
        seconds = time.time() - start
        with tempfile.TemporaryDirectory() as folder:
            files = [os.path.join(folder, one) for one in ("x.csv", "y.csv")]
            for file, data in zip(files, (x, y)):
                np.savetxt(file, data, delimiter=",", fmt="%.17g")
            words = subprocess.run([program] + files, check=True, text=True,
                                   stdout=subprocess.PIPE).stdout.split()
        ours = float(words[1])
        folds = np.array([float(word) for word in words[7:]])
        differ = ours - expected.mean()
        worst = max(worst, abs(differ))
        print(f"{name:32} {expected.mean():8.4f} {ours:8.4f} {differ:+8.4f} "
              f"{abs(folds - expected).max():8.4f} {seconds:6.1f} "
              f"{float(words[5]):6.1f}", flush=True)
    print(f"largest difference {worst:.4f}")
    return 1 if worst > 0.01 else 0


if __name__ == "__main__":
    sys.exit(main())
