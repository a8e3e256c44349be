"""Traces and spikes that a model makes."""

import numpy as np
import pytest

import somafit
from somafit.units import mV, ms, nA, nS

from conftest import BOUNDS, PASSIVE, STEPS, passive

MODEL = PASSIVE + "rate = 2*g/C : Hz\nw = v/mV + iteration : 1\n"


@pytest.fixture(scope="module")
def fit():
    fitter = somafit.TraceFitter(**passive(
        client=somafit.Client(workers=2), model=MODEL, threshold="v > -62*mV",
        reset="v = El"))
    fitter.fit(n_rounds=2, callback=None, **BOUNDS)
    return fitter


def test_the_best_and_given_parameters(fit):
    best = fit.generate()
    assert best.shape == (2, STEPS) and best.has_same_dimensions(mV)
    assert np.all(best[:, 0] == -65 * mV)
    np.testing.assert_array_equal(best, fit.generate(params=fit.best_params))
    np.testing.assert_array_equal(best, fit.generate_traces())
    np.testing.assert_array_equal(
        best, fit.generate(params={"g": fit.best_params["g"].value}))
    other = fit.generate(params={"g": "30*nS"})
    assert np.any(other != best)
    # Its error is what the fit recorded.
    error = np.mean((best / mV - fit.output[0] / mV)**2, axis=1).mean()
    assert error == pytest.approx(fit.best_error / mV**2, rel=1e-12)


def test_several_variables_and_spikes(fit):
    found = fit.generate(["v", "rate", "g", "spikes", "I"], params={"g": 5 * nS})
    assert list(found) == ["v", "rate", "g", "spikes", "I"]
    assert np.all(found["g"] == 5 * nS) and np.all(found["rate"] / (50 / (
        1000 * ms)) == pytest.approx(1))
    assert found["I"][1, 3] == 1 * nA
    assert len(found["spikes"]) == 2
    for trace, times in zip(found["v"], found["spikes"]):
        steps = np.rint(times / (0.1 * ms)).astype(int)
        # What crosses the threshold in a step is reset before the next.
        assert np.all(trace[steps + 1] == -65 * mV) and len(steps) > 0
    alone = fit.generate("spikes", params={"g": 5 * nS})
    np.testing.assert_array_equal(alone[0], found["spikes"][0])
    assert isinstance(fit.generate(["v"]), dict)


def test_without_units(client):
    fitter = somafit.TraceFitter(**passive(client=client, use_units=False))
    fitter.fit(n_rounds=1, callback=None, **BOUNDS)
    assert isinstance(fitter.generate(), np.ndarray)
    assert isinstance(fitter.generate(["g"])["g"], np.ndarray)


def test_initial_values_are_honoured(fit):
    for value in (-70 * mV, "-70*mV", "El - 5*mV"):
        found = fit.generate(param_init={"v": value})
        assert np.all(abs(found[:, 0] / mV + 70) < 1e-9)
    assert np.all(fit.generate()[:, 0] == -65 * mV)
    with pytest.raises(ValueError, match="param_init.*'rate'"):
        fit.generate(param_init={"rate": 1})
    with pytest.raises(ValueError, match="param_init: 'g' is a parameter"):
        fit.generate(param_init={"g": 1 * nS})


def test_iteration(fit):
    late, early = fit.generate("w"), fit.generate("w", iteration=3)
    np.testing.assert_allclose(late - early, 1e9 - 3, rtol=1e-12)
    with pytest.raises((TypeError, ValueError), match="iteration"):
        fit.generate("w", iteration="late")


def test_between_two_fits_nothing_changes(fitter):
    fit, other = fitter(), fitter()
    for each in (fit, other):
        each.fit(n_rounds=2, callback=None, **BOUNDS)
        if each is fit:
            each.generate()
        each.fit(n_rounds=2, callback=None)
    assert fit.results("csv") == other.results("csv")


def test_before_a_fit(fitter):
    fit = fitter()
    traces = fit.generate(params={"g": 10 * nS})
    assert traces.shape == (2, STEPS)
    with pytest.raises(ValueError, match="'g' is missing"):
        fit.generate(params={})
    with pytest.raises(ValueError, match="no parameter 'h'"):
        fit.generate(params={"g": 1 * nS, "h": 2})
    # It takes part in nothing.
    with pytest.raises(somafit.NotFittedError):
        fit.results()
    fit.fit(n_rounds=1, callback=None, **BOUNDS)
    np.testing.assert_array_equal(traces, fit.generate(params={"g": 10 * nS}))


@pytest.mark.parametrize("said, error, arguments", [
    (r"params: the parameter 'g' is missing", ValueError, dict(params={})),
    (r"params: the fit has no parameter 'h'", ValueError,
     dict(params={"g": 1 * nS, "h": 1})),
    (r"params\['g'\]", somafit.DimensionMismatchError, dict(params={"g": 1 * mV})),
    (r"params\['g'\]", TypeError, dict(params={"g": None})),
    (r"params\['g'\]", ValueError, dict(params={"g": float("nan")})),
    ("params", TypeError, dict(params=[1])),
    ("nowhere", somafit.InvalidFitError, dict(output_var="nowhere")),
    ("outputs", somafit.InvalidFitError, dict(output_var=[])),
    ("twice", somafit.InvalidFitError, dict(output_var=["v", "v"]))])
def test_mistakes_name_the_argument(fit, said, error, arguments):
    with pytest.raises(error, match=said):
        fit.generate(**arguments)


def test_many_points_at_once(fit):
    points = [{"g": g * nS} for g in (1, 10, 50)]
    recording = fit.server_fit.generate(["v"], points)
    assert recording.values["v"].shape == (3, 2, STEPS)
    np.testing.assert_array_equal(recording.values["v"][1],
                                  fit.generate(params=points[1]).value)
    with pytest.raises(ValueError, match=r"params\[1\]"):
        fit.server_fit.generate(["v"], [points[0], {}])
    with pytest.raises(ValueError, match="empty"):
        fit.server_fit.generate(["v"], [])
