"""NPE_A, NPE_B, NPE_C and NPE, against a coordinator that is made up."""

import threading

import numpy as np
import pytest

import somafit
from fake_coordinator import MEAN
from fake_trainer import EPOCHS, own_coordinator
from somafit import NPE, NPE_A, NPE_B, NPE_C, BoxUniform, JointPrior, posterior_nn
from somafit.inference_run import epochs_of, training_text
from somafit.training_watch import EpochTeller
from somafit.v1 import inference_pb2


class Told:
    """What a tracker is told, and where."""

    def __init__(self, fails=False):
        self.values, self.threads, self.fails = [], set(), fails

    def log_metric(self, *values):
        self.values.append(values)
        self.threads.add(threading.current_thread())
        if self.fails:
            raise RuntimeError("the tracker is away")

    def of(self, name):
        return [(value, step) for each, value, step in self.values if each == name]


@pytest.fixture
def fake():
    with own_coordinator() as made:
        yield made


@pytest.fixture
def make(fake):
    def made(kind=NPE_C, prior=BoxUniform([0, 0], [1, 4]), density_estimator="mdn",
             **options):
        return kind(prior, density_estimator, show_progress_bars=False,
                    client=fake.client, **options)
    return made


def appended(inference, n=20):
    theta = np.random.default_rng(1).random((n, 2))
    return inference.append_simulations(theta, theta)


# Trackers.

def test_epochs_are_told_as_they_come(fake, make):
    told = Told()
    fake.posteriors.drops = True
    inference = make(tracker=told)
    appended(inference).train()
    posterior = inference.build_posterior().set_default_x([1, 2])
    theta = np.clip(posterior.sample((20,)), [0, 0], [1, 4])
    inference.append_simulations(theta, theta, posterior).train()
    # Each once, though the line was lost; the last one is of the summary.
    assert told.of("training_loss")[:EPOCHS] == [(i, i) for i in range(EPOCHS)]
    assert [step for _, step in told.of("validation_loss")] == list(range(2 * EPOCHS))
    assert len(told.of("epoch_durations_sec")) == 2 * EPOCHS
    assert told.of("epochs_trained") == [(EPOCHS, 0), (EPOCHS, 1)]
    assert told.of("best_validation_loss")[0] == (0.5, 0)
    assert fake.posteriors.streams == 2
    assert told.threads == {threading.current_thread()}
    # Without one nobody listens, nor where nets follow on each other.
    fake.posteriors.drops = False
    appended(make()).train()
    told = Told()
    appended(make(density_estimator="auto", tracker=told)).train()
    assert fake.posteriors.streams == 0 and len(told.of("training_loss")) == EPOCHS


def test_a_tracker_that_fails_ends_no_training(make):
    inference = appended(make(tracker=Told(fails=True)))
    with pytest.raises(RuntimeError, match="the tracker is away"):
        inference.train()
    assert inference.server_fit.message.rounds == 1
    assert inference.build_posterior().round == 0


def test_long_curves():
    told = Told()
    teller = EpochTeller([told.log_metric])
    curve = [float(i) for i in range(4101) if i % 3 == 0 or i == 4100]
    summary = inference_pb2.TrainingSummary(training_loss=curve, validation_loss=curve)
    assert epochs_of(summary) == len(curve)
    assert "1368 epochs" in training_text(summary)
    summary.epochs = 4101
    assert epochs_of(summary) == 4101 and "after 4101 epochs" in training_text(summary)
    teller.begin()
    teller.report(inference_pb2.EpochReport(epoch=2, training_loss=1))
    teller.finish(0, summary)
    assert told.of("training_loss")[0] == (1, 1)
    assert all(value == step for value, step in told.of("training_loss"))
    assert told.of("epochs_trained") == [(4101, 0)]
    teller.begin()
    teller.report(inference_pb2.EpochReport(epoch=1))
    assert told.of("training_loss")[-1] == (0, 4101)


def test_epochs_of_a_training_that_was_interrupted():
    told = Told()
    teller = EpochTeller([told.log_metric])
    old = [inference_pb2.EpochReport(epoch=i + 1, training_loss=i) for i in range(3)]
    new = [inference_pb2.EpochReport(epoch=i + 1, training_loss=9) for i in range(2)]
    teller.begin()
    for each in old[:2]:
        teller.report(each)
    teller.begin()
    for each in (*old, *new, *new):  # those before, and over another line
        teller.report(each)
    teller.finish(0, inference_pb2.TrainingSummary(training_loss=[9, 9, 8],
                                                   validation_loss=[0, 0, 0]))
    assert told.of("training_loss") == [(0, 0), (1, 1), (9, 2), (9, 3), (8, 4)]


# Without a prior.

@pytest.mark.parametrize("kind", (NPE_A, NPE_B, NPE_C, NPE))
def test_no_prior(fake, make, kind):
    inference = make(kind, None)
    for call in (lambda: inference.propose(5), lambda: inference.prior.sample((5,))):
        with pytest.raises(ValueError, match="there is no prior.*go on in rounds"):
            call()
    theta = 100 * np.random.default_rng(0).normal(size=(50, 3))
    inference.append_simulations(theta, theta[:, :2])
    spec = inference.server_fit.spec
    assert [each.name for each in spec.parameters] == ["theta0", "theta1", "theta2"]
    for each in spec.parameters:
        assert each.prior.name == "improper" and not each.prior.options
        assert each.bounds == ""
    assert inference.prior.log_prob(theta).tolist() == [0] * 50
    with pytest.raises(ValueError, match="it must be .n x 3."):
        inference.append_simulations(theta[:, :2], theta[:, :2])


def test_no_rounds_without_a_prior(make):
    inference = appended(make(prior=None))
    inference.train()
    posterior = inference.build_posterior().set_default_x([1, 2])
    draws = posterior.sample((20,))
    for options in ({}, {"proposal": posterior}):
        with pytest.raises(ValueError, match="proposal: there is no prior"):
            inference.append_simulations(draws, draws, **options)
    with pytest.raises(ValueError, match="proposal: there is no prior"):
        inference.append_simulations(draws + 1, draws, BoxUniform([0, 0], [1, 1]))
    with pytest.raises(ValueError, match="propose: there is no prior"):
        inference.propose(5)
    with pytest.raises(ValueError, match="sample_with: there is no prior"):
        inference.build_posterior(sample_with="importance")


def test_priors_of_elsewhere():
    class Uniform:
        low, high = [0.0, 0.0], [1.0, 2.0]

    class Independent:
        base_dist = Uniform()

    class TruncatedNormal(Uniform):
        pass

    class TransformedDistribution(Independent):
        transforms = [abs]
    Truncated = type("Truncated", (), {"base_dist": TruncatedNormal()})
    assert JointPrior.of(Uniform()) == JointPrior.of(Independent())
    for each in (TruncatedNormal, TransformedDistribution, Truncated):
        with pytest.raises(NotImplementedError, match=each.__name__):
            JointPrior.of(each())


# Posteriors.

def test_no_two_draws_have_the_same_noise(fake, make):
    inference = appended(make(seed=5))
    inference.train()
    seeds = []
    for _ in range(2):  # a posterior of each round
        posterior = inference.build_posterior()
        for _ in range(2):
            posterior.sample((3,), x=[1, 2])
            seeds.append(fake.posteriors.asked[-1].draw.seed)
    posterior.sample_batched((3,), x=[[1, 2]])
    assert seeds == [5, 6, 7, 8] and fake.posteriors.asked[-1].draw.seed == 9
    posterior.sample((3,), x=[1, 2], seed=5)
    assert fake.posteriors.asked[-1].draw.seed == 5
    posterior._inference = lambda: None
    posterior.sample((3,), x=[1, 2])
    assert fake.posteriors.asked[-1].draw.seed == 0


def test_parameters_of_samplers(fake, make):
    inference = appended(make())
    inference.train()
    posterior = inference.build_posterior(
        sample_with="importance", mcmc_parameters={"num_chains": 3},
        importance_sampling_parameters={"oversampling_factor": 8, "method": "sir"})
    for options, factor in (({}, 8), ({"oversampling_factor": 4}, 4),
                            ({"sample_with": "direct"}, 0)):
        posterior.sample((3,), x=[1, 2], **options)
        assert fake.posteriors.asked[-1].draw.oversampling_factor == factor
    for options, error, said in (
            ({"importance_sampling_parameters": {"factor": 8}}, TypeError,
             "no option \"factor\"; there are .*oversampling_factor"),
            ({"importance_sampling_parameters": {"method": "importance"}},
             NotImplementedError, "method"),
            ({"importance_sampling_parameters": {"oversampling_factor": 0}}, ValueError,
             "oversampling_factor"),
            ({"rejection_sampling_parameters": {"a": 1}}, TypeError, "\"a\""),
            ({"mcmc_parameters": object()}, NotImplementedError, "mcmc_parameters"),
            ({"posterior_parameters": {}}, NotImplementedError,
             "posterior_parameters: it would configure a posterior of Python")):
        with pytest.raises(error, match=said):
            inference.build_posterior(**options)


def test_saved_without_an_observation(make, tmp_path):
    inference = appended(make(density_estimator=posterior_nn("mdn", ensemble=2)))
    inference.train()
    inference.build_posterior().save(tmp_path / "posterior.zip")
    loaded = somafit.Posterior.load(inference.client, tmp_path / "posterior.zip")
    assert not len(loaded.observation) and loaded.sample((3,), x=[1, 2]).shape == (3, 2)
    assert loaded.parameter_names == ["theta0", "theta1"] and len(MEAN) == 2


# Options.

def test_options_of_training(make):
    inference = appended(make(NPE_B))
    for options, error, said in (
            ({"speed": 1}, TypeError, "^there is no option \"speed\""),
            ({"resume_training": True}, NotImplementedError,
             "^resume_training: a training that has ended.*larger max_num_epochs")):
        with pytest.raises(error, match=said):
            inference.train(**options)


def test_nets_by_mapping(make):
    made = make(NPE_A, density_estimator={"num_components": 3})
    assert made._settings.estimator.name == "mdn"
    made = make(density_estimator=posterior_nn("nsf", z_score_x=False,
                                               z_score_theta="structured"))
    assert {each.name: each.text for each in made._settings.estimator.options} == {
        "z_score_x": "none", "z_score_theta": "structured"}
