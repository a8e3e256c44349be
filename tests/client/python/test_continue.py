"""Going on with a fit, and beginning anew."""

import numpy as np
import pytest

import somafit
from somafit import (Bounds, ChangedFitError, DifferentialEvolution, MAEMetric,
                     MSEMetric, OnlineTraceFitter, TraceFitter)
from somafit.units import mV, ms, nA, nS

from conftest import BOUNDS, PASSIVE, passive

NARROW = {"g": [5 * nS, 20 * nS]}


def quiet(fitter, rounds, **arguments):
    return fitter.fit(n_rounds=rounds, callback=None, **arguments)


def test_in_pieces_it_is_the_same_fit(fitter):
    whole, pieces = fitter(), fitter()
    quiet(whole, 6, **BOUNDS)
    for rounds in (2, 1, 0, 3):
        quiet(pieces, rounds, **(BOUNDS if rounds == 2 else {}))
    assert pieces.results("csv") == whole.results("csv")
    assert pieces.best_params == whole.best_params and pieces.iteration == 6
    assert pieces.best_objective_errors == whole.best_objective_errors


def test_defaults_are_compared_by_value(fitter):
    """Leaving out means the same; an equal one is no change."""
    fit = fitter()
    quiet(fit, 1, optimizer=DifferentialEvolution(population=8),
          metric=MSEMetric(t_start=1 * ms), **BOUNDS)
    quiet(fit, 1)
    quiet(fit, 1, optimizer=somafit.NevergradOptimizer("DE", population=8),
          metric=MSEMetric(t_start="1*ms"), g=["1*nS", "100*nS"])
    quiet(fit, 1, metric={"v": MSEMetric(t_start=1 * ms)})
    assert len(fit.results()) == 48


@pytest.mark.parametrize("change", [
    dict(metric=MAEMetric()), dict(metric=MSEMetric(t_start=1 * ms)),
    dict(optimizer=DifferentialEvolution(CR=0.1)),
    dict(optimizer=somafit.RandomSearch()), dict(**NARROW),
    dict(penalty="cost"), dict(g=Bounds(1 * nS, 100 * nS, scale="log"))])
def test_changes_need_a_restart(fitter, change):
    fit = fitter(model=PASSIVE + "cost = 1*mV**2 : volt**2\n")
    quiet(fit, 2, **BOUNDS)
    before = fit.results("csv"), fit.best_params
    with pytest.raises(ChangedFitError, match="restart"):
        quiet(fit, 1, **change)
    assert (fit.results("csv"), fit.best_params) == before
    quiet(fit, 1, restart=True, **change)
    assert len(fit.results()) == 12 and fit.iteration == 1


def test_more_samples_need_a_restart(fitter):
    fit = fitter()
    quiet(fit, 1, **BOUNDS)
    fit.n_samples = 20
    with pytest.raises(ChangedFitError, match="n_samples"):
        quiet(fit, 1)
    quiet(fit, 2, restart=True)
    assert len(fit.results()) == 40


def test_a_restart_forgets(fitter):
    fit = fitter()
    best, error = quiet(fit, 3, **BOUNDS)
    again = quiet(fit, 1, restart=True, **NARROW)
    assert 5 * nS <= again[0]["g"] <= 20 * nS and again[1] > error
    assert len(fit.results()) == 12 and len(fit.results(stage="all")) == 48
    assert fit.best_objective_errors["v"] == fit.best_error
    # Of the new stage, and bounds stay where they are left out.
    quiet(fit, 1)
    quiet(fit, 1, restart=True)
    for row in fit.results():
        assert 5 * nS <= row["g"] <= 20 * nS
    stages = fit.results("dict", stage="all")["round"]
    assert stages.shape == (72,)


def test_bounds_on_continuing_are_checked(fitter):
    fit = fitter()
    quiet(fit, 1, **BOUNDS)
    for wrong, error in (({"h": [1, 2]}, ValueError), ({"g": [2, 1]}, ValueError),
                         ({"g": [1 * mV, 2 * mV]}, ValueError)):
        with pytest.raises(error):
            quiet(fit, 1, **wrong)
    quiet(fit, 1, **BOUNDS)
    assert fit.iteration == 2


def seen(fit):
    """What samples of each round saw, by way of the penalty."""
    found = fit.results("dict", use_units=False)
    return [float(found["penalty"][found["round"] == r][0])
            for r in np.unique(found["round"])]


def iterating(client, **changes):
    return TraceFitter(**passive(
        client=client, model=PASSIVE + "seen = iteration*volt**2 : volt**2\n",
        penalty="seen", **changes))


def test_what_a_restart_leaves_out_is_the_default(fitter):
    fit = fitter(model=PASSIVE + "a = 1*mV**2 : volt**2\nb = 2*a : volt**2\n",
                 penalty="a")
    quiet(fit, 1, optimizer=somafit.RandomSearch(), penalty="b", **BOUNDS)
    quiet(fit, 1)  # goes on with its own
    assert fit.server_fit.spec.penalty == "b" and len(fit.results()) == 24
    quiet(fit, 1, restart=True)
    spec = fit.server_fit.spec
    assert (spec.optimizer.name, spec.penalty) == ("de", "a")
    fit.penalty = None
    quiet(fit, 1, restart=True)
    assert fit.server_fit.spec.penalty == ""


def test_a_paused_fit_begins_anew(fitter):
    fit = fitter()
    quiet(fit, 1, **BOUNDS)
    fit.server_fit.continue_(100000)
    fit.server_fit.pause()
    # Refused, and still there.
    with pytest.raises(ValueError):
        quiet(fit, 1, restart=True, metric=MSEMetric(normalization=1 * ms))
    assert fit.server_fit.state == "PAUSED"
    quiet(fit, 1, restart=True, **NARROW)
    assert len(fit.results()) == 12 and fit.iteration == 1


@pytest.mark.parametrize("gate", [False, True])
def test_what_was_left_running_is_taken_up(fitter, gate):
    """As by a call that lost the coordinator."""
    fit = fitter()
    quiet(fit, 1, **BOUNDS)
    fit.server_fit.continue_(100000, gate={"enabled": gate})
    quiet(fit, 3)
    rounds = fit.iteration
    whole = fitter()
    quiet(whole, rounds, **BOUNDS)
    assert fit.results("csv") == whole.results("csv")
    assert fit.best_objective_errors == whole.best_objective_errors


def test_points_evaluated_meanwhile_are_no_rounds(fitter):
    """A fit that somebody pauses, evaluates and resumes while it is watched."""
    fit, seen = fitter(), []

    def callback(*told):
        seen.append(len(told[0]))
        if told[4] == 1:
            other = fit.client.reattach(fit.server_fit.name)
            other.pause()
            other.evaluate({"g": 5 * nS})

    fit.fit(n_rounds=4, callback=callback, **BOUNDS)
    assert seen == [12] * 4 and fit.iteration == 4


def test_iteration_counts_on(client):
    fit = iterating(client)
    quiet(fit, 2, **BOUNDS)
    assert seen(fit) == [0, 1] and fit.iteration == 2
    quiet(fit, 2)
    assert seen(fit) == [0, 1, 2, 3] and fit.iteration == 4
    quiet(fit, 1, start_iteration=17)
    quiet(fit, 1)
    assert seen(fit) == [0, 1, 2, 3, 17, 18] and fit.iteration == 19
    quiet(fit, 2, restart=True)
    assert seen(fit) == [0, 1] and fit.iteration == 2
    quiet(fit, 1, restart=True, start_iteration=5)
    assert seen(fit) == [5] and fit.iteration == 6


def test_it_begins_where_asked(client):
    fit = iterating(client)
    quiet(fit, 2, start_iteration=17, **BOUNDS)
    assert seen(fit) == [17, 18] and fit.iteration == 19
    quiet(fit, 2)
    assert fit.iteration == 21


def test_online_fits_can_be_continued(client):
    online = OnlineTraceFitter(**passive(client=client))
    quiet(online, 2, **BOUNDS)
    quiet(online, 2)
    trace = TraceFitter(**passive(client=client))
    quiet(trace, 4, **BOUNDS)
    assert online.results("csv") == trace.results("csv")


def test_after_a_stop_or_an_interruption_it_goes_on(fitter):
    whole, stopped, broken = fitter(), fitter(), fitter()
    quiet(whole, 4, **BOUNDS)
    stopped.fit(n_rounds=9, callback=lambda *a: a[4] == 1, **BOUNDS)

    def interrupt(*arguments):
        if arguments[4] == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        broken.fit(n_rounds=9, callback=interrupt, **BOUNDS)
    for fit in (stopped, broken):
        quiet(fit, 2)
        assert fit.results("csv") == whole.results("csv")


def test_constants_that_change(client):
    El = -65 * mV  # noqa: F841
    C = 200e-12 * (1 * somafit.units.farad)  # noqa: F841
    fit = TraceFitter(**passive(client=client, namespace=None, name="constants"))
    fit.fit(n_rounds=1, callback=None, **BOUNDS)
    first = fit.server_fit.name
    El = -60 * mV  # noqa: F841
    with pytest.raises(ChangedFitError, match="'El'.*restart"):
        fit.fit(n_rounds=1, callback=None)
    fit.fit(n_rounds=1, callback=None, restart=True)
    # Another model is another fit; the first one stays.
    assert fit.server_fit.name != first and len(fit.results()) == 12
    assert fit.server_fit.name.startswith("fits/constants-")
    assert client.fit(first).rounds == 1

    def elsewhere():  # where El and C are not variables
        exec("fit.fit(n_rounds=1, callback=None)", {"fit": fit})

    elsewhere()
    assert fit.iteration == 2


def test_staircases_are_compared_by_value(client):
    fit = TraceFitter(**passive(
        client=client, model=PASSIVE.replace("+ I", "+ I + more(t)"), method="euler"))
    for size, rounds in ((1, 1), (1, 2), (2, None)):
        more = somafit.TimedArray([0, size] * nA, dt=1 * ms)  # noqa: F841
        if rounds is None:
            with pytest.raises(ChangedFitError, match="'more'"):
                fit.fit(callback=None)
            continue
        fit.fit(callback=None, **BOUNDS)
        assert fit.iteration == rounds


def test_through_the_client(client, fitter):
    fit = fitter()
    quiet(fit, 1, **BOUNDS)
    server = client.continue_(fit.server_fit.name, 2).wait()
    assert server.rounds == 3 and server.best_params is not None
    with pytest.raises(ChangedFitError, match="restart"):
        server.continue_(1, optimizer="random")
    server.continue_(2, restart=True, optimizer="random",
                     parameters={"g": ["5*nS", "6*nS"]}).wait()
    assert server.message.stage == 1 or server.rounds == 2
    assert 5 * nS <= server.best_params["g"] <= 6 * nS
    server.continue_(stop={"evaluations": 7}).wait()
    assert len(server.samples()) == 24 + 7


def test_a_running_fit_cannot_be_continued(fitter):
    fit = fitter()

    def inside(*told):
        if told[4] > 0:
            return  # the last round has nothing to wait for
        with pytest.raises(somafit.WrongStateError):
            fit.server_fit.continue_(1)

    fit.fit(n_rounds=2, callback=inside, **BOUNDS)


def test_start_values_and_fixed_parameters(client):
    model = PASSIVE.replace("g*(El", "(g + h)*(El") + "h : siemens\n"
    fit = TraceFitter(**passive(client=client, model=model))
    quiet(fit, 1, g=Bounds(1 * nS, 100 * nS, scale="log", start=[7 * nS, "8*nS"]),
          h=Bounds(fixed=2 * nS))
    rows = fit.results("dict", use_units=False)
    np.testing.assert_allclose(rows["g"][:2], [7e-9, 8e-9], rtol=1e-12)
    assert np.all(rows["h"] == 2e-9) and fit.best_params["h"] == 2 * nS
    # What is fixed may be left out of points.
    assert fit.generate(params={"g": 5 * nS}).shape == (2, 50)
    assert len(fit.server_fit.evaluate({"g": 5 * nS}).table) == 1
