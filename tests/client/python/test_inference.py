"""The Inferencer, against a coordinator that is made up."""

import json
import pathlib

import matplotlib
import numpy as np
import pytest

matplotlib.use("Agg")

import somafit
import yaml
from fake_coordinator import MEAN, NAMES, theta_of
from fake_inferencer import (  # noqa: F401
    BOUNDS, FEATURES, MODEL, STEPS, arguments, fake, inferencer, posterior)
from somafit import Bounds, Inferencer, Prior, features, posterior_nn
from somafit.fit_spec import fit_spec
from somafit.inference_run import Inference, algorithm_of, device_of
from somafit.simulations import feature_columns
from somafit.units import mV, ms, nS
from somafit.v1 import fit_pb2

# Features and what goes over the wire.

def test_features_are_described():
    specs = features.feature_specs(FEATURES)
    assert [(each.output, each.feature) for each in specs] == [
        ("v", "max"), ("v", "mean"), ("spikes", "spike_count")]
    assert specs[0].options[0].name == "t_start"
    assert specs[0].options[0].text == "0.001*second"
    assert features.max(t_end="3*ms", label="top").spec("v").name == "top"
    assert features.Feature("new", q=0.5).spec("v").options[0].text == "0.5"
    assert features.min() == features.Feature("min") != features.max()


def test_raw_traces(fake):
    inferencer = Inferencer(**arguments(
        client=fake.client, features=None, output={
            "v": np.full((2, STEPS), -60.0) * mV, "w": np.zeros((2, STEPS)) * mV},
        model=MODEL + "w = 2*v : volt\n", threshold=None, reset=None))
    posterior = inferencer.infer(50, callback=None, inference_kwargs={
        "embedding": [{"kind": "conv1d", "size": 8}, "gru"], "input_shape": [2, 20]},
        **BOUNDS)
    spec = inferencer.server_fit.spec.inference
    assert [(each.output, each.feature) for each in spec.features] == [
        ("v", "trace"), ("w", "trace")]
    assert list(spec.estimator.input_shape) == [2, 20]
    assert posterior.features == ["v[0][4]", "v[0][9]", "v[0][14]",
                                  "v[1][4]", "v[1][9]", "v[1][14]"]
    assert inferencer.x.shape == (50, 6) and inferencer.x.dtype == np.float32
    np.testing.assert_allclose(inferencer.x[:, 4] - inferencer.theta[:, 1], 101,
                               rtol=1e-6)
    assert list(inferencer.server_fit.results("dict"))[-1] == "v[1][14]"
    with pytest.raises(ValueError, match=r"x has 2 numbers, but there are 6 features"):
        posterior.sample((3,), x=[1, 2])
    xs = np.arange(12.0).reshape(2, 6)
    assert posterior.sample_batched(3, xs).shape == (3, 2, 2)
    assert posterior.log_prob_batched(np.tile(MEAN, (4, 2, 1)), xs).shape == (4, 2)
    with pytest.raises(ValueError, match=r"observations x 6\], for v\[0\]\[4\], "):
        posterior.sample_batched(3, xs[:, :5])
    posterior.message.trace_columns[0].count = 30
    with pytest.raises(ValueError, match=r"x 33\], for v\[0\]\[4\], \.\.\., v\[1\]"):
        posterior.sample_batched(3, xs)
    assert features.trace(t_start=1 * ms, every=10).spec("v").options[1].text == "10.0"


@pytest.mark.parametrize("given, error, said", [
    ({"v": [lambda trace: trace.max()]}, NotImplementedError,
     "features of 'v': <lambda> is a function of Python.*max, min, mean"),
    ({"v": [np.max]}, NotImplementedError, "features of 'v': .*max"),
    ({"v": [3]}, TypeError, "features of 'v': 3 is none"),
    ({"v": []}, ValueError, "features of 'v' are empty"),
    (["max"], TypeError, "features must be a mapping"),
    ({"v": ["max"]}, ValueError, "the output 'spikes' has none"),
    ({**FEATURES, "w": ["max"]}, ValueError, "'w' is not an output"),
    (None, ValueError, "spikes have no raw trace"),
    ({}, ValueError, "has none; give features for each output"),
])
def test_wrong_features(given, error, said):
    with pytest.raises(error, match=said):
        Inferencer(**arguments(features=given))


def test_a_description_as_a_mapping():
    spec = fit_spec({
        "parameters": {"g": {"bounds": ["1*nS", "2*nS"], "prior": "log_uniform"},
                       "h": {"prior": {"name": "normal", "options": {
                           "mean": 10 * nS, "sigma": "1*nS"}}}},
        "inference": {"features": {"v": ["max"]}, "algorithm": "npe_b", "estimator": {
            "name": "maf", "options": {"hidden_features": 20},
            "embedding": ["gru", {"kind": "conv1d", "size": 8}]},
            "training": {"learning_rate": 1e-3}, "observation": [1, 2]}})
    assert spec.parameters[0].prior.name == "log_uniform"
    assert [each.text for each in spec.parameters[1].prior.options] == [
        "1e-08*siemens", "1*nS"]
    assert spec.parameters[1].bounds == ""
    assert spec.inference.estimator.embedding[0].kind == "gru"
    assert spec.inference.training.learning_rate == 1e-3
    assert fit_spec({"inference": {"features": [
        {"output": "v", "feature": "max", "options": {"t_end": 1 * ms}}],
        "estimator": "mdn"}}).inference.estimator.name == "mdn"
    for wrong in ({"training": {"speed": 1}}, {"estimator": {"nam": "maf"}},
                  {"estimators": "maf"}):
        with pytest.raises(ValueError, match="is not known"):
            fit_spec({"inference": wrong})


def test_columns_of_x_are_output_by_output():
    inference = fit_pb2.InferenceSpec()
    for output, feature in (("v", "max"), ("w", "mean"), ("v", "max")):
        inference.features.add(output=output, feature=feature)
    names, order = feature_columns(inference, 2)
    assert names == ["v_max_trace_0", "v_max_2_trace_0", "v_max_trace_1",
                     "v_max_2_trace_1", "w_mean_trace_0", "w_mean_trace_1"]
    assert order == [0, 4, 1, 5, 2, 3]
    assert feature_columns(inference, 2, names[4:] + names[:4])[1] == [2, 3, 0, 4, 1, 5]
    assert feature_columns(inference, 1)[0] == ["v_max_trace_0", "v_max_2_trace_0",
                                                "w_mean_trace_0"]


# The Inferencer's arguments.

def test_methods_and_devices():
    assert algorithm_of("snpe") == "tsnpe" and algorithm_of("SNPE-C") == "npe_c"
    assert device_of("GPU") == "gpu" and device_of("cuda:1") == "cuda:1"
    for method in ("SNLE", "snre"):
        with pytest.raises(NotImplementedError, match="likelihoods or ratios"):
            algorithm_of(method)
    with pytest.raises(NameError, match="there is no \"ABC\""):
        algorithm_of("ABC")
    with pytest.raises(ValueError, match="sbi_device"):
        device_of("tpu")


@pytest.mark.parametrize("model, options, error, said", [
    ("birds", {}, ValueError, "density_model: there is no \"birds\""),
    (lambda: None, {}, NotImplementedError, "torch.jit.script"),
    ("maf", {"embedding_net": object()}, NotImplementedError, "embedding_net"),
    ("maf", {"embedding": [{"kid": "gru"}]}, ValueError, "\"kid\" is not known"),
])
def test_wrong_nets(model, options, error, said):
    with pytest.raises(error, match=said):
        Inference("SNPE", model, "cpu", options)


def test_training_options():
    inference = Inference("SNPE", "maf", "cuda", {"hidden_features": 30, "ensemble": 2})
    assert inference.estimator.ensemble == 2
    assert inference.estimator.options[0].text == "30.0"
    spec = inference.training({"clip_max_norm": None, "stop_after_epochs": 5,
                               "show_train_summary": True})
    assert spec.device == "cuda" and spec.HasField("clip_max_norm")
    assert spec.clip_max_norm == 0 and spec.stop_after_epochs == 5
    with pytest.raises(TypeError, match="no option \"speed\""):
        inference.training({"speed": 1})
    with pytest.raises(NotImplementedError, match="calibration_kernel"):
        inference.training({"calibration_kernel": len})
    spec = inference.training({"calibration_kernel": "box",
                               "calibration_bandwidth": 0.5})
    assert spec.calibration_kernel == "box" and spec.calibration_bandwidth == 0.5
    assert inference.training({"calibration_kernel": None}).calibration_kernel == ""
    with pytest.raises(NotImplementedError, match="^train_kwargs: resume_training"):
        inference.training({"resume_training": True})


def test_nets_of_mappings():
    nets = [Inference("SNPE", "nsf", "cpu", {
        "z_score_x": given, "z_score_theta": "transform_to_unconstrained",
        "embedding": "gru", "input_shape": 20}) for given in (None, False, "none")]
    assert nets[0].estimator == nets[1].estimator == nets[2].estimator
    assert {each.name: each.text for each in nets[0].estimator.options} == {
        "z_score_x": "none", "theta_space": "unconstrained"}
    assert [each.kind for each in nets[0].estimator.embedding] == ["gru"]
    assert list(nets[0].estimator.input_shape) == [20]
    net = Inference("SNPE", posterior_nn("nsf", num_bins=5, ensemble=2), "cpu",
                    {"num_bins": 6, "embedding": {"kind": "conv1d", "size": 4}})
    assert net.estimator.name == "nsf" and net.estimator.ensemble == 2
    assert net.estimator.options[0].text == "6.0"
    assert net.estimator.embedding[0].size == 4


def test_files_of_examples():
    """Client.submit takes the mappings of files."""
    examples = pathlib.Path(__file__).resolve().parents[3] / "client/examples"
    loaded = {}
    for name in ("hodgkin_huxley/inference", "hodgkin_huxley/raw_traces",
                 "integrate_and_fire/inference"):
        description = yaml.safe_load((examples / f"{name}.yaml").read_text())
        del description["data"]
        loaded[name] = fit_spec(description).inference
    found = loaded["hodgkin_huxley/inference"].features
    assert [each.feature for each in found] == [
        "max", "mean", "std", "kurtosis", "mean", "mean", "spike_count"]
    assert [each.name for each in found[4:]] == ["v_rest", "v_end", ""]
    assert [(each.name, each.text) for each in found[3].options] == [
        ("t_start", "5*ms"), ("t_end", "10*ms"), ("pearson", "true")]
    assert loaded["hodgkin_huxley/raw_traces"].features[0].options[0].name == "every"
    assert loaded["integrate_and_fire/inference"].features[1].output == "spikes"
    own = fit_spec({"inference": {"simulator": {"features": ["a", "b"]}}}).inference
    assert own.HasField("simulator") and list(own.simulator.features) == ["a", "b"]
    with pytest.raises(ValueError, match="features of 'v': \"kind\" is not known"):
        features.feature_specs({"v": {"kind": "max"}})


@pytest.mark.parametrize("call, error, said", [
    (lambda i: i.infer(50), TypeError, "Bounds must be set for parameter 'g'"),
    (lambda i: i.infer(50, h=[1, 2]), ValueError, "'h' is not a parameter"),
    (lambda i: i.infer(**BOUNDS), ValueError, "n_samples: give it, or theta and x"),
    (lambda i: i.infer(50, n_rounds=0, **BOUNDS), ValueError, "n_rounds"),
    (lambda i: i.infer(50, n_rounds=1.5, **BOUNDS), ValueError, "n_rounds"),
    (lambda i: i.infer(50, g=[1 * mV, 2 * mV], k=[0, 1]), ValueError, "siemens"),
    (lambda i: i.infer(50, inference_method="SNRE", **BOUNDS), NotImplementedError,
     "SNRE"),
    (lambda i: i.infer(theta=np.ones((3, 2)), **BOUNDS), ValueError, "give both"),
    (lambda i: i.infer(theta=np.ones((3, 3)), x=np.ones((3, 6)), **BOUNDS), ValueError,
     "theta has the shape"),
    (lambda i: i.infer(theta=np.ones((3, 2)), x=np.ones((3, 5)), **BOUNDS), ValueError,
     "x has the shape"),
    (lambda i: i.sample(), ValueError, "posterior: there is none yet"),
    (lambda i: i.pairplot(), ValueError, "posterior: there is none yet"),
    (lambda i: i.save_summary_statistics("a.npz"), AttributeError, "no data yet"),
    (lambda i: i.train(None), ValueError, "there are no data yet"),
    (lambda i: i.generate_training_data(3), ValueError, "call init_prior first"),
    (lambda i: i.infer_step(), ValueError, "call init_inference first"),
    (lambda i: i.n_neurons, ValueError, "generate data first"),
    (lambda i: i.server_fit, somafit.NotFittedError, "call infer first"),
    (lambda i: i.build_posterior(sample_with="mcmc"), NotImplementedError, "mcmc"),
    (lambda i: i.build_posterior(sample_with="dice"), ValueError,
     "there is no \"dice\""),
    (lambda i: i.build_posterior(speed=1), TypeError, "no option \"speed\""),
    (lambda i: i.infer(50, posterior_kwargs={"speed": 1}, **BOUNDS), TypeError,
     "posterior_kwargs: there is no option \"speed\""),
    (lambda i: i.infer_step(posterior_kwargs={"sample_with": "dice"}), ValueError,
     "posterior_kwargs: sample_with"),
    (lambda i: i.infer(theta=3, x=4, **BOUNDS), ValueError, "theta has the shape"),
    (lambda i: i.infer(theta=np.ones((3, 2)), x=4, **BOUNDS), ValueError,
     r"x has the shape \(\); it must be \[3 x 6\]"),
    (lambda i: i.extract_summary_statistics(object()), TypeError, "theta"),
])
def test_wrong_calls(inferencer, call, error, said):
    with pytest.raises(error, match=said):
        call(inferencer)


# All in one.

def test_infer(fake, inferencer, capsys):
    posterior = inferencer.infer(
        50, n_rounds=2, inference_method="SNPE_C", density_estimator_model="nsf",
        inference_kwargs={"num_bins": 8}, train_kwargs={"learning_rate": 1e-3},
        g=Bounds(1 * nS, 100 * nS, prior=Prior("log_uniform")), k=[0, 4])
    assert capsys.readouterr().out.splitlines()[:2] == [
        "Round 0: validation loss 1 nats after 2 epochs, 50 simulations, 50 % inside "
        "the prior", "  a word"]
    spec = inferencer.server_fit.spec
    assert [each.name for each in spec.parameters] == NAMES  # sorted
    assert spec.parameters[0].prior.name == "log_uniform" and spec.stop.rounds == 2
    assert spec.inference.algorithm == "npe_c" and spec.seed == 7
    assert spec.inference.estimator.name == "nsf"
    assert spec.inference.training.learning_rate == 1e-3
    assert [each.feature for each in spec.inference.features] == [
        "max", "mean", "spike_count"]
    assert not spec.metrics and spec.model.threshold == "v > -50*mV"
    assert inferencer.theta.shape == (100, 2) and inferencer.x.shape == (100, 6)
    np.testing.assert_array_equal(inferencer.theta[:50], theta_of(7, 0, 50))
    np.testing.assert_allclose(inferencer.x[0] - inferencer.theta[0, 1],
                               [0, 10, 100, 110, 20, 120])
    assert inferencer.n_neurons == 100 and len(posterior.summaries) == 2
    # Goes on: one round more, of the same description.
    inferencer.infer(callback=None)
    again = inferencer.server_fit.spec
    assert again.stop.rounds == 3 and again.inference == spec.inference
    assert not fake.fits.continued[-1].restart and len(fake.fits.fits) == 1
    inferencer.infer(60, n_rounds=2, train_kwargs={"clip_max_norm": None},
                     inference_method="SNPE_C", callback=None)
    request = fake.fits.continued[-1]
    assert request.n_samples == 60 and request.stop.rounds == 2
    assert request.inference.training.clip_max_norm == 0
    assert request.inference.training.learning_rate == 1e-3  # stays
    for changes, said in (
            (BOUNDS, "bounds"), ({"inference_method": "SNPE_B"}, "inference_method"),
            ({"density_estimator_model": "mdn"}, "density_estimator_model"),
            ({"inference_kwargs": {"num_bins": 5}}, "inference_kwargs"),
            ({"theta": np.ones((60, 2)), "x": np.ones((60, 6))}, "theta and x")):
        with pytest.raises(ValueError, match=f"{said}.*restart=True"):
            inferencer.infer(50, **changes)
    # Begins anew, as a stage of the same inference.
    before, copy = inferencer.posterior, posterior.set_default_x([0] * 6)
    other = inferencer.infer(70, restart=True, inference_method="SNPE_B", callback=None,
                             g=[1 * nS, 50 * nS], k=[0, 1])
    request = fake.fits.continued[-1]
    assert request.restart and request.n_samples == 70 and request.stop.rounds == 1
    assert request.inference.algorithm == "npe_b" and len(request.parameters) == 2
    assert request.inference.estimator.name == "maf" and not request.inference.features
    for gone in (before, copy, posterior):
        with pytest.raises(somafit.WrongStateError, match="begun anew"):
            gone.sample(1)
    assert other.sample(1).shape == (1, 2)


def test_callbacks_see_rounds_and_may_stop(inferencer):
    seen = []
    inferencer.infer(10, n_rounds=2, callback=lambda event: seen.append(event),
                     **BOUNDS)
    assert [event.round for event in seen] == [0, 1]
    assert seen[1].training.best_validation_loss == 0
    with pytest.raises(TypeError, match="callback"):
        inferencer.infer(10, restart=True, callback="loud", **BOUNDS)


# Step by step.

def test_steps(fake, inferencer, tmp_path):
    prior = inferencer.init_prior(**BOUNDS)
    theta = inferencer.generate_training_data(50, prior)
    assert fake.fits.fits == {}  # it was there for its data alone
    x = inferencer.extract_summary_statistics(theta)
    assert theta.shape == (50, 2) and x.shape == (50, 6)
    with pytest.raises(NotImplementedError, match="points of one's own"):
        inferencer.extract_summary_statistics(theta + 1)
    file = tmp_path / "data.npz"
    inferencer.save_summary_statistics(file)
    with np.load(file) as loaded:
        assert set(loaded.files) == {"theta", "x"}
    # Another process: the data of the file are those of this seed.
    other = Inferencer(**arguments(client=fake.client))
    assert np.array_equal(other.load_summary_statistics(file)[0], theta)
    other.init_prior(**BOUNDS)
    inference = other.init_inference("SNPE", "maf", sbi_device="gpu")
    posterior = other.infer_step(prior, inference, theta=theta, x=x, callback=None)
    assert other.server_fit.spec.n_samples == 50 and inference.rounds == 1
    assert other.server_fit.spec.inference.training.device == "gpu"
    other.infer_step(posterior, inference, 20, callback=None)
    assert other.server_fit.spec.stop.rounds == 2 and inference.rounds == 2
    assert other.server_fit.spec.n_samples == 20
    other.infer(callback=None)
    assert other.server_fit.spec.stop.rounds == 3
    # Another inference leaves that one alone.
    second = other.init_inference("SNPE_B", "mdn")
    other.infer_step(prior, second, 30, callback=None)
    assert second.fit.name != inference.fit.name and len(fake.fits.fits) == 2
    with pytest.raises(ValueError, match="simulated the rounds so far"):
        other.train(inference, theta, x, callback=None)
    np.savez(tmp_path / "bad.npz", a=theta)
    with pytest.raises(ValueError, match="bad.npz: has the arrays a"):
        inferencer.load_summary_statistics(tmp_path / "bad.npz")


# Plots and traces.

def test_pairplot(inferencer, posterior):
    inferencer.sample((200,))
    figure, axes = inferencer.pairplot(
        points={"g": 20 * nS, "k": 2}, limits={"k": (0, 4)}, labels={"g": "leak"},
        ticks={"k": [0, 2, 4]})
    assert axes.shape == (2, 2) and axes[0, 0].get_xlabel() == "leak"
    assert axes[1, 1].get_xlim() == (0, 4) and axes[0, 1].get_xlim() == (0, 4)
    assert axes[1, 1].get_xticks().tolist() == [0, 2, 4]
    assert len(axes[0, 1].lines) == 1 and len(axes[0, 1].images) == 1
    _, axes = inferencer.pairplot(subset=["k"])
    assert axes.shape == (1, 1) and axes[0, 0].get_xlabel() == "k"
    _, axes = inferencer.conditional_pairplot({"g": 20 * nS, "k": 2})
    image = axes[0, 1].images[0].get_array()
    assert image.shape == (50, 50) and axes[0, 0].get_xlabel() == "g [siemens]"
    # Rows of the wire are the second parameter's, which is to the right.
    assert image[0, 1] > image[1, 0]
    matplotlib.pyplot.close("all")
    for options, said in ((dict(points={"g": 1}), "points: the parameter 'k'"),
                          (dict(limits={"z": (0, 1)}), "limits: there is no .*'z'"),
                          (dict(limits={"g": 3}), r"limits\['g'\] must be two"),
                          (dict(ticks={"z": []}), "ticks: there is no"),
                          (dict(labels=["a"]), "labels must be a mapping")):
        with pytest.raises((ValueError, TypeError), match=said):
            inferencer.pairplot(**options)
    with pytest.raises(NotImplementedError, match="limits"):
        inferencer.conditional_corrcoeff(MEAN, limits={})
    assert inferencer.conditional_corrcoeff(MEAN).shape == (2, 2)


def test_histograms():
    from somafit.plots import bin_edges, limits_of
    assert bin_edges(np.arange(8.0), (0, 7)).tolist() == [0, 3.5, 7]
    assert bin_edges(np.full(5, 2.0), (1, 3)).tolist() == [1, 3]
    assert len(bin_edges(np.append(np.arange(99) * 1e-9, 1), (0, 1))) == 501
    assert limits_of(np.array([[1.0], [3.0]]), np.zeros((0, 1))) == [(0.8, 3.2)]


def test_traces_of_the_posterior(fake, inferencer, posterior):
    several = inferencer.generate_traces(3)
    assert set(several) == {"v", "spikes"} and several["v"].shape == (3, 2, 3)
    assert len(several["spikes"]) == 3 and len(several["spikes"][0]) == 2
    v = inferencer.generate_traces(output_var="v", at="map",
                                   param_init={"v": -70 * mV})
    assert v.shape == (2, 3) and v.dim == (1 * mV).dim
    request = fake.fits.generated[-1]
    assert list(request.points) == MEAN.tolist() and list(request.outputs) == ["v"]
    assert request.initial_values[0].text == "-0.07*volt"
    # Nothing of it stays.
    inferencer.generate_traces(output_var="v")
    assert not fake.fits.generated[-1].initial_values
    inferencer.generate_traces(1000, output_var=["v"], at="mean")
    assert np.allclose(fake.fits.generated[-1].points, MEAN, rtol=0.1)
    with pytest.raises(ValueError, match="at: \"median\" is none"):
        inferencer.generate_traces(at="median")


def test_results(fake, inferencer, posterior, tmp_path):
    fit = inferencer.server_fit
    found = fit.results("dict")
    assert list(found) == ["sample", "round", "g", "k", "v_max_trace_0",
                           "v_mean_trace_0", "v_max_trace_1", "v_mean_trace_1",
                           "spikes_spike_count_trace_0", "spikes_spike_count_trace_1"]
    assert fit.results("dataframe").shape == (50, 10)
    assert len(fit.results()) == 50 and len(json.loads(fit.results("json"))) == 50
    assert fit.results("csv").splitlines()[0].startswith(
        "sample,stage,round,status,g,k,v_max_trace_0")
    fit.results("npz", file=tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz") as loaded:
        assert loaded["x"].shape == (50, 6)
    events = list(fit.watch())
    assert events[0].training.simulations == 50 and fit.phase == ""
    assert fake.client.posterior(fit).round is None
