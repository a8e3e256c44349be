"""An Inferencer's rounds against the real programs: more of them, begun anew, and of
theta and x of one's own."""

import matplotlib
import numpy as np
import pytest

matplotlib.use("Agg")

import somafit
from somafit import Inferencer, features
from somafit.units import mV, ms, nA, nS, pF

# Its parameters are declared in another order than that of their names.
MODEL = """
dv/dt = (g*(El - v) + k*I)/C : volt
k : 1
g : siemens (constant)
"""
STEPS = 40
BOUNDS = {"g": [1 * nS, 100 * nS], "k": [0.5, 4]}
SHORT = dict(max_num_epochs=5)


def arguments(**changes):
    return {**dict(
        dt=0.1 * ms, model=MODEL,
        input={"I": np.outer([0.5, 1.0], np.ones(STEPS)) * nA},
        output={"v": np.array([np.linspace(-65, end, STEPS) for end in (-58, -52)]) * mV,
                "spikes": [[], [2 * ms]]},
        features={"v": [features.max(), "mean"], "spikes": ["spike_count"]},
        threshold="v > -55*mV", reset="", refractory="v > -55*mV",
        param_init={"v": "El"}, seed=7,
        namespace={"El": -65 * mV, "C": 200 * pF}), **changes}


@pytest.fixture
def make(client):
    return lambda **changes: Inferencer(**arguments(client=client, **changes))


def simulated(theta):
    """Features as a program of one's own may find them."""
    rng = np.random.default_rng(len(theta))
    v = -0.065 + 1e-3 * theta[:, 1:] + 1e-3 * rng.normal(size=(len(theta), 4))
    return np.column_stack([v, rng.integers(0, 3, (len(theta), 2))])


def test_going_on_and_beginning_anew(make):
    inferencer = make(name="goes-on")
    first = inferencer.infer(60, callback=None, train_kwargs=SHORT, **BOUNDS)
    assert inferencer.theta.shape == (60, 2) and inferencer.x.shape == (60, 6)
    seen = []
    inferencer.infer(40, n_rounds=2, train_kwargs={"max_num_epochs": 4},
                     callback=lambda event: seen.append(event.round))
    assert seen == [1, 2] and inferencer.theta.shape == (140, 2)
    fit = inferencer.server_fit
    assert fit.name == "fits/goes-on" and fit.spec.n_samples == 40
    assert fit.spec.inference.training.max_num_epochs == 4
    assert len(first.refresh().summaries) == 3 and first.sample(2).shape == (2, 2)
    anew = inferencer.infer(30, restart=True, inference_method="SNPE_B",
                            density_estimator_model="mdn", train_kwargs=SHORT,
                            callback=None, g=[1 * nS, 50 * nS], k=[1, 2])
    assert fit.refresh().message.stage == 1 and fit.rounds == 1
    assert fit.spec.inference.algorithm == "npe_b" and inferencer.theta.shape == (30, 2)
    assert anew.parameter_names == ["g", "k"] == inferencer.parameter_names
    draws = inferencer.sample((50,))
    assert draws[:, 0].max() <= 50e-9 and draws[:, 1].min() >= 1
    assert np.isfinite(anew.log_prob(draws[:3])).all()
    assert (anew.log_prob(draws[:3, ::-1]) == -np.inf).all()
    assert anew.log_prob(anew.named(draws[0])) == pytest.approx(anew.log_prob(draws[0]))
    with pytest.raises(somafit.WrongStateError, match="begun anew"):
        first.sample(1)
    inferencer.infer(callback=None)
    assert fit.rounds == 2 and inferencer.theta.shape == (60, 2)
    _, axes = inferencer.conditional_pairplot({"g": "20*nS", "k": 1.5})
    assert axes[0, 0].get_xlabel().startswith("g")
    assert inferencer.conditional_corrcoeff(draws[0]).shape == (2, 2)


def test_npe_a_ends_with_its_last_round(make):
    inferencer = make()
    options = dict(inference_method="SNPE_A", density_estimator_model="mdn",
                   callback=None, inference_kwargs={"num_components": 1})
    inferencer.infer(200, n_rounds=2, train_kwargs={"max_num_epochs": 40}, **options,
                     **BOUNDS)
    with pytest.raises(somafit.WrongStateError, match="continue with restart"):
        inferencer.infer(callback=None)
    inferencer.infer(200, restart=True, train_kwargs={"max_num_epochs": 40}, **options)
    assert inferencer.server_fit.rounds == 1


def test_another_process_goes_on(make, tmp_path):
    inferencer = make()
    inferencer.infer(50, callback=None, train_kwargs=SHORT, **BOUNDS)
    inferencer.save_posterior(tmp_path / "posterior.zip")
    other = make()
    loaded = other.load_posterior(tmp_path / "posterior.zip")
    assert np.array_equal(loaded.sample(3), inferencer.posterior.sample(3))
    other.infer(20, callback=None)
    assert other.server_fit.rounds == 2 and other.theta.shape == (70, 2)
    # Priors are those that there were.
    other.infer(restart=True, callback=None, train_kwargs=SHORT)
    assert other.server_fit.rounds == 1 and other.theta.shape == (20, 2)
    assert other.posterior.bounds[0].tolist() == pytest.approx([1e-9, 1e-7])


def test_a_saved_posterior_outlives_its_inference(make, tmp_path):
    inferencer = make(name="gone")
    posterior = inferencer.infer(60, callback=None, train_kwargs=SHORT,
                                 inference_method="SNPE_C",
                                 density_estimator_model="mdn",
                                 inference_kwargs={"ensemble": 2}, **BOUNDS)
    points = inferencer.theta[:5]
    draws, densities = posterior.sample(20, seed=4), posterior.log_prob(points)
    inferencer.save_posterior(tmp_path / "gone.zip")
    inferencer.server_fit.delete()
    other = make()
    found = other.load_posterior(tmp_path / "gone.zip")
    assert found.name.startswith("fits/posterior") and found.parameter_names == ["g", "k"]
    np.testing.assert_array_equal(found.sample(20, seed=4), draws)
    np.testing.assert_array_equal(found.log_prob(points), densities)
    assert len(found.summaries) == 1 and found.features == posterior.features


def test_theta_and_x_of_ones_own(make, tmp_path, capsys):
    inferencer = make()
    inferencer.init_prior(**BOUNDS)
    theta = inferencer.propose(80)
    np.savez(tmp_path / "data.npz", theta=theta, x=simulated(theta))
    inferencer.load_summary_statistics(tmp_path / "data.npz")
    posterior = inferencer.infer(inference_method="SNPE_C", train_kwargs=SHORT)
    assert capsys.readouterr().out.startswith("Round 0: validation loss")
    fit = inferencer.server_fit
    assert fit.spec.inference.HasField("simulator") and fit.message.samples_done == 80
    assert posterior.features[:2] == ["v_max_trace_0", "v_mean_trace_0"]
    assert posterior.parameter_names == ["g", "k"]
    # What it is conditioned on are the recordings.
    assert posterior.observation[0] == pytest.approx(-0.058)
    assert posterior.observation[5] == 1
    # The model is known all the same.
    traces = inferencer.generate_traces(3)
    assert traces["v"].shape == (3, 2, STEPS) and len(traces["spikes"]) == 3
    assert inferencer.generate_traces(output_var="v", at="map").shape == (2, STEPS)
    with pytest.raises(ValueError, match=r"theta = inferencer.propose\(n\)"):
        inferencer.infer()
    # Another round, of the posterior's draws, and one of what is proposed.
    theta = inferencer.sample((60,))
    inferencer.infer(theta=theta, x=simulated(theta), train_kwargs=SHORT, callback=None)
    theta = inferencer.propose(50)
    posterior = inferencer.infer_step(
        inferencer.posterior, theta=theta, x=simulated(theta), train_kwargs=SHORT,
        callback=None)
    assert [each.simulations for each in posterior.summaries] == [80, 140, 190]
    assert len(inferencer.pairplot()[1]) == 2
    x = simulated(inferencer.theta)
    with pytest.raises(ValueError, match="lies outside the prior"):
        make().infer(theta=inferencer.theta * 100, x=x, **BOUNDS)
    # In another process; and begun anew at the coordinator.
    inferencer.save_posterior(tmp_path / "posterior.zip")
    other = make()
    other.load_posterior(tmp_path / "posterior.zip")
    assert other.generate_traces(output_var="v").shape == (2, STEPS)
    inferencer.infer(30, restart=True, callback=None, train_kwargs=SHORT)
    assert not inferencer.server_fit.spec.inference.HasField("simulator")


def test_data_that_the_coordinator_simulated(make, tmp_path):
    """Step by step, with a file: it goes on by itself."""
    inferencer = make()
    prior = inferencer.init_prior(**BOUNDS)
    theta = inferencer.generate_training_data(40, prior)
    x = inferencer.extract_summary_statistics(theta)
    inferencer.save_summary_statistics(tmp_path / "data.npz")
    other = make()
    other.init_prior(**BOUNDS)
    theta, x = other.load_summary_statistics(tmp_path / "data.npz")
    inference = other.init_inference("SNPE", "mdn")
    posterior = other.infer_step(prior, inference, theta=theta, x=x, callback=None,
                                 train_kwargs=SHORT)
    assert not other.server_fit.spec.inference.HasField("simulator")
    assert np.array_equal(other.theta, theta)
    other.infer_step(posterior, inference, 30, callback=None)
    other.infer(20, callback=None)
    assert other.theta.shape == (90, 2) and inference.rounds == 3
    # Another x is one's own.
    second = other.init_inference("SNPE", "mdn")
    other.train(second, theta, x + 1e-3, callback=None, **SHORT)
    assert other.server_fit.spec.inference.HasField("simulator")
    assert inference.fit.state == "SUCCEEDED"
    with pytest.raises(ValueError, match="n_rounds is 2, but theta and x"):
        make().infer(theta=theta * 1.01, x=x, n_rounds=2, **BOUNDS)


def test_predictions_of_the_posterior(make):
    inferencer = make()
    inferencer.infer(60, callback=None, train_kwargs=SHORT, **BOUNDS)
    checks = inferencer.predictive_check(30)
    assert checks["v"].bands.shape == (5, 2, STEPS)
    assert (np.diff(checks["v"].bands, axis=0) >= 0).all()
    assert checks["spikes"].bands.shape == (5, 2)
    # By hand.
    traces = inferencer.generate_traces(30, output_var="v")
    recorded = np.asarray(inferencer._experiment.output_[0])
    away = np.sqrt(((np.asarray(traces) - recorded)**2).mean(axis=(1, 2)))
    assert checks["v"].distance == pytest.approx(np.median(away))
    axes = inferencer.plot_predictive(20)
    assert axes.shape == (2, 2)
    assert len(axes[0, 0].collections) == 2 and len(axes[0, 0].lines) == 2
    assert axes[0, 0].lines[1].get_ydata() == pytest.approx(recorded[0])
    assert "median distance" in axes[0, 0].get_ylabel()
    assert len(axes[1, 1].collections) == 21 and "1 spikes" in axes[1, 1].get_title()
    assert inferencer.plot_predictive(5, output_var="v", traces=[1]).shape == (1, 1)
    matplotlib.pyplot.close("all")
    for options, said in ((dict(traces=[2]), "there is no trace 2"),
                          (dict(traces=[]), "traces is empty"),
                          (dict(output_var="w"), "no recording of 'w'"),
                          (dict(n_samples=0), "n_samples")):
        with pytest.raises(ValueError, match=said):
            inferencer.plot_predictive(**options)
