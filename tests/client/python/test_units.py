"""Quantities: arithmetic, text, and what others' arrays become."""

import copy
import pickle

import numpy as np
import pytest

from somafit import DimensionMismatchError, Quantity, units
from somafit.convert import as_text, get_dimensions, parse_quantity, quantity, si
from somafit.unit_table import (FARAD, NONE, SECOND, SIEMENS, VOLT,
                                dimension_of_words, display_unit, formula)
from somafit.units import (Hz, Mohm, cm, mV, ms, nA, nS, pA, pF, psiemens, second,
                           uF, umetre, usiemens, volt)


def test_names_have_the_values_of_the_model_language():
    assert float(mV / volt) == 1e-3
    assert 20000 * umetre**2 == Quantity(20000 * (1e-6)**2, "metre**2")
    assert units.umetre2 == umetre**2 and units.cm3.value == 1e-6
    assert (1 * uF / cm**2).has_same_dimensions(units.farad / units.metre**2)
    assert 10 * nA / (2 * mV) == 5e-6 * units.siemens
    assert (1 * Mohm * pA).has_same_dimensions(mV)
    assert units.liter.value == 1e-3 and units.molar.value == 1000
    assert isinstance(ms * Hz, float)
    with pytest.raises(AttributeError, match="parsec"):
        units.parsec
    with pytest.raises(ImportError):
        from somafit.units import nosuch  # noqa: F401
    star = {}
    exec("from somafit.units import *", star)
    assert {"mV", "ms", "nS", "usiemens", "psiemens", "second"} <= set(star)


def test_arithmetic_follows_units():
    assert 3 * mV + 2 * mV == 5 * mV
    assert sum([1 * mV, 2 * mV]) == 3 * mV
    assert isinstance(5 * mV / mV, float)
    assert np.sqrt(4 * mV**2) == 2 * mV
    trace = np.arange(6.0).reshape(2, 3) * mV
    assert trace.shape == (2, 3) and len(trace) == 2 and trace.T.shape == (3, 2)
    assert trace[1, 2] == 5 * mV and isinstance(trace[0], Quantity)
    assert np.mean(trace) == trace.mean() == 2.5 * mV
    np.testing.assert_allclose(np.std(trace, axis=1) / mV, [0.81649658] * 2)
    assert trace.max() == 5 * mV and np.argmax(trace) == 5
    assert (trace > 2 * mV).sum() == 3
    assert [each / mV for each in trace[0]] == [0, 1, 2]
    np.testing.assert_array_equal(np.ones(2) * mV, [1, 1] * mV)
    np.testing.assert_array_equal([1, 2] * mV, Quantity([1, 2], "mV"))
    trace[0, 0] = 9 * mV
    assert trace[0, 0] == 9 * mV
    for same in (copy.copy(trace), pickle.loads(pickle.dumps(trace))):
        assert np.all(same == trace) and same.dim == trace.dim
    assert -(2 * mV) < 0 and abs(-2 * mV) == 2 * mV
    assert (3 * mV == 3) is False and 3 * mV != 3


@pytest.mark.parametrize("wrong", [
    lambda: 1 * mV + 1, lambda: 1 * mV - 1 * ms, lambda: 1 * mV < 1,
    lambda: np.exp(1 * mV), lambda: float(1 * mV), lambda: (1 * mV)**(1 * ms),
    lambda: np.ones(2) * mV + np.ones(2), lambda: quantity([1 * mV, 1 * ms], "x"),
    lambda: np.maximum(1 * mV, 1 * ms), lambda: (1 * mV).in_unit("ms")])
def test_units_that_do_not_agree(wrong):
    with pytest.raises(DimensionMismatchError):
        wrong()


def test_shown_in_a_fitting_unit():
    assert str(10 * nS) == "10. nS"
    assert repr(0.0123 * volt) == "12.3 mV"
    assert str(7.58e-6 * volt**2) == "7.58 mV^2"
    assert (20 * mV).in_unit("uvolt") == "20000. uvolt"
    assert (1234.5678 * mV).in_best_unit(precision=3) == "1.235 V"
    assert str(np.array([1.0, 20.0]) * mV) == "[ 1. 20.] mV"
    assert f"{1.5 * mV:.2f}" == "1.50 mV"
    assert display_unit(VOLT, 0.0) == ("V", 1.0)
    assert formula(FARAD) == "farad" and formula(SECOND) == "second"
    for dimension in (VOLT, SIEMENS, NONE, get_dimensions(uF / cm**2),
                      get_dimensions(second**-0.5), get_dimensions(volt**2 / ms)):
        assert get_dimensions(Quantity(1.0, formula(dimension))) == dimension
    assert dimension_of_words("volt^2") == get_dimensions(volt**2)
    assert dimension_of_words("siemens/metre^2") == get_dimensions(nS / cm**2)
    assert dimension_of_words("1") == dimension_of_words("") == NONE
    with pytest.raises(ValueError, match="update"):
        dimension_of_words("parsec")


def test_text_is_read_and_written_exactly():
    assert parse_quantity("0.01*ms") == 0.01 * ms
    assert parse_quantity("-(65 + 3)*mV") == -68 * mV
    assert parse_quantity("2*pi") == 2 * np.pi
    for value in (0.1 * ms, 200 * nS, 2 * psiemens, 3.7, -65 * mV, 0.3 * usiemens):
        assert parse_quantity(as_text(value, "x")) == value


@pytest.mark.parametrize("text", ["1 mV", "5 parsec", "__import__('os')", "", "(",
                                  "9**9**9**9*mV", "1 + 1*mV", "x" * 5000, "a.b",
                                  "[1]*mV", "'a'*9", "1/0*mV"])
def test_text_that_is_no_quantity(text):
    with pytest.raises(ValueError, match="argument"):
        si(text, "argument")


def test_arrays_of_others():
    expected = [0.001, 0.002]
    np.testing.assert_array_equal(si(([1, 2], "mV"), "x")[0], expected)
    np.testing.assert_array_equal(si(np.array([1, 2]) * mV, "x")[0], expected)
    assert si(np.array([1, 2]), "x")[0].dtype == np.float64
    assert si(np.float32(2), "x") == (2.0, NONE)
    assert si([True, False], "x")[0].tolist() == [1, 0]
    for wrong in (None, object(), {"a": 1}, [[1], [2, 3]], ["mV", 3j], 1j):
        with pytest.raises((TypeError, ValueError), match="argument"):
            si(wrong, "argument")
    pandas = pytest.importorskip("pandas")
    np.testing.assert_array_equal(si(pandas.Series([1, 2]), "x")[0], [1, 2])
    np.testing.assert_array_equal(si((pandas.DataFrame([[1, 2]]), "mV"), "x")[0],
                                  [expected])


def test_quantities_of_others():
    pq = pytest.importorskip("quantities")
    values, dimension = si([1, 2] * pq.mV, "x")
    np.testing.assert_allclose(values, [0.001, 0.002], rtol=1e-15)
    assert dimension == VOLT
    assert si(5 * pq.nS, "x")[1] == SIEMENS and si(3 * pq.dimensionless, "x") == (
        3.0, NONE)


def test_quantities_of_brian():
    brian2 = pytest.importorskip("brian2")
    for value in (np.array([1, 2]) * brian2.mV, [1 * brian2.mV, 2 * brian2.mV]):
        values, dimension = si(value, "x")
        np.testing.assert_allclose(values, [0.001, 0.002], rtol=1e-15)
        assert dimension == VOLT
    assert quantity(10 * brian2.nS, "x") == 10 * nS
    assert get_dimensions(1 * brian2.uF / brian2.cm**2) == get_dimensions(
        uF / cm**2)
    assert quantity(pF * 2, "x") == 2 * pF


def test_quantities_of_others_beside_ours():
    pq = pytest.importorskip("quantities")
    brian2 = pytest.importorskip("brian2")
    for other in (3 * pq.nA, 3 * brian2.nA, np.array([3.0]) * brian2.nA):
        assert abs(2 * mV * other / (6 * mV * nA) - 1) < 1e-12
        with pytest.raises(DimensionMismatchError):
            2 * mV + other
    assert abs((3 * pq.nA) * (2 * mV) / (6 * mV * nA) - 1) < 1e-12
    assert 2 * mV + 3 * brian2.mV == 5 * mV


def test_masked_points_are_missing():
    masked = np.ma.array([1, 2, 3], mask=[False, True, False])
    np.testing.assert_array_equal(np.asarray(mV * masked), [1e-3, np.nan, 3e-3])
