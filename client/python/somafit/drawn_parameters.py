"""Which parameters came out of which posterior: what a loop simulates next was
drawn from one, and what is learned depends on it."""

from __future__ import annotations

from typing import List, NamedTuple, Optional

import numpy as np

_MOST_ROWS = 4_000_000  # that are remembered


class Origin(NamedTuple):
    """The posterior at `x` that round `round` of the inference is drawn from."""

    name: str
    round: int
    x: np.ndarray
    proposed: bool  # by the coordinator, as the algorithm has it


class _Entry(NamedTuple):
    origin: Origin
    exact: np.ndarray  # [n], a key of each row's bits
    rounded: np.ndarray  # [n], the same once they are float32


def same_x(a: np.ndarray, b: np.ndarray) -> bool:
    """But for what a way through float32 changes."""
    return a.shape == b.shape and bool(np.allclose(a, b, rtol=1e-6, atol=0))


def _keys(theta: np.ndarray, kind: type) -> np.ndarray:
    bits = np.ascontiguousarray(theta, dtype=kind).view(
        np.uint64 if kind is np.float64 else np.uint32).astype(np.uint64)
    key = np.zeros(len(bits), dtype=np.uint64)
    for column in bits.T:
        key = (key ^ column) * np.uint64(0x9E3779B97F4A7C15)
        key ^= key >> np.uint64(29)
    return key


class DrawnParameters:
    """Rows are told by their bits, or where they went through float32, as tensors
    do, by those."""

    def __init__(self) -> None:
        self._entries: List[_Entry] = []

    def remember(self, theta: np.ndarray, origin: Origin) -> None:
        rows = np.asarray(theta, dtype=float).reshape(-1, np.shape(theta)[-1])
        with np.errstate(over="ignore"):
            self._entries.append(_Entry(origin, _keys(rows, np.float64),
                                        _keys(rows, np.float32)))
        while len(self._entries) > 1 and sum(
                len(each.exact) for each in self._entries) > _MOST_ROWS:
            del self._entries[0]

    def origin(self, theta: np.ndarray) -> Optional[Origin]:
        """Where [n x parameters] are from; None: from none that is known. ValueError
        where they are mixed."""
        if not self._entries:
            return None
        exact = _keys(theta, np.float64)
        found = self._found(exact, [each.exact for each in self._entries])
        # By chance, a few rows of one parameter may be equal as float32.
        least = 1 / max(len(theta), 1)
        if not found.any() and np.array_equal(theta, theta.astype(np.float32)):
            found = self._found(_keys(theta, np.float32),
                                [each.rounded for each in self._entries])
            least = 0.2
        if found.any(axis=0).mean() < least:
            return None
        if not found.any(axis=0).all():
            raise ValueError(
                f"theta: {int(found.any(axis=0).sum())} of {len(theta)} rows were drawn "
                "from the posterior, the others were not; append simulations of one "
                "proposal at a time")
        # The fewest entries that have all rows, the newest first.
        origins, left = [], np.ones(len(theta), bool)
        for number in range(len(self._entries) - 1, -1, -1):
            if (found[number] & left).any():
                origins.append(self._entries[number].origin)
                left &= ~found[number]
        for other in origins[1:]:
            if other._replace(x=origins[0].x) != origins[0] or not same_x(
                    other.x, origins[0].x):
                raise ValueError("theta: rows were drawn from different posteriors; "
                                 "append simulations of one proposal at a time")
        return origins[0]

    @staticmethod
    def _found(keys: np.ndarray, entries: List[np.ndarray]) -> np.ndarray:
        """[entries x rows]."""
        return np.array([np.isin(keys, each) for each in entries])
