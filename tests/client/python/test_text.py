"""What is read of equations, which constants are found, how numbers are written."""

import sys

import numpy as np
import pytest

from somafit import TimedArray
from somafit.equations import Equations, identifiers
from somafit.fit_spec import timed_array
from somafit.namespace import capture
from somafit.number_text import json_number, shortest_text
from somafit.unit_table import NONE, VOLT
from somafit.units import mV, ms, nA, nS

TEXT = """
dv/dt = (gl*(El - v)   # leak: not "unknown"
         + I)/C : volt (unless refractory)
rate = 1e3*Hz*
       exp(v/(4*mV)) : Hz
gl : siemens (constant)
n : 1
spiking = v > -50*mV : boolean
"""


def test_definitions_are_found():
    equations = Equations(TEXT)
    assert equations.names("differential") == ["v"]
    assert equations.names("parameter") == ["gl", "n"]
    assert equations.names("subexpression")[-1] == "spiking"
    assert {"gl", "El", "v", "I", "C", "mV"} <= equations.used
    assert "unknown" not in equations.used and "e3" not in equations.used
    assert equations.definitions["v"].dimension == VOLT
    assert equations.definitions["n"].dimension == NONE
    assert Equations("no equation at all").definitions == {}
    assert identifiers("v = El # w") == {"v", "El"}


def test_equations_of_brian():
    brian2 = pytest.importorskip("brian2")
    equations = Equations(brian2.Equations("dv/dt = (g*(El - v))/C : volt\n"
                                           "g : siemens (constant)"))
    assert equations.names("parameter") == ["g"]
    assert equations.definitions["v"].dimension == VOLT


El = -65 * mV
text = "no constant"


def test_constants_come_from_the_callers_frame():
    C, _hidden, function = 200, 3, print  # noqa: F841
    stimulus = TimedArray([0, 1] * nA, dt=1 * ms)
    found = capture({"El", "C", "_hidden", "function", "nowhere", "text", "exp",
                     "t", "mV", "stimulus", "I"}, sys._getframe())
    assert found.constants == {"C": "200.0", "El": "-0.065*volt"}
    assert found.timed_arrays == {"stimulus": timed_array("stimulus", stimulus)}
    # What is given comes first.
    assert capture({"El"}, sys._getframe(), {"El": 5 * nS}).constants == {
        "El": f"{(5 * nS).value!r}*siemens"}
    assert capture({"El"}, None, {"El": "-65*mV"}).constants == {
        "El": "-0.065*volt"}
    for wrong, error in (("text", ValueError), ([1], TypeError), (None, TypeError)):
        with pytest.raises(error, match="El"):
            capture({"El"}, None, {"El": wrong})
    xi0, xi, xi_1 = 1, 2, 3  # noqa: F841
    assert capture({"xi0", "xi", "xi_1"}, sys._getframe()).constants == {"xi0": "1.0"}
    assert capture({"El"}, None).constants == {}
    local = np.float32(2)  # noqa: F841
    array = np.ones(3)  # noqa: F841
    nan = float("nan")  # noqa: F841
    assert capture({"local", "array", "nan"}, sys._getframe()).constants == {
        "local": "2.0"}


@pytest.mark.parametrize("value, expected", [
    (0.0, "0"), (-0.0, "-0"), (1e5, "1e+05"), (123456.0, "123456"), (0.001, "0.001"),
    (0.0001, "1e-04"), (1.5e-7, "1.5e-07"), (1e22, "1e+22"), (12.5, "12.5"),
    (123456789012345678901.0, "123456789012345683968"), (5e-324, "5e-324"),
    (-2.0000000000000002e-07, "-2.0000000000000002e-07"), (float("inf"), "inf"),
    (float("nan"), "nan"), (np.float64(0.1), "0.1")])
def test_numbers_are_written_as_the_command_line_does(value, expected):
    assert shortest_text(value) == expected
    assert json_number(float("nan")) == "null"


def test_numbers_read_back():
    rng = np.random.default_rng(1)
    for value in np.exp(rng.uniform(-700, 700, 3000)) * rng.choice([-1, 1], 3000):
        assert float(shortest_text(value)) == value
