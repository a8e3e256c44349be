"""Simulators of one's own: the classes of sbi against the real programs."""

import logging
import os
import signal
import threading

import numpy as np
import pytest

import somafit
from somafit import NPE, NPE_A, NPE_B, NPE_C, BoxUniform, posterior_nn
from somafit.drawn_parameters import DrawnParameters, Origin
from somafit.units import nS
from tensor import Tensor

SHORT = dict(max_num_epochs=15, stop_after_epochs=5)
X_O = np.array([[0.4, 0.6]])


def box(n=2):
    return BoxUniform(low=np.zeros(n), high=np.ones(n))


def simulator(theta, rng=np.random.default_rng(5)):
    return theta + 0.1 * rng.standard_normal(theta.shape)


@pytest.fixture
def make(client):
    """Inferences that say nothing."""
    def made(kind=NPE_C, prior=None, density_estimator="mdn", **options):
        return kind(box() if prior is None else prior, density_estimator,
                    show_progress_bars=False, logging_level="ERROR", client=client,
                    **options)
    return made


@pytest.fixture
def trained(make):
    """After the first round."""
    def made(kind=NPE_C, **options):
        inference = make(kind, **options)
        theta = inference.prior.sample((100,))
        inference.append_simulations(theta, simulator(theta)).train(**SHORT)
        return inference, inference.build_posterior()
    return made


def test_rows_are_known_again():
    drawn, rng = DrawnParameters(), np.random.default_rng(0)
    first, second = rng.random((50, 3)), rng.random((50, 3))
    assert drawn.origin(first) is None
    a, b = (Origin("fits/a", k, np.ones(2), False) for k in (1, 2))
    drawn.remember(first.reshape(5, 10, 3), a)
    drawn.remember(second, b)
    assert drawn.origin(first[::-1]) is a and drawn.origin(second[3:4]) is b
    assert drawn.origin(first.astype(np.float32).astype(float)) is a
    assert drawn.origin(rng.random((20, 3))) is None
    with pytest.raises(ValueError, match="different posteriors"):
        drawn.origin(np.concatenate([first, second]))
    with pytest.raises(ValueError, match="50 of 70 rows were drawn"):
        drawn.origin(np.concatenate([first, rng.random((20, 3))]))


# The loop.

def test_the_loop_as_it_is_written(client, capsys):
    """Of the documentation of sbi, with arrays."""
    rng = np.random.default_rng(2)
    # 1. Setup simulator, prior, and observation
    prior = BoxUniform(low=np.zeros(3), high=np.ones(3))
    x_o = np.array([[0.3, 0.5, 0.7]])

    def simulator(theta):
        return theta + rng.standard_normal(theta.shape) * 0.1

    # 2. Multi-round inference
    inference = NPE_B(prior=prior)
    proposal = prior

    for round_idx in range(3):
        theta = proposal.sample((100,))
        x = simulator(theta)
        density_estimator = inference.append_simulations(theta, x).train()
        posterior = inference.build_posterior(density_estimator)
        proposal = posterior.set_default_x(x_o)

    # 3. Sample from final posterior
    samples = posterior.sample((1000,), x=x_o)
    assert samples.shape == (1000, 3)
    assert np.abs(samples.mean(axis=0) - x_o[0]).max() < 0.1
    assert 0.03 < samples.std(axis=0).min() and samples.std(axis=0).max() < 0.2
    # The coordinator knows what later rounds were drawn for, and weighs them.
    assert inference.server_fit.spec.inference.observation == pytest.approx(x_o[0])
    rounds = posterior.summaries
    assert [each.simulations for each in rounds] == [100, 200, 300]
    assert 0 < rounds[2].effective_samples < 300
    theta, x, masks = inference.get_simulations()
    assert theta.shape == x.shape == (300, 3) and masks.shape == (300, 1)
    assert masks.sum() == 100 and inference.get_simulations(2)[0].shape == (100, 3)
    assert capsys.readouterr().out.startswith("Round 0: validation loss")
    summary = inference.summary
    assert len(summary["epochs_trained"]) == len(summary["best_validation_loss"]) == 3
    assert sum(summary["epochs_trained"]) == len(summary["validation_loss"]) == len(
        summary["training_loss"]) == len(summary["epoch_durations_sec"])


@pytest.mark.parametrize("kind", (NPE_A, NPE_C))
def test_rounds_of_posteriors(trained, kind):
    inference, posterior = trained(kind)
    posterior.set_default_x(X_O)
    # Through tensors, given as the proposal, and drawn twice.
    first, second = posterior.sample((60,)), posterior.sample((60,))
    assert not np.array_equal(first, second)
    inference.append_simulations(Tensor(first), Tensor(simulator(first)))
    inference.append_simulations(second, simulator(second), proposal=posterior)
    last = dict(final_round=True) if kind is NPE_A else dict(use_combined_loss=True)
    inference.train(**SHORT, **last)
    assert inference.server_fit.spec.inference.algorithm == (
        "npe_a" if kind is NPE_A else "npe_c")
    assert len(inference.get_simulations(1)[0]) == 120
    assert inference.build_posterior().sample((5,)).shape == (5, 2)
    # The posterior of the round before is still there.
    assert posterior.round == 0 and posterior.sample((3,)).shape == (3, 2)
    if kind is NPE_A:
        assert inference.server_fit.state == "SUCCEEDED"


def test_truncated_proposals(trained):
    inference, posterior = trained(NPE)
    with pytest.raises(ValueError, match="x: rounds after the first are focused"):
        inference.propose(10)
    posterior.set_default_x(X_O)
    theta = posterior.sample((50,))
    with pytest.raises(ValueError, match=r"NPE learns.*inference.propose\(n\), or NPE_C"):
        inference.append_simulations(theta, simulator(theta))
    theta = inference.propose(60)
    assert not np.array_equal(theta, inference.propose(60))
    inference.append_simulations(theta, simulator(theta)).train(**SHORT)
    assert inference.server_fit.spec.inference.observation == pytest.approx(X_O[0])
    assert len(inference.build_posterior().summaries) == 2
    with pytest.raises(ValueError, match="drawn for another observation"):
        inference.propose(10, x=[0, 0])


def test_one_observation_for_all_rounds(trained, make):
    inference, posterior = trained()
    with pytest.raises(ValueError, match="no default x"):
        posterior.sample((5,))
    theta = posterior.sample((50,), x=[0.2, 0.2])  # looked at, and not simulated
    assert posterior.set_default_x(X_O) is posterior
    theta = posterior.sample((50,))
    inference.append_simulations(theta, simulator(theta))
    other = posterior.sample((50,), x=[0.2, 0.2])
    with pytest.raises(ValueError, match="x: the rounds so far were drawn for another"):
        inference.append_simulations(other, simulator(other))
    with pytest.raises(ValueError, match="50 of 60 rows"):
        mixed = np.concatenate([theta, inference.prior.sample((10,))])
        inference.append_simulations(mixed, simulator(mixed))
    with pytest.raises(ValueError, match="counts as drawn from the prior"):
        inference.append_simulations(*[inference.prior.sample((50,))] * 2)
    inference.train(**SHORT)
    with pytest.raises(ValueError, match="posterior of round 0, but the next round is"):
        inference.append_simulations(theta, simulator(theta))
    with pytest.raises(ValueError, match="no simulations of round 2"):
        inference.train()
    stranger, its = trained()
    with pytest.raises(ValueError, match=f"of {inference.server_fit.name}, but"):
        stranger.append_simulations(theta, theta, proposal=posterior)
    assert its.default_x is None


def test_more_of_the_prior_joins_the_first_round(trained, make, caplog):
    inference, before = trained()
    theta = inference.prior.sample((40,))
    inference.append_simulations(theta, simulator(theta), proposal=inference.prior)
    inference.train(**SHORT, retrain_from_scratch=True)
    theta, _, masks = inference.get_simulations()
    assert len(theta) == 140 and masks.all()
    # Once more, from the same.
    inference.train(**SHORT, learning_rate=1e-3)
    assert len(inference.get_simulations()[0]) == 140
    assert before.sample((3,), x=X_O).shape == (3, 2)
    with pytest.raises(ValueError, match="of " + before.name):
        inference.append_simulations(theta, theta, proposal=before.set_default_x(X_O))


# Simulations.

def test_x_of_any_shape_and_names(make):
    inference = make(prior={"a": [0, 1], "g": ["0*nS", "1*nS"]}, name="shapes-of-x")
    theta = inference.propose(30)
    x = np.repeat(theta[:, :1], 6, axis=1).reshape(30, 2, 3) + np.random.default_rng(
        1).normal(size=(30, 2, 3))
    inference.append_simulations(Tensor(theta), x.tolist())
    assert inference.server_fit.name == "fits/shapes-of-x"
    assert inference.server_fit.message.parameters[1].si_unit == "siemens"
    inference.train(**SHORT)
    posterior = inference.build_posterior()
    assert posterior.features == [f"x{i}" for i in range(6)]
    assert posterior.parameter_names == ["a", "g"]
    draws = posterior.sample((4, 2), x=x[0])
    assert draws.shape == (4, 2, 2) and draws[..., 1].max() <= 1e-9
    batched = posterior.sample_batched((7,), x[:3])
    assert batched.shape == (7, 3, 2)
    assert posterior.log_prob(Tensor(draws[0]), x=x[0]).shape == (2,)
    assert posterior.map(x=x[0]).shape == (2,)
    assert inference.get_simulations()[1].shape == (30, 2, 3)
    fit = inference.server_fit
    assert fit.results("dataframe").shape == (30, 2 + 2 + 6)
    with pytest.raises(ValueError, match="simulations before had"):
        inference.append_simulations(theta, x.reshape(30, 6))
    with pytest.raises(ValueError, match="x has 5 numbers, but simulations have 6"):
        posterior.set_default_x(np.zeros(5))
    named = make(features=["left", "right"])
    theta = named.propose(30)
    with pytest.raises(ValueError, match="features names 2"):
        named.append_simulations(theta, theta[:, :1])
    named.append_simulations(theta, simulator(theta)).train(**SHORT)
    assert named.build_posterior().features == ["left", "right"]


def test_invalid_simulations(make, trained, caplog):
    inference = make()
    inference._level = logging.WARNING
    theta = inference.prior.sample((60,))
    x = simulator(theta)
    x[::10] = np.nan
    with pytest.raises(ValueError, match="x: 6 of 60 simulations have NaN"):
        inference.append_simulations(theta, x, exclude_invalid_x=False)
    with caplog.at_level(logging.WARNING, "somafit.npe"):
        inference.append_simulations(theta, x)
    assert "6 of 60 simulations have NaN" in caplog.text
    inference._level = logging.ERROR
    inference.train(**SHORT)
    assert len(inference.get_simulations()[0]) == 54
    posterior = inference.build_posterior().set_default_x(X_O)
    theta = posterior.sample((40,))
    x = simulator(theta)
    x[0, 0] = np.inf
    with pytest.raises(ValueError, match="exclude_invalid_x=True"):
        inference.append_simulations(theta, x)
    inference.append_simulations(theta, x, posterior, exclude_invalid_x=True)
    inference.train(**SHORT)
    assert len(inference.get_simulations()[0]) == 93


def test_much_at_once(make):
    """More than one message and one call."""
    rng = np.random.default_rng(0)
    inference = make(prior=BoxUniform(0, 1))
    theta = inference.propose(60_000)
    inference.append_simulations(theta, theta + rng.normal(size=theta.shape))
    assert inference.server_fit.refresh().message.samples_done == 60_000


@pytest.mark.parametrize("theta, x, options, error, said", [
    (np.ones((3, 3)), np.ones((3, 2)), {}, ValueError, "theta has the shape"),
    (np.full((3, 2), 0.5), np.ones((2, 2)), {}, ValueError, "x has the shape"),
    (np.full((3, 2), 0.5), np.ones((3, 0)), {}, ValueError, "x has the shape"),
    (np.full((3, 2), np.nan), np.ones((3, 2)), {}, ValueError, "theta has a number"),
    (np.array([[0.5, 0.5], [0.5, 2]]), np.ones((2, 2)), {}, ValueError,
     "row 1 lies outside the prior"),
    (np.full((3, 2), 0.5), np.ones((3, 2)), {"proposal": 3}, TypeError,
     "proposal must be the prior or a posterior"),
    (np.full((3, 2), 0.5), np.ones((3, 2)), {"proposal": box(3)}, ValueError,
     "another prior"),
    (np.full((3, 2), 0.5), np.ones((3, 2)), {"data_device": "tpu"}, ValueError,
     "data_device: \"tpu\""),
    ("abc", np.ones((3, 2)), {}, ValueError, "theta: "),
])
def test_wrong_simulations(make, theta, x, options, error, said):
    with pytest.raises(error, match=said):
        make().append_simulations(theta, x, **options)


# Options.

@pytest.mark.parametrize("options, error, said", [
    ({"density_estimator": "birds"}, ValueError, "density_estimator: there is no"),
    ({"density_estimator": lambda: None}, NotImplementedError,
     "density_estimator: nets that are made in Python"),
    ({"device": "tpu"}, ValueError, "device: \"tpu\" is none"),
    ({"logging_level": "LOUD"}, ValueError, "logging_level: \"LOUD\""),
    ({"summary_writer": 3}, TypeError, "summary_writer: 3 has no add_scalar"),
    ({"tracker": 3}, TypeError, "tracker: 3 has no log_metric"),
    ({"client": 3}, TypeError, "client must be"),
    ({"seed": -1}, ValueError, "seed"),
])
def test_wrong_options(options, error, said):
    with pytest.raises(error, match=said):
        NPE_B(box(), **options)


@pytest.mark.parametrize("options, error, said", [
    ({"calibration_kernel": len}, NotImplementedError, "calibration_kernel"),
    ({"resume_training": True}, NotImplementedError, "resume_training"),
    ({"dataloader_kwargs": {"num_workers": 2}}, NotImplementedError, "num_workers"),
    ({"learning_rate": 0}, ValueError, "learning_rate is 0"),
    ({"validation_fraction": -1}, ValueError, "validation_fraction is -1"),
    ({"validation_fraction": 2}, ValueError, "validation_fraction"),
    ({"max_num_epochs": 0}, ValueError, "max_num_epochs is 0"),
    ({"training_batch_size": 1.5}, ValueError, "training_batch_size is 1.5"),
    ({"speed": 1}, TypeError, "there is no option \"speed\""),
])
def test_wrong_training(make, options, error, said):
    inference = make(NPE_B)
    with pytest.raises(ValueError, match="there are no simulations yet"):
        inference.train()
    theta = inference.propose(30)
    inference.append_simulations(theta, simulator(theta))
    with pytest.raises(error, match=said):
        inference.train(**options)


def test_too_few_simulations_can_be_mended(make):
    inference = make()
    theta = inference.propose(5)
    inference.append_simulations(theta, simulator(theta))
    with pytest.raises(somafit.WrongStateError, match="has 5 simulations; append at"):
        inference.train(**SHORT)
    theta = inference.propose(20)
    x = simulator(theta)
    x[2:] = np.nan
    inference.append_simulations(theta, x)
    with pytest.raises(somafit.FitStoppedError, match="only 7 of 25 simulations"):
        inference.train(**SHORT)
    theta = inference.propose(20)
    inference.append_simulations(theta, simulator(theta)).train(**SHORT)
    assert len(inference.get_simulations()[0]) == 27


def test_ctrl_c_leaves_the_round(make):
    inference = make(density_estimator="maf")
    theta = inference.propose(500)
    inference.append_simulations(theta, simulator(theta))
    # A shell may have it ignored in what it runs in the background.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    threading.Timer(0.4, os.kill, (os.getpid(), signal.SIGINT)).start()
    try:
        with pytest.raises(KeyboardInterrupt):
            inference.train(stop_after_epochs=10**6, max_num_epochs=1500)
    finally:
        signal.signal(signal.SIGINT, before)
    assert inference.server_fit.state == "PAUSED"
    inference.train(**SHORT)
    assert len(inference.summary["epochs_trained"]) == 1


def test_what_training_tells(make, client, capsys):
    told = []

    class Told:
        def add_scalar(self, *values):
            told.append(("writer", *values))

        def log_metric(self, *values):
            told.append(("tracker", *values))

    inference = NPE_C(box(), posterior_nn("maf", num_transforms=2, hidden_features=10,
                                          z_score_theta="transform_to_unconstrained",
                                          z_score_x=None),
                      "cpu", logging.ERROR, Told(), Told(), False, client=client)
    theta = inference.propose(40)
    estimator = inference.append_simulations(theta, simulator(theta)).train(
        num_atoms=5, dataloader_kwargs={"batch_size": 20}, clip_max_norm=None,
        show_train_summary=True, **SHORT)
    spec = inference.server_fit.refresh().spec.inference
    assert spec.training.training_batch_size == 20 and spec.training.num_atoms == 5
    assert spec.training.clip_max_norm == 0 and spec.estimator.name == "maf"
    assert {each.name: each.text for each in spec.estimator.options} == {
        "num_transforms": "2.0", "hidden_features": "10.0",
        "theta_space": "unconstrained", "z_score_x": "none"}
    assert {each[0] for each in told} == {"writer", "tracker"}
    assert ("tracker", "epochs_trained", len(
        estimator.event.training.validation_loss), 0) in told
    steps = [each[3] for each in told if each[:2] == ("tracker", "training_loss")]
    assert sorted(steps) == list(range(len(estimator.event.training.validation_loss)))
    assert capsys.readouterr().out.startswith("Round 0: validation loss")
    for call, error, said in (
            (lambda: inference.build_posterior(sample_with="mcmc"), NotImplementedError,
             "sample_with: \"mcmc\" samples what is known up to a constant"),
            (lambda: inference.build_posterior(sample_with="magic"), ValueError,
             "sample_with: there is no \"magic\""),
            (lambda: inference.build_posterior("net"), TypeError, "density_estimator"),
            (lambda: inference.build_posterior(prior=box(3)), NotImplementedError,
             "prior: the net was trained with another one"),
            (lambda: inference.build_posterior(direct_sampling_parameters={"a": 1}),
             TypeError, "no option \"a\""),
            (lambda: inference.build_posterior(posterior_parameters=object()),
             NotImplementedError, "posterior_parameters"),
            (lambda: inference.get_dataloaders(), NotImplementedError,
             "get_simulations")):
        with pytest.raises(error, match=said):
            call()
    posterior = inference.build_posterior(
        estimator, prior=box(), sample_with="rejection", mcmc_method="nuts_pyro",
        mcmc_parameters={"num_chains": 3}, direct_sampling_parameters={
            "max_sampling_batch_size": 100})
    assert posterior.sample((3,), x=X_O, show_progress_bars=False).shape == (3, 2)


def test_same_seed_same_posterior(make):
    found = []
    for _ in range(2):
        inference = make(prior=BoxUniform([0, 0], [1, 1], seed=4), seed=4)
        theta = inference.prior.sample((50,))
        x = simulator(theta, np.random.default_rng(1))
        inference.append_simulations(theta, x).train(**SHORT)
        found.append(inference.build_posterior().sample((5,), x=X_O))
    assert np.array_equal(*found)
