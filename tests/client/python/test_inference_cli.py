"""The command line's questions to posteriors, against a coordinator that is made
up."""

import json
import os
import pathlib
import re
import subprocess
import xml.etree.ElementTree

import numpy as np
import pytest

from fake_coordinator import MEAN, coordinator
from somafit.fit_spec import fit_spec

SOMAFIT = pathlib.Path(os.environ.get("SOMAFIT_BIN", ""), "somafit")
pytestmark = pytest.mark.skipif(not SOMAFIT.is_file(), reason="SOMAFIT_BIN is not set")


@pytest.fixture
def fake():
    with coordinator() as made:
        made.client.submit(fit_spec({
            "label": "hh", "n_samples": 4, "stop": {"rounds": 2},
            "inference": {"features": {"v": ["max", "mean"]}}}))
        yield made


@pytest.fixture
def run(fake, tmp_path):
    def call(*arguments, status=0):
        done = subprocess.run(
            [SOMAFIT, *map(str, arguments)], capture_output=True, text=True,
            timeout=60, cwd=tmp_path, env={**os.environ, "SOMAFIT_ENDPOINT":
                                           fake.client.connection.endpoint.path})
        assert done.returncode == status, done.stderr
        return done.stdout if status == 0 else done.stderr
    return call


def test_what_there_is(run):
    told = run("posterior", "hh-0")
    assert "fits/hh-0  tsnpe, maf\nparameter  from      to\n" in told
    assert re.search(r"g +1 nS +100 nS\n", told) and re.search(r"x3 +3\n", told)
    assert ("Round 1: maf, validation loss 0 nats after 2 epochs, 50 simulations, 50 % "
            "inside the prior\n  a word\n") in told
    assert "inference    tsnpe, maf, seed 0" in run("show", "hh-0")
    assert "(inference)" in run("list")
    run("posterior", "hh-0", "--round", 1, "--export", "net.bin")


def test_rounds(run):
    lines = run("watch", "hh-0").splitlines()
    assert lines[0].startswith("Round 0: validation loss 1 nats after 2 epochs")
    assert lines[-1] == "The inference succeeded (ROUNDS)."
    events = [json.loads(line) for line in
              run("watch", "hh-0", "--format", "json").splitlines()]
    assert events[1]["training"]["best_validation_loss"] == 0
    assert "total_error" not in events[0]


def test_results(run, tmp_path):
    rows = run("results", "hh-0", "--format", "csv").splitlines()
    assert rows[0] == ("sample,stage,round,status,g,k,v_max_trace_0,v_mean_trace_0,"
                       "v_max_trace_1,v_mean_trace_1")
    assert len(rows) == 9
    run("results", "hh-0", "--format", "npz", "-o", "all.npz")
    with np.load(tmp_path / "all.npz") as loaded:
        assert set(loaded.files) == {"theta", "x"}
        assert loaded["theta"].shape == (8, 2) and loaded["x"].shape == (8, 4)
        np.testing.assert_allclose(loaded["x"][:, 3] - loaded["theta"][:, 1], 110)
    assert "no error" in run("results", "hh-0", "--best", 3, status=2)
    assert "g [nS]" in run("results", "hh-0")
    assert len(json.loads(run("results", "hh-0", "--format", "json"))["samples"]) == 8


def test_draws(fake, run, tmp_path):
    table = run("sample", "hh-0", "-n", 2000, "--seed", 3, "-o", "draws.npz")
    assert re.search(r"g +20 +1.01 +18.1 +20.1 +22 +nS\n", table)
    assert fake.posteriors.asked[-1].draw.seed == 3
    with np.load(tmp_path / "draws.npz") as loaded:
        assert loaded["theta"].shape == (2000, 2)
        assert loaded["log_density"].shape == (2000,)
        theta = loaded["theta"]
    run("sample", "hh-0", "-n", 2000, "--seed", 3, "-o", "draws.npy")
    assert np.array_equal(np.load(tmp_path / "draws.npy"), theta)
    csv = run("sample", "hh-0", "-n", 5, "-o", "-", "--x", "1,2,3,4", "--round", 0)
    assert csv.splitlines()[0] == "g [siemens],k,log_density"
    assert list(fake.posteriors.asked[-1].x) == [1, 2, 3, 4]
    assert fake.posteriors.asked[-1].round == 0
    assert "but there are 4 features" in run("sample", "hh-0", "--x", "1", status=2)
    assert "3 of 9: time is up" in run("sample", "hh-0", "-n", 9, "--max-seconds", 1,
                                       status=1)
    fake.posteriors.no_trainer = True
    assert "no trainer is connected" in run("sample", "hh-0", status=3)


def test_densities(run, tmp_path):
    (tmp_path / "points.csv").write_text("k,g [nS]\n2,20\n2,21\n")
    header, *rows = run("density", "hh-0", "--points", "points.csv").splitlines()
    assert header == "g [siemens],k,log_density"
    np.testing.assert_allclose(
        [[float(cell) for cell in row.split(",")] for row in rows],
        [[2e-8, 2, 0], [2.1e-8, 2, -0.5]], atol=1e-12)
    assert run("map", "hh-0") == "g = 20 nS\nk = 2\nlog density = 0\n"


def drawn(file):
    """Panels and their marks."""
    root = xml.etree.ElementTree.parse(file).getroot()
    assert root.tag.endswith("svg")
    return {each.get("id"): each for each in root.iter() if each.tag.endswith("}g")}


def test_plots(fake, run, tmp_path):
    run("pairplot", "hh-0", "-o", "pairs.svg", "--truth", "g=20*nS", "--truth", "k=2",
        "--limits", "prior", "--limits", "k=1..3")
    panels = drawn(tmp_path / "pairs.svg")
    assert set(panels) == {"p-g", "p-k", "p-g-k"}
    assert [each.tag[-6:] for each in panels["p-g-k"] if each.get("class") == "point"
            ] == ["circle"]
    run("pairplot", "hh-0", "-o", "k.svg", "--subset", "k", "--style", "contour")
    assert set(drawn(tmp_path / "k.svg")) == {"p-k"}
    assert re.search(r"g +1 +0\nk +0 +1\n", run("conditional", "hh-0"))
    asked = fake.posteriors.asked[-1].conditional
    assert list(asked.condition) == MEAN.tolist() and asked.correlations
    run("conditional", "hh-0", "--condition", "g=30*nS", "-o", "c.svg")
    assert fake.posteriors.asked[-1].conditional.condition[0] == pytest.approx(3e-8)
    assert set(drawn(tmp_path / "c.svg")) == {"p-g", "p-k", "p-g-k"}
    for option, said in ((("--truth", "z=1"), "there is no parameter \"z\""),
                         (("--truth", "g=1*mV"), "\"g\" is in siemens"),
                         (("--limits", "g=2..1"), "must be below"),
                         (("--limits", "g=2"), "is no range"),
                         (("--subset", "g,g"), "twice")):
        assert said in run("pairplot", "hh-0", "-o", "x.svg", *option, status=2)


def test_traces(fake, run, tmp_path):
    run("generate", "hh-0", "--posterior", 3, "--output", "v", "-o", "v.npy")
    assert np.load(tmp_path / "v.npy").shape == (3, 2, 1, 3)
    run("generate", "hh-0", "--map", "--output", "v")
    assert list(fake.fits.generated[-1].points) == MEAN.tolist()
    run("generate", "hh-0", "--posterior-mean", "--output", "v")
    np.testing.assert_allclose(fake.fits.generated[-1].points, MEAN, rtol=0.05)
    assert "has no best sample" in run("generate", "hh-0", "--output", "v", status=2)
