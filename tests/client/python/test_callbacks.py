"""Callbacks: what they are called with, what they print, and that True stops."""

import functools
import re

import pytest

import somafit
from somafit.callbacks import callback_setup, callback_text
from somafit.units import mV, nS

from conftest import BOUNDS


def told(fitter, **changes):
    calls = []
    fit = fitter(**changes)
    fit.fit(n_rounds=3, callback=lambda *args: calls.append(args), **BOUNDS)
    return fit, calls


def test_a_callback_is_told_everything_with_units(fitter):
    fit, calls = told(fitter)
    assert [call[4] for call in calls] == [0, 1, 2]
    params, errors, best_params, best_error, _, info = calls[-1]
    assert len(params) == 12 and errors.shape == (12,)
    assert 1 * nS <= params[0]["g"] <= 100 * nS
    assert best_params == fit.best_params and best_error == fit.best_error
    assert best_error.has_same_dimensions(mV**2)
    assert info["output_var"] == ["v"]
    assert info["objective_errors"] == (best_error,)
    assert info["objective_errors_normalized"] == (best_error,)
    assert calls[0][3] >= calls[2][3]
    # Best of all that it was told.
    assert min(call[1].min() for call in calls) == best_error


def test_without_units_parameters_are_numbers(fitter):
    fit, calls = told(fitter, use_units=False)
    params, errors, best_params, best_error, _, info = calls[0]
    assert isinstance(params[0]["g"], float) and 1e-9 <= params[0]["g"] <= 1.01e-7
    assert isinstance(best_error, float) and errors.dtype == float
    assert isinstance(info["objective_errors"][0], float)


class Stopper:
    """Not a plain function."""

    def __init__(self, at):
        self.at, self.seen = at, []

    def __call__(self, params, errors, best_params, best_error, index, info):
        self.seen.append(index)
        return index == self.at

    def method(self, *arguments):
        return self(*arguments)


@pytest.mark.parametrize("of", [lambda s: s, lambda s: s.method,
                                lambda s: functools.partial(s)])
def test_true_stops_in_that_round_every_time(fitter, of):
    tables = set()
    for _ in range(3):
        stopper = Stopper(2)
        fit = fitter()
        fit.fit(n_rounds=50, callback=of(stopper), **BOUNDS)
        assert stopper.seen == [0, 1, 2] and fit.iteration == 3
        assert fit.server_fit.rounds == 3
        assert fit.server_fit.message.state_reason == "USER"
        tables.add(fit.results("csv"))
    assert len(tables) == 1 and tables.pop().count("\n") == 1 + 3 * 12


@pytest.mark.parametrize("answer", [1, "True", [True], None, False])
def test_only_true_itself_stops(fitter, answer):
    fit = fitter()
    fit.fit(n_rounds=2, callback=lambda *_: answer, **BOUNDS)
    assert fit.server_fit.rounds == 2


def test_an_exception_ends_the_fit_and_leaves_it_usable(fitter):
    def broken(*_):
        raise KeyError("mine")

    fit = fitter()
    with pytest.raises(KeyError, match="mine"):
        fit.fit(n_rounds=50, callback=broken, **BOUNDS)
    assert fit.server_fit.state == "SUCCEEDED"
    assert len(fit.results()) == 12 and fit.best_params is not None


def test_ctrl_c_ends_the_fit_and_leaves_it_usable(fitter, capsys):
    def interrupted(*args):
        if args[4] == 1:
            raise KeyboardInterrupt

    fit = fitter()
    with pytest.raises(KeyboardInterrupt):
        fit.fit(n_rounds=50, callback=interrupted, **BOUNDS)
    assert "goes on from there" in capsys.readouterr().err
    assert fit.server_fit.has_ended and len(fit.results()) == 24
    assert fit.generate_traces().shape == (2, 50)


def test_ctrl_c_while_a_round_is_simulated(fitter, monkeypatch):
    """A gated fit ends behind that round, another one is paused: both go on."""
    watch = somafit.Fit.watch

    def interrupted(self, *arguments):
        monkeypatch.setattr(somafit.Fit, "watch", watch)
        for event in watch(self, *arguments):
            yield event
            if getattr(event, "round", None) == 1:
                raise KeyboardInterrupt

    for callback, state in ((lambda *_: None, "SUCCEEDED"), (None, "PAUSED")):
        fit = fitter()
        monkeypatch.setattr(somafit.Fit, "watch", interrupted)
        with pytest.raises(KeyboardInterrupt):
            fit.fit(n_rounds=5000, callback=callback, **BOUNDS)
        assert fit.server_fit.state == state
        assert fit.best_params is not None and fit.results()
        # Nothing that is known there is unknown here.
        rounds = fit.server_fit.rounds
        assert fit.iteration == rounds and fit.best_error == fit.server_fit.best_error
        fit.fit(n_rounds=0, callback=None)
        assert fit.server_fit.rounds == rounds
        fit.fit(n_rounds=2, callback=None)
        assert fit.iteration == fit.server_fit.rounds == rounds + 2
        whole = fitter()
        whole.fit(n_rounds=rounds + 2, callback=None, **BOUNDS)
        assert whole.results("csv") == fit.results("csv")
        assert whole.best_objective_errors == fit.best_objective_errors
        assert fit.generate_traces().shape == (2, 50)


def test_text(fitter, capsys):
    fitter().fit(n_rounds=2, **BOUNDS)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    assert re.fullmatch(r"Round 0: Best parameters g=\d+\.\d{0,3} nS", lines[0])
    assert re.fullmatch(r" {9}Best error: \d+\.\d{0,3} mV\^2 \(v\)", lines[1])
    assert lines[2].startswith("Round 1: ")
    fitter(use_units=False).fit(n_rounds=1, **BOUNDS)
    assert re.search(r"g=\d\.\d+e-08\n {9}Best error: \d\.?\d*e-06 \(v\)",
                     capsys.readouterr().out)


def test_text_of_several_outputs(capsys):
    callback_text([], None, {"b": 2.0, "a": 10 * nS}, 3.14159, 12, {
        "output_var": ["v", "w"], "objective_errors": (1 * mV**2, 2.0),
        "objective_errors_normalized": (1.14159, 2.0)})
    assert capsys.readouterr().out == (
        "Round 12: Best parameters a=10. nS, b=2\n"
        "          Best error: 3.142 = 1.14 (v, unnormalized error: 1. mV^2) + 2 "
        "(w)\n")
    callback_text([], None, {"a": 1.0}, 0.5, 0, {"output_var": ["v"]})
    assert capsys.readouterr().out.endswith("Best error: 0.5 (v)\n")
    callback_text([], None, None, None, 0, {})
    assert "no sample" in capsys.readouterr().out


def test_progress_bar_and_silence(fitter, capsys):
    pytest.importorskip("tqdm")
    fitter().fit(n_rounds=3, callback="progressbar", **BOUNDS)
    captured = capsys.readouterr()
    assert "3/3" in captured.err and captured.out == ""
    fitter().fit(n_rounds=1, callback=None, **BOUNDS)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("wrong, error", [("words", ValueError), (3, TypeError),
                                          (["text"], TypeError)])
def test_what_is_no_callback(fitter, wrong, error):
    with pytest.raises(error, match="callback"):
        callback_setup(wrong, 3)
    with pytest.raises(error, match="callback"):
        fitter().fit(callback=wrong, **BOUNDS)


def test_a_callback_that_takes_too_long(fitter, monkeypatch):
    """The fit is paused meanwhile, and goes on, or stops, as it says."""
    import time
    monkeypatch.setattr(somafit.fitter, "GATE_SECONDS", 0.3)
    for stop, rounds in ((False, 3), (True, 1)):
        fit = fitter()
        fit.fit(n_rounds=3, callback=lambda *_: time.sleep(2) or stop, **BOUNDS)
        assert fit.server_fit.rounds == rounds and fit.server_fit.has_ended
