"""Posteriors, against a coordinator that is made up."""

import json
import zipfile

import numpy as np
import pytest

import somafit
from fake_coordinator import LOWER, MEAN, NAMES
from fake_inferencer import arguments, fake, inferencer, posterior  # noqa: F401
from somafit import Inferencer
from somafit.units import mV, nS


def test_draws(fake, posterior):
    draws = posterior.sample((20, 5), seed=3)
    assert draws.shape == (20, 5, 2)
    assert np.abs(draws.mean(axis=(0, 1)) - MEAN).max() < 1
    assert fake.posteriors.asked[-1].draw.seed == 3
    assert posterior.sample(4).shape == (4, 2)
    assert posterior.parameter_names == NAMES and posterior.features[0] == "x0"
    named = posterior.named(draws[0])
    assert named["g"].dim == (1 * nS).dim and len(named["g"]) == 5
    assert posterior.units["g"] / nS == pytest.approx(1e9)
    assert posterior.bounds[0, 0] == LOWER[0]
    with pytest.raises(somafit.DeadlineError, match="3 of 10 draws; time is up"):
        posterior.sample(10, max_sampling_time=1)
    for shape in (0, 2_000_000):
        with pytest.raises(ValueError, match="draws"):
            posterior.sample(shape)
    assert "g, k" in repr(posterior)


def test_densities(fake, posterior):
    assert posterior.log_prob(MEAN) == [0]
    assert posterior.log_prob({"g": 21 * nS, "k": [2, 2.5]}).tolist() == pytest.approx(
        [-0.5, -1])
    posterior.log_prob(MEAN, norm_posterior=False)
    assert fake.posteriors.asked[-1].density.unnormalized
    assert posterior.map().tolist() == MEAN.tolist()
    assert np.array_equal(posterior.corrcoeff(MEAN), np.eye(2))
    assert posterior.corrcoeff(MEAN, subset=["k"]).shape == (1, 1)
    assert list(fake.posteriors.asked[-1].conditional.subset) == [1]
    found = posterior.conditional({"g": "20*nS", "k": 2}, resolution=5)
    assert found.grid[0].tolist() == pytest.approx(np.linspace(1e-9, 1e-7, 5).tolist())
    assert found.pairs[0, 1].shape == (5, 5) and found.parameters == NAMES
    for call, error, said in (
            (lambda: posterior.log_prob([1, 2, 3]), ValueError, "theta has the shape"),
            (lambda: posterior.log_prob({"g": 1}), ValueError, "'k' is missing"),
            (lambda: posterior.log_prob({"h": 1}), ValueError, "no parameter 'h'"),
            (lambda: posterior.log_prob({"g": 1 * mV, "k": 1}), ValueError, "siemens"),
            (lambda: posterior.conditional([MEAN, MEAN]), ValueError, "has 2 rows"),
            (lambda: posterior.corrcoeff(MEAN, subset=["z"]), ValueError, "'z'")):
        with pytest.raises(error, match=said):
            call()


def test_another_observation(fake, posterior):
    posterior.sample(1, x=np.arange(6) + 1.0)
    assert list(fake.posteriors.asked[-1].x) == [1, 2, 3, 4, 5, 6]
    other = posterior.set_default_x([0] * 6)
    other.map()
    assert list(fake.posteriors.asked[-1].x) == [0] * 6
    assert posterior.observation.tolist() == list(range(6))
    assert other.observation.tolist() == [0] * 6
    for x, said in (([1, 2], "x has 2 numbers, but there are 6"),
                    ([np.nan] * 6, "not finite")):
        with pytest.raises(ValueError, match=said):
            posterior.sample(1, x=x)


def test_samplers(fake, inferencer, posterior):
    posterior.sample(5)
    assert fake.posteriors.asked[-1].draw.sample_with == "direct"
    posterior.sample(5, sample_with="importance", oversampling_factor=64)
    asked = fake.posteriors.asked[-1].draw
    assert (asked.sample_with, asked.oversampling_factor) == ("importance", 64)
    chosen = inferencer.build_posterior(sample_with="rejection")
    chosen.sample(5)
    assert fake.posteriors.asked[-1].draw.sample_with == "rejection"
    chosen.sample(5, sample_with="direct")
    assert fake.posteriors.asked[-1].draw.sample_with == "direct"


def test_several_observations(fake, posterior):
    xs = np.arange(18.0).reshape(3, 6)
    draws = posterior.sample_batched((4, 2), xs, seed=3)
    assert draws.shape == (4, 2, 3, 2)
    asked = fake.posteriors.asked[-1]
    assert list(asked.x) == list(range(18)) and asked.draw.n == 8
    # The fake's draws at an observation lie that many means from 0.
    assert np.round(draws.mean(axis=(0, 1)) / MEAN)[:, 0].tolist() == [1, 2, 3]
    assert posterior.sample_batched(5, xs[:1]).shape == (5, 1, 2)
    points = np.stack([np.stack([MEAN, MEAN + 1]), np.stack([MEAN, MEAN]),
                       np.stack([MEAN, MEAN - 1])])
    points = np.moveaxis(points, 1, 0)  # [n x observations x parameters]
    found = posterior.log_prob_batched(points, xs)
    assert found.shape == (2, 3)
    assert found[0].tolist() == [0, 0, 0] and found[1, 1] == 0
    assert found[1, 0] < 0 and found[1, 2] < 0
    with pytest.raises(somafit.DeadlineError, match="time is up"):
        posterior.sample_batched(10, xs, max_sampling_time=1)
    for x, said in ((np.arange(6.0), "observations x 6"),
                    (np.full((2, 6), np.nan), "not finite")):
        with pytest.raises(ValueError, match=said):
            posterior.sample_batched(1, x)
    with pytest.raises(ValueError, match="3 observations x 2 parameters"):
        posterior.log_prob_batched(MEAN, xs)


def test_nobody_answers(fake, posterior):
    fake.posteriors.no_trainer = True
    with pytest.raises(somafit.ServerError, match="no trainer is connected"):
        posterior.sample(1)
    with pytest.raises(somafit.NotFoundError, match="there is no fits/none"):
        fake.client.posterior("none")


def test_saved_posteriors(fake, inferencer, posterior, tmp_path):
    file = tmp_path / "posterior.zip"
    inferencer.save_posterior(file)
    with zipfile.ZipFile(file) as archive:
        assert archive.read("estimator_0_0.bin") == b"net00"
        about = json.loads(archive.read("posterior.json"))
    assert about["parameters"][0]["name"] == "g" and len(about["x"]) == 6
    fake.fits.fits[posterior.name].spec.inference.estimator.ensemble = 2
    posterior.save(file)
    with zipfile.ZipFile(file) as archive:
        assert archive.read("estimator_0_1.bin") == b"net01"
        assert set(archive.namelist()) == {
            "posterior.json", "posterior.bin", "estimator_0_0.bin", "estimator_0_1.bin"}
    other = Inferencer(**arguments(client=fake.client))
    assert other.load_posterior(file).name == posterior.name
    assert other.sample((3,)).shape == (3, 2)
    # It goes on as it was.
    other.infer(callback=None)
    spec = other.server_fit.spec
    assert spec.stop.rounds == 2 and spec.parameters[0].bounds
    assert spec.n_samples == 50
    fake.fits.lost.add(posterior.name)
    # Another coordinator is given it.
    there = other.load_posterior(file)
    assert there.name != posterior.name
    assert fake.posteriors.imported == {(there.name, 0): [b"net00", b"net01"]}
    spec = other.server_fit.spec
    assert list(spec.inference.simulator.features) == posterior.features
    assert [each.name for each in spec.parameters] == ["g", "k"]
    assert spec.stop.rounds == 1 and not spec.HasField("model")
    np.testing.assert_array_equal(there.observation, posterior.observation)
    # So is what the command line saved.
    with zipfile.ZipFile(file) as archive:
        (tmp_path / "raw").write_bytes(archive.read("posterior.bin"))
    assert other.load_posterior(tmp_path / "raw").name != there.name
    (tmp_path / "bad").write_bytes(b"pickle")
    with pytest.raises(ValueError, match="pickles are not read"):
        other.load_posterior(tmp_path / "bad")
