"""Recordings as the coordinator stores them: what was injected, what was measured,
immutable, addressed by the SHA-256 of their encoding."""

from __future__ import annotations

import hashlib
import struct
from typing import Any, List, Mapping, NamedTuple, Optional, Sequence

import numpy as np

from somafit import unit_table
from somafit.convert import scalar, si
from somafit.errors import DimensionMismatchError
from somafit.unit_table import NONE, Dimension, same

SPIKES = "spikes"  # the output that is the model's spikes
_LARGEST_BYTES = 4 << 30


class Channel(NamedTuple):
    """`values` is [traces x steps], SI; missing points of a target are NaN."""

    name: str
    dimension: Dimension
    values: np.ndarray


class Dataset:
    """``Dataset(dt, inputs={"I": I}, outputs={"v": v})``.

    `dt` is a time. Each input and output is [traces x steps] with units (see
    somafit.convert.si for what that may be); all have one shape. Inputs are
    finite, targets NaN where a point is missing. The output ``spikes`` is a list
    of one array of spike times for each trace; [] is a silent one.
    `trace_weights` is each trace's share in the mean over traces, default equal.

    Raises TypeError, ValueError or DimensionMismatchError naming the argument.
    """

    def __init__(self, dt: Any, inputs: Mapping[str, Any],
                 outputs: Mapping[str, Any],
                 trace_weights: Optional[Sequence[float]] = None) -> None:
        self.dt = scalar(dt, unit_table.SECOND, "dt")
        if not self.dt > 0:
            raise ValueError(f"dt is {self.dt} second; it must be above 0")
        if not outputs:
            raise ValueError("output: there is none; give at least one target")
        self.inputs = [_read(f"input '{name}'", name, value, False)
                       for name, value in inputs.items()]
        others = [_read(f"output '{name}'", name, value, True)
                  for name, value in outputs.items() if name != SPIKES]
        everything = [*self.inputs, *others]
        if not everything:
            raise ValueError("output 'spikes': spikes alone do not say how long a "
                             "trace is; give an input, or another output, too")
        first = everything[0]
        for each in everything[1:]:
            if each.values.shape != first.values.shape:
                raise ValueError(
                    f"'{first.name}' has {_shape(first)}, but '{each.name}' has "
                    f"{_shape(each)}; they must agree")
        self.n_traces, self.n_steps = first.values.shape
        self.spike_times: Optional[List[np.ndarray]] = None
        by_name = {each.name: each for each in others}
        if SPIKES in outputs:
            self.spike_times = spike_trains(outputs[SPIKES], "output 'spikes'")
            by_name[SPIKES] = Channel(SPIKES, NONE, self._count(self.spike_times))
        self.outputs = [by_name[name] for name in outputs]
        self.trace_weights = self._weights(trace_weights)

    def _count(self, trains: List[np.ndarray]) -> np.ndarray:
        """The number of spikes in each step."""
        if len(trains) != self.n_traces:
            raise ValueError(
                f"output 'spikes' has {len(trains)} spike trains, but there are "
                f"{self.n_traces} traces; give [] for a silent one")
        counts = np.zeros((self.n_traces, self.n_steps))
        end = self.n_steps * self.dt
        for trace, times in enumerate(trains):
            steps = np.rint(times / self.dt)
            # Within the last step, and nearer to its end.
            steps[(steps == self.n_steps) & (times < end)] = self.n_steps - 1
            outside = times[(steps < 0) | (steps >= self.n_steps)]
            if outside.size:
                raise ValueError(
                    f"output 'spikes': trace {trace} (from 0) has a spike at "
                    f"{outside[0]:g} second, but lasts from 0 to {end:g} second")
            np.add.at(counts[trace], steps.astype(int), 1)
        return counts

    def _weights(self, given: Optional[Sequence[float]]) -> np.ndarray:
        if given is None:
            return np.ones(self.n_traces)
        weights, dimension = si(given, "trace_weights")
        if not same(dimension, NONE) or np.shape(weights) != (self.n_traces,):
            raise ValueError(f"trace_weights must be {self.n_traces} plain "
                             "numbers, one for each trace")
        if not (np.all(np.isfinite(weights)) and np.all(weights > 0)):
            raise ValueError("trace_weights must be finite and above 0")
        return np.asarray(weights)

    def encode(self) -> bytes:
        """The canonical encoding, of which the coordinator takes the SHA-256:
        little-endian, channels, then trace by trace all inputs and targets."""
        parts = [b"SOMADATA", struct.pack("<4I", 1, len(self.inputs),
                                          len(self.outputs), self.n_traces)]
        for channel in (*self.inputs, *self.outputs):
            name = channel.name.encode()
            parts.append(struct.pack("<Q", len(name)) + name)
            parts.append(struct.pack("<7d", *(x + 0.0 for x in channel.dimension)))
        # One bit pattern for all that is not a number.
        targets = [np.where(np.isnan(each.values), np.nan, each.values)
                   for each in self.outputs]
        for trace in range(self.n_traces):
            parts.append(struct.pack("<2dQ", self.dt, self.trace_weights[trace],
                                     self.n_steps))
            for values in (*(each.values for each in self.inputs), *targets):
                parts.append(np.ascontiguousarray(values[trace], "<f8").tobytes())
        size = sum(map(len, parts))
        if size > _LARGEST_BYTES:
            raise ValueError(f"the recordings have {size} bytes; at most "
                             f"{_LARGEST_BYTES} can be sent")
        return b"".join(parts)

    @property
    def name(self) -> str:
        """"datasets/<sha256>", as the coordinator will call it."""
        return f"datasets/{hashlib.sha256(self.encode()).hexdigest()}"


def _shape(channel: Channel) -> str:
    return "{} traces of {} steps".format(*channel.values.shape)


def _read(what: str, name: str, value: Any, missing: bool) -> Channel:
    if not isinstance(name, str) or not name.isidentifier() or not name.isascii():
        raise ValueError(f"{what}: a name has letters, digits and _, and does not "
                         "begin with a digit")
    values, dimension = si(value, what)
    if np.ndim(values) != 2:
        raise ValueError(
            f"{what} must be a two-dimensional array, [traces x steps], but has "
            f"the shape {np.shape(values)}"
            + ("; write [trace] for a single trace" if np.ndim(values) == 1
               else ""))
    if 0 in values.shape:
        raise ValueError(f"{what} is empty: its shape is {values.shape}")
    bad = ~np.isfinite(values) & ~(np.isnan(values) & missing)
    if bad.any():
        trace, step = np.argwhere(bad)[0]
        raise ValueError(
            f"{what}: trace {trace}, step {step} (from 0) is "
            f"{values[trace, step]}; "
            + ("a target is finite, or nan where a point is missing" if missing
               else "an input must be known at every step"))
    return Channel(name, dimension, values)


def spike_trains(value: Any, what: str) -> List[np.ndarray]:
    """One sorted array of spike times in seconds for each trace, of a list of
    arrays of times, or of numbers in seconds. NaN is no spike."""
    if isinstance(value, (str, bytes)) or not hasattr(value, "__iter__"):
        raise TypeError(f"{what} must be a list with one array of spike times for "
                        "each trace")
    trains = []
    for trace, each in enumerate(value):
        times, dimension = si(each, f"{what}, trace {trace}")
        if np.ndim(times) != 1:
            raise ValueError(
                f"{what}: trace {trace} must be a one-dimensional array of spike "
                f"times, but has the shape {np.shape(times)}; give a list with "
                "one array for each trace")
        if times.size and not (same(dimension, unit_table.SECOND)
                               or same(dimension, NONE)):
            raise DimensionMismatchError(
                f"{what}: trace {trace} must have times, in seconds, not "
                f"{unit_table.formula(dimension)}")
        times = np.sort(times[~np.isnan(times)])
        if not np.all(np.isfinite(times)):
            raise ValueError(f"{what}: trace {trace} has a time that is not finite")
        trains.append(times)
    return trains
