"""Fits through the classes that people know."""

import numpy as np
import pytest

import somafit
from somafit import (Bounds, GammaFactor, MSEMetric, OnlineTraceFitter, SpikeFitter,
                     TraceFitter)
from somafit.units import Mohm, mV, ms, nA, nS, pF, siemens

from conftest import BOUNDS, PASSIVE, STEPS, passive

El = -65 * mV
C = 200 * pF


def table(fitter):
    return fitter.results("csv")


def test_the_same_seed_gives_the_same_table(fitter):
    tables = []
    for seed in (3, 3, 4):
        fit = fitter(seed=seed)
        best, error = fit.fit(n_rounds=4, callback=None, **BOUNDS)
        assert best == fit.best_params and error == fit.best_error
        tables.append(table(fit))
    assert tables[0] == tables[1] != tables[2]
    assert tables[0].count("\n") == 1 + 4 * 12


@pytest.mark.parametrize("bounds", [
    {"g": [1e-9, 1.0000000000000001e-07]}, {"g": ["1*nS", "100*nS"]},
    {"g": "[1*nS, 100*nS]"}, {"g": np.array([1, 100]) * nS},
    {"g": Bounds(1 * nS, "100*nS")}, {"g": (1 * nS, 100e-9 * siemens)}])
def test_bounds_in_every_form_are_the_same(fitter, bounds):
    fit, other = fitter(), fitter()
    fit.fit(n_rounds=1, callback=None, **BOUNDS)
    other.fit(n_rounds=1, callback=None, bounds=bounds)
    lower, upper = (getattr(other.server_fit.message.parameters[0], end)
                    for end in ("lower", "upper"))
    assert (lower, upper) == (1e-9, pytest.approx(1e-7, rel=1e-15))
    assert np.allclose(fit.results("dict", use_units=False)["g"],
                       other.results("dict", use_units=False)["g"], rtol=1e-14)


def test_units_as_text_numbers_and_arrays_of_others(client):
    current = np.repeat([[0.5], [1.0]], STEPS, axis=1)
    target = np.repeat([[-60.0], [-58.0]], STEPS, axis=1)
    tables = set()
    for units in ("ours", "text", "brian"):
        if units == "ours":
            data = current * nA, target * mV, 0.1 * ms
        elif units == "text":
            data = (current, "nA"), (target.tolist(), "mV"), "0.1*ms"
        else:
            brian2 = pytest.importorskip("brian2")
            data = (current * brian2.nA, target * brian2.mV, 0.1 * brian2.ms)
        fit = TraceFitter(**passive(client=client, input={"I": data[0]},
                                    output={"v": data[1]}, dt=data[2]))
        fit.fit(n_rounds=2, callback=None, **BOUNDS)
        tables.add(table(fit))
    assert len(tables) == 1


def test_constants_come_from_where_fit_is_called(client):
    def elsewhere(fitter, level):
        El = -70 * mV  # noqa: F841
        return fitter.fit(n_rounds=1, callback=None, level=level, **BOUNDS)

    fit = TraceFitter(**passive(client=client, namespace=None))
    fit.fit(n_rounds=1, callback=None, **BOUNDS)
    constants = {c.name: c.text for c in fit.server_fit.spec.model.constants}
    assert constants == {"C": f"{(200 * pF).value!r}*farad", "El": "-0.065*volt"}
    for level, expected in ((0, "-0.07*volt"), (1, "-0.065*volt")):
        fit = TraceFitter(**passive(client=client, namespace=None))
        elsewhere(fit, level)
        constants = {c.name: c.text for c in fit.server_fit.spec.model.constants}
        assert constants["El"] == expected
    # A constant that is given comes first.
    fit = TraceFitter(**passive(client=client, namespace={"El": "x"}))
    with pytest.raises(ValueError, match="El"):
        fit.fit(**BOUNDS)


def test_every_kind_of_fitter_takes_constants_from_its_caller(client):
    spikes = SpikeFitter(
        dt=0.1 * ms, model=PASSIVE, input={"I": np.ones((1, STEPS)) * nA},
        output=[[2 * ms]], threshold="v > -62*mV", reset="v = El",
        param_init={"v": "El"}, client=client)
    spikes.fit(n_rounds=1, callback=None, **BOUNDS)
    assert len(spikes.generate_spikes(level=0)) == 1
    online = OnlineTraceFitter(**passive(client=client, namespace=None))
    online.fit(n_rounds=1, callback=None, **BOUNDS)
    assert online.generate_traces().shape == (2, STEPS)


def test_samples_are_as_many_as_asked_for(fitter):
    for n in (1, 5, 31):
        fit = fitter(n_samples=n)
        fit.fit(n_rounds=2, callback=None, **BOUNDS)
        assert len(fit.results()) == 2 * n == 2 * fit.n_samples


def test_missing_points_and_weights_of_traces(fitter):
    target = passive()["output"]["v"]
    target.value[0, 5:] = np.nan
    fit = fitter(output={"v": target}, trace_weights=[3, 1])
    fit.fit(n_rounds=2, callback=None, **BOUNDS)
    assert np.isfinite(fit.best_error.value)


def test_diverging_samples_are_never_the_best(client):
    # For a > 0 it explodes.
    fit = TraceFitter(
        dt=0.1 * ms, model="dv/dt = a*v*abs(v)/mV/ms + I*Mohm/ms : volt\na : 1",
        input={"I": np.ones((1, 2000)) * nA}, output={"v": np.ones((1, 2000)) * mV},
        n_samples=20, method="euler", client=client, use_units=False)
    best, error = fit.fit(n_rounds=3, callback=None, a=[-1, 5])
    errors = fit.results("dict")["error"]
    assert np.isnan(errors).any() and np.isfinite(error)
    assert error == np.nanmin(errors) and best["a"] < 0
    nothing = TraceFitter(
        dt=0.1 * ms, model="dv/dt = a*v*v/mV/ms + I*Mohm/ms : volt\na : 1",
        input={"I": np.ones((1, 2000)) * nA}, output={"v": np.ones((1, 2000)) * mV},
        n_samples=5, method="euler", client=client)
    assert nothing.fit(n_rounds=2, callback="text", a=[4, 5]) == (None, None)
    assert len(nothing.results()) == 10


def test_spikes_are_found(client):
    def make(**changes):
        return SpikeFitter(**{**dict(
            dt=0.1 * ms, model="dv/dt = (El - v + R*I)/(10*ms) : volt\nR : ohm",
            input={"I": np.array([[0.9] * 600, [0.6] * 600]) * nA},
            output=[[], []], threshold="v > -50*mV", reset="v = El",
            param_init={"v": "El"}, method="euler", client=client), **changes})

    model = make()
    model.fit(n_rounds=0, callback=None, R=[20 * Mohm, 60 * Mohm])
    truth = model.generate_spikes(params={"R": 40 * Mohm})
    assert [len(train) for train in truth] == [11, 6]
    fit = make(output=truth, n_samples=60)
    best, error = fit.fit(metric=GammaFactor(1 * ms, 60 * ms), n_rounds=5,
                          callback=None, R=[20 * Mohm, 60 * Mohm])
    assert error < 0.5 and isinstance(error, float)
    assert fit.metric[0].delta == 1e-3
    plain = make(output=truth, n_samples=60)
    _, without = plain.fit(
        metric=GammaFactor(1 * ms, 60 * ms, rate_correction=False), n_rounds=5,
        callback=None, R=[20 * Mohm, 60 * Mohm])
    assert without <= error and plain.best_error == without
    # Silent fitters say nothing deprecated, and the default has delta 2 ms.
    default = make(output=truth)
    default.fit(n_rounds=1, callback=None, R=[20 * Mohm, 60 * Mohm])
    options = {o.name: o.text for o in default.server_fit.spec.metrics[0].options}
    assert options["delta"] == "0.002*second" and float(
        options["time"].split("*")[0]) == pytest.approx(0.06)


def test_spikes_beside_a_trace(client):
    fit = TraceFitter(**passive(
        client=client, threshold="v > -62*mV", reset="v = El",
        output={"v": passive()["output"]["v"],
                "spikes": [[1.0, 2.5] * ms, []]}))
    fit.fit(metric={"v": MSEMetric(normalization=10 * mV),
                    "spikes": GammaFactor(0.2 * ms, 5 * ms)},
            n_rounds=2, callback="text", **BOUNDS)
    both = fit.best_objective_errors_normalized
    assert list(both) == ["v", "spikes"]
    assert sum(both.values()) == pytest.approx(fit.best_error)
    assert fit.best_objective_errors["v"].has_same_dimensions(mV**2)
    assert both["v"] == pytest.approx(
        fit.best_objective_errors["v"] / (10 * mV)**2)


def test_several_inputs(client):
    fit = TraceFitter(**passive(
        client=client, model=PASSIVE.replace("+ I", "+ I + J"),
        input={"I": np.ones((2, STEPS)) * nA, "J": np.zeros((2, STEPS)) * nA}))
    fit.fit(n_rounds=1, callback=None, **BOUNDS)
    assert fit.best_error is not None


def test_a_staircase_of_the_models_own(client):
    stimulus = somafit.TimedArray([0, 1, 0] * nA, dt=1 * ms)  # noqa: F841
    fit = TraceFitter(**passive(client=client, namespace=None,
                                model=PASSIVE.replace("+ I", "+ I + stimulus(t)")))
    fit.fit(n_rounds=1, callback=None, **BOUNDS)
    array, = fit.server_fit.spec.model.timed_arrays
    assert (array.name, array.unit, list(array.values)) == (
        "stimulus", "amp", [0, 1e-9, 0])


def test_the_online_fitter_has_the_error_of_the_mean_of_squares(client):
    online = OnlineTraceFitter(**passive(client=client, t_start=2 * ms))
    online.fit(n_rounds=2, callback=None, **BOUNDS)
    trace = TraceFitter(**passive(client=client))
    trace.fit(metric=MSEMetric(t_start=2 * ms), n_rounds=2, callback=None, **BOUNDS)
    assert table(online) == table(trace)
    assert OnlineTraceFitter(**{**passive(client=client), "n_samples": 30}
                             ).n_samples == 30


def test_registering_without_a_round(fitter):
    fit = fitter()
    assert fit.fit(n_rounds=0, **BOUNDS) == (None, None)
    assert fit.results() == [] and fit.best_params is None
    assert len(fit.results("dataframe")) == 0
    evaluation = fit.server_fit.evaluate([{"g": 10 * nS}, {"g": 2e-8}])
    assert evaluation.table.total_error.shape == (2,)


def test_a_fit_that_somebody_else_cancels(fitter, client):
    fit = fitter()

    def cancel(*_):
        client.fit(fit.server_fit.name).cancel()

    with pytest.raises((somafit.FitStoppedError, somafit.WrongStateError),
                       match="cancel|CANCELLED"):
        fit.fit(n_rounds=5, callback=cancel, **BOUNDS)
    assert len(fit.results()) == 12
