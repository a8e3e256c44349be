"""Cases whose answer can be written down."""

import numpy as np
import pytest

from somafit import (DimensionMismatchError, InvalidFitError, MSEMetric,
                     OnlineTraceFitter, TraceFitter)
from somafit.units import mV, ms, nA, nS, volt

CONSTANT = "v = c + x : volt\nc : volt (constant)\n"


def step(kind, client, **changes):
    """A target of 10 mV for 50 samples, then of 20 mV."""
    target = np.concatenate([np.full(50, 10.0), np.full(50, 20.0)])[None] * mV
    return kind(**{**dict(dt=0.1 * ms, model=CONSTANT,
                          input={"x": np.zeros((1, 100)) * mV},
                          output={"v": target}, n_samples=70, client=client),
                   **changes})


@pytest.mark.parametrize("metric", [
    MSEMetric(t_start=50 * 0.1 * ms),
    MSEMetric(t_weights=np.repeat([0, 1], 50))])
def test_a_constant_fits_the_part_that_counts(client, metric):
    fit = step(TraceFitter, client)
    best, error = fit.fit(metric=metric, n_rounds=10, callback=None,
                          c=[5 * mV, 30 * mV])
    assert abs(best["c"] - 20 * mV) < 1 * mV and error < 1 * mV**2
    online = step(OnlineTraceFitter, client, n_samples=100, t_start=5 * ms)
    best, _ = online.fit(n_rounds=10, callback=None, c=[5 * mV, 30 * mV])
    assert abs(best["c"] - 20 * mV) < 1 * mV


def test_windows_and_weights_of_the_same_meaning_agree(client):
    errors = []
    for metric in (MSEMetric(t_start=5 * ms),
                   MSEMetric(t_weights=np.repeat([0, 3], 50))):
        fit = step(TraceFitter, client)
        fit.fit(metric=metric, n_rounds=0, callback=None, c=[5 * mV, 30 * mV])
        table = fit.server_fit.evaluate([{"c": 20 * mV}, {"c": 18 * mV}]).table
        errors.append(table.total_error)
    np.testing.assert_allclose(errors[0], [0, 4e-6], atol=1e-18)
    np.testing.assert_allclose(errors[1], errors[0], atol=1e-18)


def test_normalization_divides_differences(client):
    for normalization, expected in ((1, 4e-6), (0.5, 16e-6), (2 * mV, 1.0)):
        fit = step(TraceFitter, client)
        fit.fit(metric=MSEMetric(t_start=5 * ms, normalization=normalization),
                n_rounds=0, callback=None, c=[5 * mV, 30 * mV])
        table = fit.server_fit.evaluate({"c": 18 * mV}).table
        assert table.total_error[0] == pytest.approx(expected)
        assert table.output_error[0, 0] == pytest.approx(4e-6)
        assert table.output_error_normalized[0, 0] == table.total_error[0]


RELAXATION = """
dva/dt = (a - va)/(5*ms) + x/ms : volt
dvb/dt = (b - vb)/(5*ms) : volt
a : volt (constant)
b : volt (constant)
"""


def test_two_outputs_relax_to_their_targets(client):
    steps, tau = 1000, 5.0
    fit = TraceFitter(
        dt=0.1 * ms, model=RELAXATION, input={"x": np.zeros((1, steps)) * mV},
        output={"va": np.full((1, steps), 5.0) * mV,
                "vb": np.full((1, steps), -7.0) * mV},
        n_samples=70, method="exact", client=client)
    best, error = fit.fit(metric=MSEMetric(t_start=50 * ms), n_rounds=20,
                          callback=None, a=[0 * mV, 20 * mV], b=[-20 * mV, 0 * mV])
    assert abs(best["a"] - 5 * mV) < 0.1 * mV
    assert abs(best["b"] + 7 * mV) < 0.1 * mV
    assert sum(fit.best_objective_errors.values()) / volt**2 == pytest.approx(
        error / volt**2)
    # At the exact values: the mean of what is left of the exponentials.
    left = np.mean(np.exp(-2 * 0.1 * np.arange(500, steps) / tau))
    table = fit.server_fit.evaluate({"a": 5 * mV, "b": -7 * mV}).table
    np.testing.assert_allclose(table.output_error[0],
                               [25e-6 * left, 49e-6 * left], rtol=1e-6)
    np.testing.assert_allclose(table.output_error[0],
                               [2.62831e-15, 5.15150e-15], rtol=1e-4)
    fit.fit(metric=MSEMetric(t_start=50 * ms, normalization=1 * mV), n_rounds=0,
            callback=None, restart=True)
    table = fit.server_fit.evaluate({"a": 5 * mV, "b": -7 * mV}).table
    np.testing.assert_allclose(table.output_error_normalized[0],
                               [2.62831e-9, 5.15150e-9], rtol=1e-4)


LINEAR = "I = g*(v - E) : amp\ng : siemens (constant)\nE : volt (constant)\n"
VOLTAGE = np.concatenate([np.zeros((5, 5)),
                          np.tile([0.0, 10, 20, 30, 40], (5, 1))]) * mV


def test_a_line_through_its_data(client):
    fit = TraceFitter(dt=0.1 * ms, model=LINEAR, input={"v": VOLTAGE},
                      output={"I": VOLTAGE * (10 * nS)}, n_samples=60,
                      client=client)
    best, error = fit.fit(metric=MSEMetric(normalization=1 * nA), n_rounds=30,
                          callback=None, g=[1 * nS, 30 * nS],
                          E=[-20 * mV, 100 * mV])
    assert abs(best["g"] - 10 * nS) < 0.1 * nS and error < 1e-4
    table = fit.server_fit.evaluate({"g": 10 * nS, "E": 0 * mV}).table
    assert table.total_error[0] < 1e-25


def test_an_optimum_beyond_a_bound_is_found_at_the_bound(client):
    fit = TraceFitter(dt=0.1 * ms, model=LINEAR.replace("E : volt (constant)\n", ""),
                      input={"v": VOLTAGE}, output={"I": VOLTAGE * (10 * nS)},
                      n_samples=60, client=client, namespace={"E": 40 * mV})
    best, _ = fit.fit(n_rounds=20, callback=None, g=[1 * nS, 30 * nS])
    assert best["g"] / nS == pytest.approx(1, rel=1e-6)


PENALIZED = CONSTANT + "cost = 10*mV**2 : volt**2\n" \
    "wrong = 10*mV : volt\n" \
    "late = (t/ms)*mV**2 + iteration*mV**2 : volt**2\n"


def test_a_penalty_is_added_to_the_error(client):
    fit = step(TraceFitter, client, model=PENALIZED, penalty="cost",
               output={"v": np.full((1, 100), 20.0) * mV})
    best, error = fit.fit(n_rounds=10, callback=None, c=[5 * mV, 30 * mV])
    assert abs(error / volt**2 - 1e-5) < 1e-6
    rows = fit.results("dict", use_units=False)
    np.testing.assert_allclose(rows["penalty"], 1e-5)
    # In a column of its own, not in the errors of outputs.
    np.testing.assert_allclose(rows["error"], rows["penalty"]
                               + rows["objective_errors"]["v"])
    assert fit.best_objective_errors["v"] < 1 * mV**2
    assert fit.results("dataframe").penalty.iloc[0] == pytest.approx(1e-5)


def test_a_penalty_is_of_the_end_and_of_fit_too(client):
    fit = step(TraceFitter, client, model=PENALIZED)
    fit.fit(n_rounds=2, callback=None, penalty="late", c=[5 * mV, 30 * mV])
    rows = fit.results("dict", use_units=False)
    # 100 steps of 0.1 ms; then `iteration`.
    np.testing.assert_allclose(rows["penalty"], (10 + rows["round"]) * 1e-6)


def test_penalties_that_cannot_be_added(client):
    fit = step(TraceFitter, client, model=PENALIZED)
    for name in ("wrong", "nowhere"):
        with pytest.raises((InvalidFitError, DimensionMismatchError),
                           match="penalty"):
            fit.fit(callback=None, penalty=name, c=[5 * mV, 30 * mV])
