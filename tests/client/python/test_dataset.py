"""Recordings: what is sent has the hash that the coordinator computes."""

import numpy as np
import pytest

from somafit import Dataset, DimensionMismatchError
from somafit.units import mV, ms, nA, second


def inputs(values=np.ones((2, 5))):
    return {"I": values * nA}


def test_the_coordinator_computes_the_same_hash(client):
    rng = np.random.default_rng(3)
    target = rng.normal(size=(2, 5)) * mV
    target.value[0, 3] = -np.nan  # one bit pattern for all of them
    target.value[1, 1] = -0.0
    for dataset in (
            Dataset(0.1 * ms, inputs(), {"v": target}),
            Dataset("0.1*ms", {}, {"v": target, "w": np.ones((2, 5))}),
            Dataset(0.1 * ms, inputs(rng.normal(size=(2, 5))),
                    {"spikes": [[0.1, 0.3] * ms, []], "v": target},
                    trace_weights=[1, 2])):
        assert client.upload(dataset) == dataset.name
        assert client.upload(dataset) == dataset.name


def test_recordings_of_some_megabytes(client):
    large = Dataset(0.1 * ms, inputs(np.random.default_rng(1).normal(
        size=(3, 200_000))), {"v": np.zeros((3, 200_000)) * mV})
    assert client.upload(large) == large.name


def test_spike_times_become_numbers_of_spikes():
    dataset = Dataset(0.1 * ms, inputs(), {
        "spikes": [[0.00026, 0.00011, 0.00014], [0.00048, np.nan]]})
    np.testing.assert_array_equal(dataset.outputs[0].values,
                                  [[0, 2, 0, 1, 0], [0, 0, 0, 0, 1]])
    assert [each.tolist() for each in dataset.spike_times] == [
        [0.00011, 0.00014, 0.00026], [0.00048]]


@pytest.mark.parametrize("what, error, made", [
    ("dt", ValueError, lambda: Dataset(0 * ms, inputs(), {"v": np.ones((2, 5))})),
    ("dt", DimensionMismatchError, lambda: Dataset(0.1, inputs(), {})),
    ("dt", ValueError, lambda: Dataset("0.1 ms", inputs(), {})),
    ("output", ValueError, lambda: Dataset(1 * ms, inputs(), {})),
    ("output 'v'", ValueError,
     lambda: Dataset(1 * ms, inputs(), {"v": np.ones(5)})),
    ("2 traces of 5 steps", ValueError,
     lambda: Dataset(1 * ms, inputs(), {"v": np.ones((2, 4))})),
    ("trace 0, step 0", ValueError,
     lambda: Dataset(1 * ms, inputs(np.full((2, 5), np.nan)),
                     {"v": np.ones((2, 5))})),
    ("trace 0, step 0", ValueError,
     lambda: Dataset(1 * ms, inputs(), {"v": np.full((2, 5), np.inf)})),
    ("is empty", ValueError,
     lambda: Dataset(1 * ms, {}, {"v": np.ones((2, 0))})),
    ("spikes", ValueError, lambda: Dataset(1 * ms, {}, {"spikes": [[]]})),
    ("1 spike trains", ValueError,
     lambda: Dataset(1 * ms, inputs(), {"spikes": [[]]})),
    ("trace 1", ValueError,
     lambda: Dataset(1 * ms, inputs(), {"spikes": [[], [5 * ms]]})),
    ("trace 1", DimensionMismatchError,
     lambda: Dataset(1 * ms, inputs(), {"spikes": [[], [5 * mV]]})),
    ("trace 0", ValueError,
     lambda: Dataset(1 * ms, inputs(), {"spikes": [1 * second, 2 * second]})),
    ("spikes", TypeError, lambda: Dataset(1 * ms, inputs(), {"spikes": "late"})),
    ("trace_weights", ValueError,
     lambda: Dataset(1 * ms, inputs(), {"v": np.ones((2, 5))}, [1])),
    ("trace_weights", ValueError,
     lambda: Dataset(1 * ms, inputs(), {"v": np.ones((2, 5))}, [1, -1])),
    ("name", ValueError,
     lambda: Dataset(1 * ms, {"a b": np.ones((2, 5))}, {"v": np.ones((2, 5))})),
])
def test_mistakes_name_the_argument(what, error, made):
    with pytest.raises(error, match=what):
        made()


def test_arguments_are_not_changed():
    target = np.array([[1, 2, np.nan]])
    times = [[3 * ms, 1 * ms]]
    Dataset(1 * ms, {}, {"v": target})
    Dataset(1 * ms, {"I": np.ones((1, 5))}, {"spikes": times})
    assert times == [[3 * ms, 1 * ms]] and np.isnan(target[0, 2])
