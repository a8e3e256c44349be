"""Wrong calls: each gives a clear message that names the argument.

The tables are those of the original's arguments. `ours` marks rows where what the
original refuses is taken here, or the other way round, on purpose.
"""

import warnings

import numpy as np
import pytest

import somafit
from somafit import (DifferentialEvolution, DimensionMismatchError, GammaFactor,
                     MAEMetric, MSEMetric, OnlineTraceFitter, SpikeFitter,
                     TraceFitter)
from somafit.units import mV, ms, nA, nS, pF

from conftest import BOUNDS, PASSIVE, STEPS, passive

I = np.ones((2, STEPS)) * nA
V = np.full((2, STEPS), -60.0) * mV
TWO = PASSIVE + "w = v/mV : 1\n"
SPIKING = dict(dt=0.1 * ms, model=PASSIVE, input={"I": I}, output=[[], [1 * ms]],
               threshold="v > -50*mV", reset="v = El", param_init={"v": "El"},
               namespace={"El": -65 * mV, "C": 200 * pF})


def make(kind=TraceFitter, **changes):
    arguments = dict(SPIKING) if kind is SpikeFitter else passive()
    if kind is OnlineTraceFitter:
        arguments["n_samples"] = 30
    arguments.update(changes)
    return kind(**arguments)


INPUT = [
    # what is said, exception, arguments
    ("input_var.*'J'.*'I'", ValueError, dict(input_var="J", input={"I": I})),
    ("input must be a mapping", TypeError, dict(input=I)),
    ("input must be a mapping", TypeError, dict(input=[[1, 2], [3, 4]])),
    ("input: 'J' is not used", NameError, dict(input={"J": I})),
    # ours: several inputs are fine, as long as the equations use them.
    ("input: 'J' is not used", NameError, dict(input={"I": I, "J": I})),
    ("input 'I' must be a two-dimensional", ValueError,
     dict(input={"I": np.ones(STEPS) * nA})),
    ("input 'I' must be a two-dimensional", ValueError,
     dict(input={"I": np.ones((2, 3, 4)) * nA})),
    ("input 'I' must be a two-dimensional", ValueError, dict(input={"I": [1.0, 2.0]})),
    ("input 'I'", ValueError, dict(input={"I": [[1.0, 2.0], [3.0]]})),
    ("input 'I'", TypeError, dict(input={"I": None})),
    ("input 'I'.*trace 1, step 2", ValueError, dict(
        input={"I": [[1.0] * STEPS, [1, 1, np.nan] + [1] * (STEPS - 3)]})),
    ("input is empty", ValueError, dict(input={})),
    ("input_var must be a name", TypeError, dict(input=I, input_var=3)),
    ("input: 'v' is defined", NameError, dict(input={"v": I})),
]

OUTPUT = [
    (TraceFitter, "output_var.*'w'.*'v'", ValueError,
     dict(output_var="w", output={"v": V})),
    (TraceFitter, "output_var.*'v', 'w'", ValueError,
     dict(model=TWO, output_var=["v", "w"], output={"v": V})),
    (TraceFitter, "output_var has 2 names", ValueError,
     dict(model=TWO, output_var=["v", "w"], output=[V])),
    (TraceFitter, "output must be a mapping", TypeError, dict(output=V)),
    (TraceFitter, "output must be a mapping", TypeError, dict(output=[V])),
    (TraceFitter, "output: 'u' is not defined", NameError, dict(output={"u": V})),
    (TraceFitter, "output: 'I' is not defined", NameError, dict(output={"I": V})),
    (TraceFitter, "output 'v' is in amp", DimensionMismatchError,
     dict(output={"v": I})),
    (TraceFitter, "output 'v' is in 1", DimensionMismatchError,
     dict(output={"v": V / mV})),
    (TraceFitter, "output 'v' has the shape", ValueError,
     dict(output={"v": V[:, :-1]})),
    (TraceFitter, "output 'w' has the shape", ValueError,
     dict(model=TWO, output={"v": V, "w": np.ones((1, STEPS))})),
    (TraceFitter, "output 'v'", ValueError, dict(output={"v": V[0]})),
    (TraceFitter, "output is empty", ValueError, dict(output={})),
    (TraceFitter, "output 'spikes'", ValueError,
     dict(threshold="v > 0*mV", reset="", output={"spikes": [[1 * ms]]})),
    (OnlineTraceFitter, "output: 'u' is not defined", NameError,
     dict(output={"u": V})),
    (OnlineTraceFitter, "output 'v' has the shape", ValueError,
     dict(output={"v": V[:, :-1]})),
    (OnlineTraceFitter, "output 'v'", ValueError,
     dict(output={"v": [[1.0 * mV, 2 * mV]]})),
    (OnlineTraceFitter, "output must be one variable", ValueError,
     dict(model=TWO, output={"v": V, "w": V / mV})),
    (SpikeFitter, "output must be spike times", ValueError,
     dict(output={"v": V})),
    (SpikeFitter, "output 'spikes'.*1 spike trains", ValueError,
     dict(output=[[]])),
    (SpikeFitter, "output 'spikes'.*trace 0", ValueError,
     dict(output=[[7 * ms], []])),
    (SpikeFitter, "output 'spikes'", TypeError, dict(output=5)),
]

OTHER = [
    (TraceFitter, "param_init: 'u'", ValueError, dict(param_init={"u": 1 * mV})),
    (TraceFitter, "param_init: 'w'", ValueError,
     dict(model=TWO, param_init={"w": 1})),
    (TraceFitter, "param_init must be", TypeError, dict(param_init=[1])),
    (TraceFitter, r"param_init\['v'\]", TypeError, dict(param_init={"v": V})),
    (TraceFitter, "dt must be a quantity", DimensionMismatchError, dict(dt=0.1)),
    (TraceFitter, "dt must be a quantity", DimensionMismatchError, dict(dt=1 * mV)),
    (TraceFitter, "dt is", ValueError, dict(dt=0 * ms)),
    (TraceFitter, "dt", ValueError, dict(dt="a while")),
    (TraceFitter, "model must be", TypeError, dict(model=None)),
    (TraceFitter, "n_samples", ValueError, dict(n_samples=0)),
    (TraceFitter, "n_samples", ValueError, dict(n_samples=2.5)),
    (TraceFitter, "n_samples", TypeError, dict(n_samples="many")),
    (TraceFitter, "seed", ValueError, dict(seed=-1)),
    (TraceFitter, "refractory", TypeError, dict(refractory=3 * mV)),
    (TraceFitter, "refractory", TypeError, dict(refractory=True)),
    (TraceFitter, "threshold", TypeError, dict(threshold=5)),
    (TraceFitter, "penalty", TypeError, dict(penalty=5)),
    (TraceFitter, "client", TypeError, dict(client="here")),
    (TraceFitter, "namespace", TypeError, dict(namespace=["El"])),
    (TraceFitter, "fast", TypeError, dict(fast=True)),
    (SpikeFitter, "threshold is missing", TypeError, dict(threshold=None)),
    (SpikeFitter, "reset is missing", TypeError, dict(reset=None)),
    (OnlineTraceFitter, "t_start", DimensionMismatchError, dict(t_start=5)),
    (OnlineTraceFitter, "t_start", ValueError, dict(t_start=-5 * ms)),
]


@pytest.mark.parametrize("said, error, changes", INPUT)
def test_input(said, error, changes):
    with pytest.raises(error, match=said), warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        make(**changes)


@pytest.mark.parametrize("kind, said, error, changes", OUTPUT)
def test_output(kind, said, error, changes):
    with pytest.raises(error, match=said), warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        make(kind, **changes)


@pytest.mark.parametrize("kind, said, error, changes", OTHER)
def test_other_arguments(kind, said, error, changes):
    with pytest.raises(error, match=said):
        make(kind, **changes)


def test_what_is_taken():
    """Deprecated forms, and what the original does not take."""
    with pytest.warns(DeprecationWarning, match="input_var"):
        assert list(make(input=I, input_var="I").input) == ["I"]
    with pytest.warns(DeprecationWarning, match="output_var"):
        assert make(output=V, output_var="v").output_var == ["v"]
    with pytest.warns(DeprecationWarning):
        swapped = make(model=TWO, output_var=["v", "w"],
                       output={"w": np.ones((2, STEPS)), "v": V})
    # By name: the order of neither matters.
    assert dict(zip(swapped.output_var, swapped.output_))["w"][0, 0] == 1
    with pytest.warns(DeprecationWarning):
        listed = make(model=TWO, output_var=["v", "w"],
                      output=[V, np.ones((2, STEPS))])
    assert listed.output_var == ["v", "w"]
    lists = make(input={"I": (np.ones((2, STEPS)).tolist(), "nA")})
    assert lists.n_traces == 2
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        spikes = make(SpikeFitter)  # nothing deprecated in it
        assert make(SpikeFitter, output={"spikes": [[], []]}).output_var == [
            "spikes"]
        assert make(SpikeFitter, input=I).input_traces.shape == (2, STEPS)
        online = make(OnlineTraceFitter)
        make(param_init=None, refractory="2*ms", threshold="v > 0*mV", reset="")
        make(dt="0.1*ms", refractory=2 * ms)
    assert spikes.method == "exponential_euler" and spikes.n_samples == 30
    assert online.t_start == 0
    ints = make(input={"I": np.ones((2, STEPS), dtype=int) * nA},
                output={"v": np.full((2, STEPS), -60, dtype=np.int16) * mV})
    assert ints.output_[0].dtype == np.float64


def test_what_a_fitter_has():
    fitter = make(model=PASSIVE + "unused : 1\n", output={"v": V})
    assert fitter.parameter_names == ["g", "unused"]
    assert (fitter.n_traces, fitter.n_samples, fitter.n_neurons) == (2, 12, 24)
    assert fitter.dt == 0.1 * ms and abs(fitter.duration / ms - 5) < 1e-12
    assert fitter.iteration == 0 and fitter.simulator is None
    assert fitter.optimizer is None and fitter.metric is None
    assert fitter.best_params is None and fitter.best_error is None
    assert fitter.best_objective_errors is None
    assert fitter.best_objective_errors_normalized is None
    assert np.all(fitter.output[0] == V) and fitter.output_[0].dtype == float
    assert fitter.output_dim[0] == (1 * mV).dim and fitter.threshold is None
    assert "g" in repr(fitter) and fitter.use_units is True
    with pytest.raises(TypeError, match="TraceFitter"):
        somafit.Fitter(**passive())


# Wrong calls of fit: (what is said, exception, arguments).
FIT = [
    ("t_weights has 3 numbers.*50 steps", ValueError,
     dict(metric=MSEMetric(t_weights=np.ones(3)), **BOUNDS)),
    ("optimizer must be an Optimizer", TypeError, dict(optimizer="DE", **BOUNDS)),
    ("optimizer must be an Optimizer", TypeError,
     dict(optimizer=DifferentialEvolution, **BOUNDS)),
    ("'h' is neither a parameter", ValueError, dict(h=[1, 2], **BOUNDS)),
    # An unknown one is said before a missing one.
    ("'h' is neither a parameter", ValueError, dict(h=[1, 2])),
    ("bounds of 'g' are missing", TypeError, {}),
    ("'v' has an initial value|'v' is neither", ValueError,
     dict(v=[1, 2], **BOUNDS)),
    ("bounds of 'g' must be two", ValueError, dict(g=[1 * nS])),
    ("bounds of 'g' must be two", ValueError, dict(g=[1 * nS] * 3)),
    ("bounds of 'g' must be a pair", TypeError, dict(g=1 * nS)),
    ("bounds of 'g' must be a pair", TypeError, dict(g=None)),
    ("bounds of 'g'.*not below", ValueError, dict(g=[2 * nS, 1 * nS])),
    ("bounds of 'g'.*fixed", ValueError, dict(g=[2 * nS, 2 * nS])),
    ("bounds of 'g'.*siemens", DimensionMismatchError, dict(g=[1 * mV, 2 * mV])),
    ("bounds of 'g'", ValueError, dict(g="1 to 2")),
    ("bounds of 'g'", ValueError, dict(g=[float("nan"), 1])),
    ("bounds of 'g'", DimensionMismatchError, dict(g=["1*mV", "2*mV"])),
    ("logarithm", ValueError, dict(g=somafit.Bounds(-1, 1, scale="log"))),
    ("bounds of 'g' are given twice", ValueError, dict(bounds=BOUNDS, **BOUNDS)),
    ("bounds must be a mapping", TypeError, dict(bounds=[1, 2])),
    ("callback", TypeError, dict(callback=5, **BOUNDS)),
    ("callback", ValueError, dict(callback="loud", **BOUNDS)),
    ("n_rounds", ValueError, dict(n_rounds=-1, **BOUNDS)),
    ("n_rounds", TypeError, dict(n_rounds=None, **BOUNDS)),
    ("start_iteration", ValueError, dict(start_iteration=-1, **BOUNDS)),
    ("penalty must be the name", TypeError, dict(penalty=1.0, **BOUNDS)),
    # The argument `metric`.
    ("metric must be a metric", TypeError, dict(metric="mse", **BOUNDS)),
    ("metric must be a metric", TypeError, dict(metric=3, **BOUNDS)),
    ("metric must be a metric", TypeError, dict(metric=MSEMetric, **BOUNDS)),
    ("metric has 2 entries", TypeError, dict(metric=[MSEMetric()] * 2, **BOUNDS)),
    ("metric: 'w' is not an output", ValueError,
     dict(metric={"v": MSEMetric(), "w": MSEMetric()}, **BOUNDS)),
    ("metric of 'v' must be a TraceMetric", TypeError,
     dict(metric={"v": GammaFactor(1 * ms, 5 * ms)}, **BOUNDS)),
    ("metric of 'v' must be a TraceMetric", TypeError,
     dict(metric=GammaFactor(1 * ms, 5 * ms), **BOUNDS)),
    ("metric of 'v' must be a TraceMetric", TypeError,
     dict(metric={"v": "mse"}, **BOUNDS)),
    ("metric: the output 'v' has none", ValueError, dict(metric={}, **BOUNDS)),
]


@pytest.mark.parametrize("said, error, arguments", FIT)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_fit(said, error, arguments):
    # None of these needs a coordinator.
    with pytest.raises(error, match=said):
        make().fit(**arguments)


def test_fit_of_spikes_and_of_online_traces():
    with pytest.raises(TypeError, match="metric of 'spikes' must be a SpikeMetric"):
        make(SpikeFitter).fit(metric=MSEMetric(), **BOUNDS)
    with pytest.raises(ValueError, match="metric.*not an output|neither"):
        make(OnlineTraceFitter).fit(metric=MSEMetric(), **BOUNDS)


def test_a_parameter_with_an_initial_value_is_not_fitted():
    fitter = make(param_init={"v": "El", "g": 5 * nS})
    assert fitter.parameter_names == []
    with pytest.raises(ValueError, match="'g' has an initial value in param_init"):
        fitter.fit(**BOUNDS)


def test_before_a_fit_there_is_nothing_to_show():
    fitter = make()
    with pytest.raises(somafit.NotFittedError, match="call fit first"):
        fitter.results()
    with pytest.raises(somafit.NotFittedError, match="params"):
        fitter.generate()
    with pytest.raises(somafit.NotFittedError, match="call fit first"):
        fitter.server_fit
    with pytest.raises(ValueError, match="list, dict, dataframe, csv, json, npz"):
        fitter.results("excel")
    with pytest.raises(NotImplementedError, match="refine"):
        fitter.refine()


# What the coordinator says, where Python cannot know: with field, line and column,
# and a caret under the place.
SERVER = [
    ("model.equations:2:.*amp", dict(input={"I": I / nA})),
    ("model.equations:4:5.*`nowhere` is unknown",
     dict(model=PASSIVE + "a = nowhere*v : volt\n")),
    ("model.method.*quadratic", dict(method="quadratic")),
    ("model.threshold", dict(threshold="v >", reset="")),
    ("model.equations:4:1.*mV.*is a unit", dict(model=PASSIVE + "mV : 1\n")),
    ("model.refractory", dict(threshold="v > 0*mV", reset="", refractory="v*2")),
]


@pytest.mark.parametrize("said, changes", SERVER)
def test_the_coordinator_says_what_is_wrong_with_a_model(fitter, said, changes):
    bounds = {**BOUNDS, "mV": [0, 1]} if "mV : 1" in changes.get(
        "model", "") else BOUNDS
    with pytest.raises(somafit.InvalidFitError, match=said) as raised:
        fitter(**changes).fit(callback=None, **bounds)
    if "nowhere" in said:
        assert "^~~~~~~" in str(raised.value)


def test_a_list_of_metrics_is_deprecated(fitter):
    with pytest.warns(DeprecationWarning, match="metric as a list"):
        fitter().fit(metric=[MAEMetric()], n_rounds=0, callback=None, **BOUNDS)


def test_warnings_of_the_coordinator_are_shown(fitter):
    with pytest.warns(somafit.SomafitWarning, match="reset"):
        fitter(threshold="v > -20*mV").fit(n_rounds=0, callback=None, **BOUNDS)


def test_texts_in_a_namespace(fitter):
    fit, texts = fitter(), fitter(namespace={"El": "-(60 + 5)*mV", "C": "200*pF"})
    for each in (fit, texts):
        each.fit(n_rounds=1, callback=None, **BOUNDS)
    assert texts.results() == fit.results()
    with pytest.raises(ValueError, match="namespace.*'C'"):
        fitter(namespace={"El": -65 * mV, "C": "much"}).fit(**BOUNDS)


@pytest.mark.parametrize("rounds", [float("inf"), float("nan"), -1, 1.5])
def test_rounds_are_whole(fitter, rounds):
    with pytest.raises(ValueError, match="n_rounds is .*whole number"):
        fitter().fit(n_rounds=rounds, callback=None, **BOUNDS)


def test_params_are_one_point(fitter):
    fit = fitter()
    fit.fit(n_rounds=1, callback=None, **BOUNDS)
    with pytest.raises(TypeError, match="params must map"):
        fit.generate(params=[{"g": 1 * nS}, {"g": 2 * nS}])
