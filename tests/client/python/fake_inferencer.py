"""An Inferencer of a coordinator that is made up."""

import numpy as np
import pytest

from fake_coordinator import coordinator
from somafit import Inferencer, features
from somafit.units import mV, ms, nA, nS, pF

MODEL = """
dv/dt = (g*(El - v) + k*I)/C : volt
k : 1
g : siemens (constant)
"""
STEPS = 20
FEATURES = {"v": [features.max(t_start=1 * ms), "mean"], "spikes": features.spike_count}
BOUNDS = {"g": [1 * nS, 100 * nS], "k": [0, 4]}


def arguments(**changes):
    return {**dict(
        dt=0.1 * ms, model=MODEL, input={"I": np.ones((2, STEPS)) * nA},
        output={"v": np.full((2, STEPS), -60.0) * mV, "spikes": [[], [1 * ms]]},
        features=FEATURES, threshold="v > -50*mV", reset="v = El",
        param_init={"v": "El"}, seed=7,
        namespace={"El": -65 * mV, "C": 200 * pF}), **changes}


@pytest.fixture
def fake():
    with coordinator() as made:
        yield made


@pytest.fixture
def inferencer(fake):
    return Inferencer(**arguments(client=fake.client))


@pytest.fixture
def posterior(inferencer):
    return inferencer.infer(50, callback=None, **BOUNDS)
