"""What is thought of parameters before simulations of one's own."""

import numpy as np
import pytest

import somafit
from somafit import NPE_C, BoxUniform, JointPrior, Prior
from somafit.units import nS
from tensor import Tensor


def test_boxes():
    prior = BoxUniform([0, -1], Tensor([1, 1]), 1, "cpu", names=["a", "b"], seed=3)
    draws = prior.sample((1000,))
    assert draws.shape == (1000, 2) and prior.names == ["a", "b"]
    assert (draws.min(axis=0) >= [0, -1]).all() and (draws.max(axis=0) < [1, 1]).all()
    assert np.abs(draws.mean(axis=0) - [0.5, 0]).max() < 0.1
    assert not np.array_equal(prior.sample((1000,)), draws)
    again = BoxUniform([0, -1], [1, 1], names=["a", "b"], seed=3)
    assert np.array_equal(again.sample((1000,)), draws) and again == prior
    assert prior.sample().shape == (2,) and prior.sample((2, 3)).shape == (2, 3, 2)
    assert prior.log_prob([[0.5, 0], [2, 0]]).tolist() == [-np.log(2), -np.inf]
    assert BoxUniform(0, 1).names == ["theta0"] and prior != BoxUniform([0, 0], [1, 1])
    for arguments, said in ((([0, 1], [1]), "low has the shape"),
                            (([0, 1], [1, 1]), "not below"),
                            ((["a"], [1]), "low: ")):
        with pytest.raises((ValueError, TypeError), match=said):
            BoxUniform(*arguments)


def test_joint_priors():
    prior = JointPrior({
        "g": ["1*nS", 100 * nS], "l": Prior("log_uniform", lower=0.01, upper=100),
        "n": Prior("normal", mean=3, sigma=2),
        "t": somafit.Bounds(5, 6, prior=Prior("normal", mean=0, sigma=1)),
        "m": Prior("log_normal", median=10, sigma_log=0.5, lower=0)})
    draws = prior.sample((4000,))
    assert prior.support[0].tolist() == pytest.approx([1e-9, 1e-7])
    assert draws[:, 0].mean() == pytest.approx(50.5e-9, rel=0.05)
    assert np.log(draws[:, 1]).mean() == pytest.approx(0, abs=0.2)
    assert draws[:, 2].mean() == pytest.approx(3, abs=0.15)
    assert draws[:, 2].std() == pytest.approx(2, abs=0.15)
    # What of a tail lies five to six deviations out: its mean is 5.1865.
    assert draws[:, 3].mean() == pytest.approx(5.1865, abs=0.01)
    assert draws[:, 3].min() >= 5 and draws[:, 3].max() <= 6
    assert np.median(draws[:, 4]) == pytest.approx(10, rel=0.05)
    # Densities integrate to 1.
    grid = np.linspace(1e-3, 200, 400_001)
    for name in ("l", "m"):
        density = np.exp(JointPrior({name: prior.bounds[name]}).log_prob(grid[:, None]))
        assert density.sum() * (grid[1] - grid[0]) == pytest.approx(1, abs=0.02)
    assert prior.specs()[0].bounds.startswith("[1*nS, 1")


@pytest.mark.parametrize("prior, error, said", [
    ({}, TypeError, "prior must map"),
    ({"1a": [0, 1]}, ValueError, "cannot be the name"),
    ({"a": [1, 0]}, ValueError, "prior of 'a': the lower bound, 1, is not below"),
    ({"a": [1 * nS, "x"]}, ValueError, "prior of 'a'"),
    ({"a": Prior("beta")}, ValueError, "there is no \"beta\""),
    ({"a": Prior("normal", mean=1)}, ValueError, "normal needs sigma"),
    ({"a": Prior("normal", mean=1, sigma=0)}, ValueError, "sigma must be above 0"),
    ({"a": Prior("normal", mean=1, sigma=1, speed=2)}, ValueError, "no option \"speed\""),
    ({"a": Prior("improper", lower=1)}, ValueError, "no bounds and no options"),
    ({"a": Prior("uniform", lower=1)}, ValueError, "high is missing"),
    ({"a": somafit.Bounds(0, 1, scale="log")}, ValueError, "bounds above 0"),
    ({"a": somafit.Bounds(fixed=1)}, ValueError, "fixed and start"),
    (object(), NotImplementedError, "object is a distribution of Python"),
])
def test_wrong_priors(prior, error, said):
    with pytest.raises(error, match=said):
        NPE_C(prior)


def test_without_a_prior(client):
    """One round, of parameters that came from anywhere."""
    inference = NPE_C(None, "mdn", show_progress_bars=False, logging_level="ERROR",
                      client=client)
    theta = np.random.default_rng(3).normal(5.0, 2.0, size=(400, 1))
    x = theta + 0.1 * np.random.default_rng(4).normal(size=theta.shape)
    inference.append_simulations(theta, x).train(max_num_epochs=200)
    posterior = inference.build_posterior().set_default_x([6.0])
    draws = posterior.sample((2000,))
    assert abs(draws.mean() - 6) < 0.1 and 0.05 < draws.std() < 0.3
    assert abs(posterior.map()[0] - 6) < 0.15
    with pytest.raises(somafit.SomafitError, match="there is no prior"):
        posterior.sample((10,), sample_with="rejection")
    with pytest.raises((ValueError, somafit.SomafitError), match="no prior"):
        inference.propose(10)
