"""Metrics and optimizers: their arguments, and that they are the coordinator's."""

import numpy as np
import pytest

import somafit
from somafit import metrics
from somafit.term_metrics import TermMetric
from somafit.units import Hz, mV, ms, second

from conftest import BOUNDS, PASSIVE, passive

NEEDED = {"huber": {"delta": 1 * mV}, "gamma_factor": {"delta": 0.2 * ms}}
def test_each_metric_of_the_catalogue_has_a_class(client):
    offered = {member.name for member in client.describe("metrics")}
    classes = metrics.catalogue()
    assert set(classes) == offered


def test_each_metric_is_taken_with_its_options(client):
    threshold = dict(threshold="v > -20*mV", reset="v = El")
    for name, kind in metrics.catalogue().items():
        if issubclass(kind, TermMetric):
            continue
        options = dict(NEEDED.get(name, {}), t_start=1 * ms)
        if name == "quantile":
            options["q"] = 0.25
        if name in ("van_rossum", "victor_purpura"):
            options.update({"tau": 5 * ms} if name == "van_rossum" else
                           {"cost": 50 * Hz})
        metric = kind(normalization=2, **options)
        output = {"v": passive()["output"]["v"]}
        if issubclass(kind, metrics.SpikeMetric):
            output = {"spikes": [[2.0] * ms, [1.5, 3.5] * ms]}
        fitter = somafit.TraceFitter(**passive(client=client, output=output,
                                               **threshold))
        fitter.fit(metric=metric, n_rounds=0, callback=None, **BOUNDS)
        stored = fitter.server_fit.spec.metrics[0]
        assert stored.metric == name
        assert {"t_start", "normalization"} <= {o.name for o in stored.options}


def test_terms_of_their_own_name(client):
    """Errors in the model language, and of groups of outputs."""
    three = "".join(f"x{i} = v*{i} + i*volt + t*volt/second : volt\n"
                    for i in range(1, 4))
    rng = np.random.default_rng(1)
    fitter = somafit.TraceFitter(**passive(
        client=client, model=PASSIVE + three,
        output={"v": passive()["output"]["v"], **{
            f"x{i}": rng.normal(size=(2, 50)) * mV for i in range(1, 4)}}))
    group = [f"x{i}" for i in range(1, 4)]
    fitter.fit(metric={
        "v": metrics.MSEMetric(normalization=10 * mV),
        "own": somafit.ExpressionMetric("abs(v - v_target)/mV", reduction="max",
                                        t_start=1 * ms),
        "together": somafit.FCCorrelationMetric(group)},
        n_rounds=1, callback="text", **BOUNDS)
    best = fitter.best_objective_errors_normalized
    assert list(best) == ["v", "own", "together"]
    assert sum(best.values()) == pytest.approx(fitter.best_error)
    traces = fitter.generate("v")
    differences = abs(traces - fitter.output[0])[:, 10:] / mV
    assert best["own"] == pytest.approx(differences.max(axis=1).mean())
    assert "own_error" in fitter.results("csv").split("\n")[0]
    fitter.fit(n_rounds=1, callback=None)
    for kind in (somafit.FCRMSEMetric, somafit.FCDCorrelationMetric,
                 somafit.FCDKSMetric, somafit.FCDWassersteinMetric):
        options = {"window": 10, "step": 2} if "FCD" in kind.__name__ else {}
        spec = kind(group, **options).spec("term")
        assert list(spec.outputs) == group and len(spec.options) == len(options)


def test_an_expression_alone(fitter):
    """It stands for outputs whose targets it names; constants are the caller's."""
    tolerance = 2 * mV  # noqa: F841
    fit = fitter()
    fit.fit(metric={"own": somafit.ExpressionMetric("abs(v - v_target)/tolerance")},
            n_rounds=1, callback=None, **BOUNDS)
    mean = np.abs(fit.generate() - fit.output[0]).mean()
    assert list(fit.best_objective_errors) == ["own"]
    assert fit.best_error == pytest.approx(mean / (2 * mV))
    tolerance = 3 * mV  # noqa: F841
    fit.fit(n_rounds=1, callback=None)  # without the metric, nobody needs it
    scaled = fitter()
    scaled.fit(metric={"own": somafit.ExpressionMetric(
        "abs(v - v_target)", unit="volt", normalization=2 * mV)}, n_rounds=1,
        callback=None, **BOUNDS)
    raw = scaled.best_objective_errors["own"]
    assert raw.has_same_dimensions(mV) and raw / (2 * mV) == pytest.approx(
        scaled.best_error)


@pytest.mark.parametrize("said, error, metric", [
    ("x1.*has none", ValueError,
     {"v": metrics.MSEMetric(), "own": somafit.ExpressionMetric("v/mV")}),
    ("'x9' is not an output", ValueError,
     {"v": metrics.MSEMetric(), "g": somafit.FCRMSEMetric(["x1", "x9"])}),
    ("term of its own", ValueError,
     {"v": somafit.ExpressionMetric("v/mV"), "x1": metrics.MSEMetric()}),
    ("term of its own", TypeError, somafit.ExpressionMetric("v/mV"))])
def test_terms_that_are_wrong(fitter, said, error, metric):
    fit = fitter(model=PASSIVE + "x1 = v : volt\n",
                 output={"v": passive()["output"]["v"],
                         "x1": passive()["output"]["v"]})
    with pytest.raises(error, match=said):
        fit.fit(metric=metric, **BOUNDS)


def test_each_metric_of_the_same_options_is_equal():
    assert metrics.MSEMetric() == metrics.MSEMetric(t_start=0 * second)
    assert metrics.MSEMetric(1 * ms) == metrics.MSEMetric("0.001*second")
    assert metrics.MSEMetric() != metrics.MAEMetric()
    assert metrics.MSEMetric() != metrics.MSEMetric(normalization=10 * mV)
    assert somafit.NevergradOptimizer() == somafit.DifferentialEvolution()
    assert somafit.Optimizer("de", CR=0.3) != somafit.DifferentialEvolution()
    assert "normalization=0.01*volt" in repr(metrics.MSEMetric(
        normalization=10 * mV))


@pytest.mark.parametrize("what, error, made", [
    ("t_weights", ValueError,
     lambda: metrics.MSEMetric(t_start=1 * ms, t_weights=np.ones(3))),
    ("t_weights", ValueError, lambda: metrics.MSEMetric(t_weights=[1, -1])),
    ("t_weights", ValueError, lambda: metrics.MSEMetric(t_weights=[0, 0])),
    ("t_weights", ValueError, lambda: metrics.MSEMetric(t_weights=[[1, 2]])),
    ("t_weights", ValueError, lambda: metrics.MSEMetric(t_weights=[1, np.nan])),
    ("t_start", somafit.DimensionMismatchError, lambda: metrics.MSEMetric(5)),
    ("t_start", ValueError, lambda: metrics.MSEMetric(-1 * ms)),
    ("normalization", ValueError, lambda: metrics.MSEMetric(normalization=0)),
    ("normalization", ValueError,
     lambda: metrics.MSEMetric(normalization=np.ones(2))),
    ("normalization", somafit.DimensionMismatchError,
     lambda: metrics.CorrelationMetric(normalization=1 * mV)),
    ("delta", TypeError, lambda: metrics.GammaFactor()),
    ("delta", somafit.DimensionMismatchError, lambda: metrics.GammaFactor(2)),
    ("delta", ValueError, lambda: metrics.GammaFactor(-2 * ms)),
    ("time", somafit.DimensionMismatchError,
     lambda: metrics.GammaFactor(2 * ms, 3 * mV)),
    ("q", ValueError, lambda: metrics.QuantileMetric(2)),
    ("eFEL", NotImplementedError,
     lambda: metrics.FeatureMetric([(1, 2)], ["voltage_base"])),
    ("\"CMA\".*\"DE\"", NotImplementedError,
     lambda: somafit.NevergradOptimizer("CMA")),
    ("method", TypeError, lambda: somafit.NevergradOptimizer(object())),
    ("sigma", TypeError, lambda: somafit.NevergradOptimizer("DE", sigma=3)),
    ("budget", ValueError, lambda: somafit.NevergradOptimizer(budget=0)),
    ("recommendation", NotImplementedError, lambda: somafit.NevergradOptimizer(
        use_nevergrad_recommendation=True)),
    ("Skopt", NotImplementedError, lambda: somafit.SkoptOptimizer("GP")),
    ("Simulator", NotImplementedError, somafit.RuntimeSimulator),
    ("scale", ValueError, lambda: somafit.Bounds(1, 2, scale="cubic")),
    ("fixed", ValueError, lambda: somafit.Bounds(1, 2, fixed=3)),
    ("low", ValueError, lambda: somafit.Bounds(1)),
    ("outputs", ValueError, lambda: somafit.FCRMSEMetric(["v"])),
    ("outputs", TypeError, lambda: somafit.FCRMSEMetric("v")),
    ("expression", TypeError, lambda: somafit.ExpressionMetric(None)),
    ("reduction", ValueError,
     lambda: somafit.ExpressionMetric("v", reduction="min")),
])
def test_mistakes_name_the_argument(what, error, made):
    with pytest.raises(error, match=what):
        made()


def test_metrics_in_python_are_refused_with_a_reason(fitter):
    class Own(somafit.TraceMetric):
        def get_features(self, model, data, dt):
            return abs(model - data)

    class Changed(somafit.MSEMetric):
        def get_errors(self, features):
            return features.max(axis=1)

    for metric in (Own(), Changed()):
        with pytest.raises(NotImplementedError, match="ask and tell"):
            fitter().fit(metric=metric, **BOUNDS)


def test_an_unknown_optimizer_is_refused_with_a_list(fitter):
    with pytest.raises(somafit.InvalidFitError, match="known are.*de"):
        fitter().fit(somafit.Optimizer("gradients"), **BOUNDS)
    with pytest.raises(somafit.InvalidFitError, match="CR"):
        fitter().fit(somafit.DifferentialEvolution(CR=7), **BOUNDS)


def test_options_of_optimizers_are_sent(fitter):
    fit = fitter()
    fit.fit(somafit.DifferentialEvolution(population=8, F=0.5), n_rounds=1,
            callback=None, **BOUNDS)
    options = {o.name: o.text for o in fit.server_fit.spec.optimizer.options}
    assert options == {"population": "8.0", "F": "0.5"}
    assert fit.optimizer == somafit.Optimizer("de", population=8, F=0.5)


def test_helpers_of_the_original():
    assert np.isnan(somafit.firing_rate([0.1]))
    assert somafit.firing_rate([0.1, 0.2, 0.3]) == pytest.approx(10)
    assert somafit.firing_rate([100, 200] * ms) == pytest.approx(10)
    np.testing.assert_allclose(somafit.normalize_weights([0, 2]), [0, 2])
    assert somafit.make_dic(["a", "b"], [1, 2]) == {"a": 1, "b": 2}
    assert somafit.calc_bounds(["a", "b"], b=[1, 2], a=[3, 4]) == [[3, 4], [1, 2]]
    with pytest.raises(TypeError, match="'b'"):
        somafit.calc_bounds(["a", "b"], a=[1, 2])
    assert "g : siemens" in PASSIVE
