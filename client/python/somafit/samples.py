"""Samples of a fit as columns, fetched page by page: filtered and ordered by the
coordinator, millions of them where need be."""

from __future__ import annotations

import dataclasses
from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple, \
    Union

import numpy as np

from somafit.convert import si
from somafit.errors import DimensionMismatchError, SomafitError
from somafit.unit_table import NONE, Dimension, formula, same
from somafit.v1 import fit_pb2, fit_service_pb2

PAGE = 5000
_DEADLINE = 300.0  # of a page [s]
Range = Union[Any, Tuple[Any, Any]]  # (least, greatest), or the greatest


def status_text(status: int) -> str:
    """"ok", "nonfinite", "failed", "drawn", "cancelled" or "abandoned"."""
    try:
        name = fit_pb2.SampleStatus.Name(status)  # type: ignore[arg-type]
    except ValueError:
        return f"status {status}"  # of a newer server
    return name[len("SAMPLE_STATUS_"):].lower()


@dataclasses.dataclass(frozen=True, eq=False)
class SampleTable:
    """n samples with P parameters and O outputs; row i of everything is one
    sample. SI; NaN where there is no number."""

    sample: np.ndarray  # [n], number within the fit
    stage: np.ndarray  # [n]
    round: np.ndarray  # [n]
    status: np.ndarray  # [n], of fit_pb2.SampleStatus
    parameters: np.ndarray  # [n x P]
    total_error: np.ndarray  # [n], with the penalty
    output_error: np.ndarray  # [n x O], raw
    output_error_normalized: np.ndarray  # [n x O]
    penalty: Optional[np.ndarray] = None  # [n]
    trace_error: Optional[np.ndarray] = None  # [n x O x traces], raw

    def __len__(self) -> int:
        return len(self.sample)

    def columns(self) -> Tuple[Any, ...]:
        """All of them, in this order."""
        return tuple(getattr(self, each.name) for each in dataclasses.fields(self))

    def rows(self, keep: Any) -> "SampleTable":
        """Some of the samples: a mask, a slice or numbers of rows."""
        cut: Any = (None if each is None else each[keep] for each in self.columns())
        return SampleTable(*cut)

    @property
    def done(self) -> np.ndarray:
        """[n]: whether the sample was simulated, abandoned or given up."""
        return np.isin(self.status, (fit_pb2.SAMPLE_STATUS_OK,
                                     fit_pb2.SAMPLE_STATUS_NONFINITE,
                                     fit_pb2.SAMPLE_STATUS_FAILED,
                                     fit_pb2.SAMPLE_STATUS_ABANDONED))


def table_of(block: fit_pb2.SampleBlock, n_parameters: int,
             n_outputs: int) -> SampleTable:
    """A block off the wire; SomafitError if its columns are not the fit's."""
    n = len(block.sample)

    def matrix(values: Sequence[float], columns: int) -> np.ndarray:
        return np.array(values, dtype=float).reshape(n, columns)

    # The samples of an inference have features, but no errors.
    if n and not block.total_error and not block.output_error:
        n_outputs = 0
    total = block.total_error or [np.nan] * n
    try:
        trace_error = None
        if block.trace_error and n_outputs:
            traces = len(block.trace_error) // (n * n_outputs)
            trace_error = np.array(block.trace_error, dtype=float).reshape(
                n, n_outputs, traces)
        return SampleTable(
            np.array(block.sample, dtype=np.int64),
            np.array(block.stage, dtype=np.int32).reshape(n),
            np.array(block.round, dtype=np.int64).reshape(n),
            np.array(block.status, dtype=np.int8).reshape(n),
            matrix(block.parameters, n_parameters),
            np.array(total, dtype=float).reshape(n),
            matrix(block.output_error, n_outputs),
            matrix(block.output_error_normalized, n_outputs),
            np.array(block.penalty, dtype=float).reshape(n) if block.penalty
            else None, trace_error)
    except (ValueError, ZeroDivisionError):
        raise SomafitError("the coordinator sent samples whose columns do not "
                           "match the fit's; update somafit") from None


def join(pages: List[SampleTable]) -> SampleTable:
    """One table of several; at least one."""
    # An empty page has no penalties and errors of traces to tell of.
    pages = [page for page in pages if len(page)] or pages[:1]
    columns = []
    for column in zip(*(page.columns() for page in pages)):
        there = [each for each in column if each is not None]
        columns.append(np.concatenate(there) if len(there) == len(column)
                       else None)
    return SampleTable(*columns)


def list_request(name: str, stage: Optional[int] = None,
                 status: Union[str, Sequence[str]] = (),
                 ranges: Optional[Mapping[str, Range]] = None,
                 order_by: str = "", trace_errors: bool = False, page: int = PAGE,
                 dimensions: Optional[Mapping[str, Dimension]] = None
                 ) -> fit_service_pb2.ListSamplesRequest:
    """ValueError for what cannot be asked. `dimensions` of columns, where known."""
    request = fit_service_pb2.ListSamplesRequest(
        name=name, page_size=page, order_by=order_by or "",
        trace_errors=trace_errors)
    if stage is not None:
        request.stage = int(stage)
    known = {status_text(number): number
             for number in fit_pb2.SampleStatus.values() if number}
    for each in [status] if isinstance(status, str) else status:
        if each not in known:
            raise ValueError(f"status: \"{each}\" is none; known are "
                             f"{', '.join(sorted(known))}")
        request.status.append(known[each])  # type: ignore[arg-type]
    for column, limits in (ranges or {}).items():
        low, high = limits if isinstance(limits, (tuple, list)) and len(
            limits) == 2 else (None, limits)
        added = request.ranges.add(column=column)
        dimension = (dimensions or {}).get(column, NONE)
        if low is not None:
            added.minimum = _limit(low, column, dimension)
        if high is not None:
            added.maximum = _limit(high, column, dimension)
    return request


def _limit(value: Any, column: str, dimension: Dimension) -> float:
    number, found = si(value, f"ranges['{column}']")
    if np.ndim(number):
        raise TypeError(f"ranges['{column}']: give (least, greatest), not {value!r}")
    if not same(found, NONE) and not same(found, dimension):
        raise DimensionMismatchError(f"ranges['{column}'] is in {formula(found)}, but "
                                     f"the column is in {formula(dimension)}")
    return float(number)


def pages(connection: Any, request: fit_service_pb2.ListSamplesRequest,
          n_parameters: int, n_outputs: int, limit: Optional[int] = None
          ) -> Iterator[SampleTable]:
    """All samples that `request` asks for, or the first `limit` of them, a page at a
    time; never more than one is held here. The last may be empty."""
    request = type(request).FromString(request.SerializeToString())
    if limit is not None:
        request.page_size = max(1, min(request.page_size, limit))
    left = limit
    while True:
        # What is ordered may take a while to be found.
        reply = connection.call("ListSamples", request, deadline=_DEADLINE)
        table = table_of(reply.samples, n_parameters, n_outputs)
        if left is not None:
            table = table.rows(slice(left))
            left -= len(table)
        yield table
        if not reply.next_page_token or left == 0:
            return
        request.page_token = reply.next_page_token


def column_names(parameters: Sequence[str],
                 outputs: Sequence[str]) -> Dict[str, List[str]]:
    """Names of columns as the fit's table in the database has them: one that is
    taken, ignoring case, gets a "_" behind it."""
    taken = {"sample", "stage", "round", "status", "total_error", "trace_errors",
             "worker", "microseconds", "numerics_version", "reason", "unit_point",
             "raw_file", "raw_offset"}

    def free(name: str) -> str:
        while name.lower() in taken:
            name += "_"
        taken.add(name.lower())
        return name

    names: Dict[str, List[str]] = {"parameters": [free(p) for p in parameters],
                                   "errors": [], "normalized": []}
    for output in outputs:
        names["errors"].append(free(f"{output}_error"))
        names["normalized"].append(free(f"{output}_error_normalized"))
    return names
