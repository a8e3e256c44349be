"""A coordinator for all tests of a run, and a small model."""

import os
import sys

import numpy as np
import pytest

os.environ.pop("SOMAFIT_ENDPOINT", None)  # these tests start their own

import somafit
from somafit.units import mV, ms, nA, nS, pF

PASSIVE = """
dv/dt = (g*(El - v) + I)/C : volt   # a membrane
g : siemens (constant)
"""
STEPS = 50


def passive(**changes):
    """Arguments of a TraceFitter of a passive membrane with two traces."""
    arguments = dict(
        dt=0.1 * ms, model=PASSIVE,
        input={"I": np.repeat([[0.5], [1.0]], STEPS, axis=1) * nA},
        output={"v": np.repeat([[-60.0], [-58.0]], STEPS, axis=1) * mV},
        n_samples=12, param_init={"v": "El"}, seed=7,
        namespace={"El": -65 * mV, "C": 200 * pF})
    arguments.update(changes)
    return arguments


BOUNDS = {"g": [1 * nS, 100 * nS]}


@pytest.fixture
def client():
    """The embedded coordinator is one for all tests, unless one has broken it."""
    return somafit.Client(workers=2)


@pytest.fixture
def fitter(client):
    """Makes TraceFitters of `passive`, with changes."""
    def make(**changes):
        return somafit.TraceFitter(**passive(client=client, **changes))
    return make


def pytest_sessionfinish(session, exitstatus):
    """A skipped case is shown as a skipped test, as in tests/e2e."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if exitstatus == 0 and reporter and reporter.stats.get("skipped"):
        session.exitstatus = 77


sys.path.insert(0, os.path.dirname(__file__))
