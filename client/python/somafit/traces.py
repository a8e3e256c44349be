"""Traces that a fit's model makes, as they come off the wire."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, NamedTuple, Optional

import grpc
import numpy as np

from somafit import errors
from somafit.connection import Connection, is_lost
from somafit.fit_units import _words
from somafit.unit_table import Dimension
from somafit.v1 import fit_service_pb2


class Recording(NamedTuple):
    """What variables did. `values`: name -> [points x traces x steps], SI; NaN
    behind the end of shorter traces, and where a simulation diverged. Each value
    is that before the update of its step; `spikes` is 1 in steps with one."""

    values: Dict[str, np.ndarray]
    dims: Dict[str, Dimension]
    steps: List[int]
    dt: float
    sample: Optional[int]  # of the best sample
    parameters: List[float]  # of the best sample, SI


def generate(connection: Connection,
             request: fit_service_pb2.GenerateTracesRequest,
             on_problem: Callable[[Callable[[], None]], Callable[[], None]]
             ) -> Recording:
    """All traces of one request. What began is not begun again: the coordinator
    keeps none of it, so a line that is lost meanwhile is a ConnectionLostError.
    `on_problem` takes what ends the call early when an embedded program fails.
    """
    begun = False

    def attempt() -> Recording:
        nonlocal begun
        # Nobody knows how long; keepalive finds out whether anybody is there.
        stream = connection.stub.GenerateTraces(request,
                                                metadata=connection.metadata)
        remove = on_problem(stream.cancel)
        try:
            header = None
            for message in stream:
                if header is None:
                    begun, header = True, message.header
                    result = _empty(header)
                    arrays = list(result.values.values())
                for piece in message.pieces:
                    _fill(arrays, piece, result.steps)
            if header is None:
                raise errors.SomafitError("the coordinator sent no traces; update "
                                          "somafit")
            return result
        except grpc.RpcError as error:
            if begun and is_lost(error) and not connection.broken():
                raise errors.ConnectionLostError(
                    "the connection to the coordinator at "
                    f"{connection.endpoint.address} was lost while traces were "
                    "simulated; it keeps none of them: ask for them again when it "
                    "is back") from None
            raise
        finally:
            remove()
            stream.cancel()

    return connection.retry(attempt)


def _empty(header: Any) -> Recording:
    steps = list(header.steps)
    shape = (header.points, len(steps), max(steps, default=0))
    return Recording(
        {each.name: np.full(shape, np.nan) for each in header.outputs},
        {each.name: _words(each.si_unit) for each in header.outputs},
        steps, header.dt,
        header.sample if header.HasField("sample") else None,
        list(header.parameters))


def _fill(arrays: List[np.ndarray], piece: Any, steps: List[int]) -> None:
    try:
        end = piece.first_step + len(piece.values)
        if end > steps[piece.trace]:
            raise IndexError
        arrays[piece.output][piece.point, piece.trace,
                             piece.first_step:end] = piece.values
    except IndexError:
        raise errors.SomafitError("the coordinator's traces do not match what was "
                                  "asked for; update somafit") from None


def spike_times(counts: np.ndarray, dt: float) -> np.ndarray:
    """Times [s] of one trace's spikes, of the number in each step."""
    there = np.where(np.isfinite(counts), counts, 0).astype(int)
    return np.repeat(np.arange(len(counts)), there) * dt
