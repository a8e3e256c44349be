"""Samples in the forms that people want them in."""

from __future__ import annotations

import itertools
import json
import os
from typing import Any, Callable, Dict, Iterable, Iterator, List, NamedTuple, \
    Optional, Tuple, Union

import numpy as np

from somafit.fit_units import FitUnits
from somafit.number_text import json_number, shortest_text
from somafit.quantity import Quantity, make
from somafit.samples import SampleTable, column_names, join, status_text

FORMATS = ("list", "dict", "dataframe", "csv", "json", "npz")
Destination = Union[None, str, "os.PathLike[str]"]


def _columns(table: SampleTable, units: FitUnits, with_units: bool
             ) -> Dict[str, Any]:
    """Everything by name, arrays with or without units: parameters, "error" (the
    total, normalized), and by output the own errors."""
    def dressed(values: np.ndarray, dimension: Any) -> Any:
        return make(values, dimension) if with_units else values

    columns: Dict[str, Any] = {
        name: dressed(table.parameters[:, i], units.parameter_dims[i])
        for i, name in enumerate(units.parameters)}
    columns["error"] = dressed(table.total_error, units.error_dim)
    columns["objective_errors_normalized"] = {
        name: dressed(table.output_error_normalized[:, i], units.error_dim)
        for i, name in enumerate(units.outputs)}
    columns["objective_errors"] = {
        name: dressed(table.output_error[:, i], units.raw_dims[i])
        for i, name in enumerate(units.outputs)}
    if table.penalty is not None:
        columns["penalty"] = dressed(table.penalty, units.error_dim)
    if table.trace_error is not None:
        columns["trace_errors"] = {
            name: dressed(table.trace_error[:, i, :], units.raw_dims[i])
            for i, name in enumerate(units.outputs)}
    # A parameter of that name comes first.
    columns.setdefault("sample", table.sample)
    columns.setdefault("round", table.round)
    return columns


def as_dict(table: SampleTable, units: FitUnits, with_units: bool
            ) -> Dict[str, Any]:
    """Name -> array over samples; objective_errors and the like are dicts
    themselves."""
    return _columns(table, units, with_units)


def as_list(table: SampleTable, units: FitUnits, with_units: bool
            ) -> List[Dict[str, Any]]:
    """One dict for each sample, with what as_dict has."""
    columns = _columns(table, units, with_units)

    def rows(value: Any) -> List[Any]:
        if isinstance(value, dict):
            parts = {key: rows(each) for key, each in value.items()}
            return [dict(zip(parts, each)) for each in zip(*parts.values())]
        if isinstance(value, Quantity):
            return [make(each, value.dim) for each in np.asarray(value)]
        return list(value) if value.ndim > 1 else value.tolist()

    lists = {name: rows(value) for name, value in columns.items()}
    return [dict(zip(lists, each)) for each in zip(*lists.values())]


def as_dataframe(table: SampleTable, units: FitUnits) -> Any:
    """A pandas.DataFrame in SI: parameters, "error", then for each output
    normalized_error_<output> and error_<output>."""
    import pandas
    columns = _columns(table, units, False)
    normalized = columns["objective_errors_normalized"]
    frame = {name: columns[name] for name in [*units.parameters, "error"]}
    for name in units.outputs:
        frame[f"normalized_error_{name}"] = normalized[name]
        frame[f"error_{name}"] = columns["objective_errors"][name]
    if "penalty" in columns:
        frame["penalty"] = columns["penalty"]
    for name, errors in columns.get("trace_errors", {}).items():
        for trace in range(errors.shape[1]):
            frame[f"error_{name}_trace_{trace}"] = errors[:, trace]
    return pandas.DataFrame(frame)


class _Column(NamedTuple):
    """A column of a file: its name, its unit in words, and its numbers."""

    name: str
    unit: str
    of: Callable[[SampleTable], Any]


def _file_columns(units: FitUnits, n_traces: int) -> List[_Column]:
    """As the command line has them: parameters, total_error, for each output
    <output>_error, and <output>_error_normalized where its metric has a
    normalization; penalty, where there is one; errors of traces, if asked for."""
    names = column_names(units.parameters, units.outputs)
    columns = [
        _Column(name, units.words[i], lambda t, i=i: t.parameters[:, i])  # type: ignore
        for i, name in enumerate(names["parameters"])]
    total = units.words[len(columns)]
    words = units.words[len(columns) + 1:]
    columns.append(_Column("total_error", total, lambda t: t.total_error))
    for i, name in enumerate(names["errors"]):
        columns.append(_Column(name, words[i],
                               lambda t, i=i: t.output_error[:, i]))  # type: ignore
        if units.normalized[i]:
            columns.append(_Column(
                names["normalized"][i], total,
                lambda t, i=i: t.output_error_normalized[:, i]))  # type: ignore
    if units.has_penalty:
        columns.append(_Column("penalty", total, lambda t: t.penalty))
    for i, name in enumerate(names["errors"]):
        for trace in range(n_traces):
            columns.append(_Column(
                f"{name}_trace_{trace}", words[i],
                lambda t, i=i, trace=trace: t.trace_error[:, i, trace]))  # type: ignore
    return columns


def _numbers(table: SampleTable, columns: List[_Column]) -> List[List[float]]:
    if not len(table):
        return []
    return np.column_stack([each.of(table) for each in columns]).tolist()


def _begin(pages: Iterable[SampleTable], units: FitUnits
           ) -> Tuple[List[_Column], Iterator[SampleTable]]:
    """The columns, which show with the first page, and all pages."""
    rest = iter(pages)
    first = next(rest)
    n_traces = 0 if first.trace_error is None else first.trace_error.shape[2]
    return _file_columns(units, n_traces), itertools.chain([first], rest)


def csv_lines(pages: Iterable[SampleTable], units: FitUnits) -> Iterator[str]:
    """The bytes that ``somafit results --format csv`` writes, page by page:
    sample,stage,round,status and the columns above; SI, the shortest text that
    reads back exactly, nothing where there is no number."""
    columns, pages = _begin(pages, units)
    yield ",".join(["sample", "stage", "round", "status",
                    *(each.name for each in columns)]) + "\n"
    for table in pages:
        lines = []
        for row, numbers in enumerate(_numbers(table, columns)):
            fields = [str(table.sample[row]), str(table.stage[row]),
                      str(table.round[row]), status_text(table.status[row])]
            fields += ["" if x != x else shortest_text(x) for x in numbers]
            lines.append(",".join(fields) + "\n")
        yield "".join(lines)


def json_lines(pages: Iterable[SampleTable], units: FitUnits, fit: str,
               with_units: bool) -> Iterator[str]:
    """The form of ``somafit results --format json``: "fit", "units" and
    "samples"."""
    columns, pages = _begin(pages, units)
    yield f"{{\"fit\": {json.dumps(fit)},\n"
    if with_units:
        shown = {each.name: each.unit for each in columns}
        yield f" \"units\": {json.dumps(shown)},\n"
    yield " \"samples\": ["
    first = True
    for table in pages:
        for row, numbers in enumerate(_numbers(table, columns)):
            fields = [f"\"sample\": {table.sample[row]}",
                      f"\"stage\": {table.stage[row]}",
                      f"\"round\": {table.round[row]}",
                      f"\"status\": \"{status_text(table.status[row])}\""]
            fields += [f"{json.dumps(each.name)}: {json_number(x)}"
                       for each, x in zip(columns, numbers)]
            yield ("\n" if first else ",\n") + "  {" + ", ".join(fields) + "}"
            first = False
    yield "\n ]\n}\n"


def write_text(pieces: Iterable[str], file: Destination) -> Optional[str]:
    """To a file, which appears when it is complete; without one, returned."""
    if file is None:
        return "".join(pieces)

    def write(path: str) -> None:
        with open(path, "x", encoding="utf-8", newline="") as out:
            for piece in pieces:
                out.write(piece)
    _replace(file, write)
    return None


def write_npz(pages: Iterable[SampleTable], units: FitUnits, file: Destination
              ) -> None:
    """The columns of csv as numpy.load reads them; the status is its number, 2 is
    ok."""
    if file is None:
        raise ValueError("file: npz is written to a file; name one")
    named, pages = _begin(pages, units)
    table = join(list(pages))
    columns: Dict[str, np.ndarray] = {
        "sample": table.sample, "stage": table.stage.astype(np.int64),
        "round": table.round, "status": table.status.astype(np.int64)}
    for each in named:
        columns[each.name] = each.of(table)

    def write(path: str) -> None:
        with open(path, "xb") as out:
            # numpy.savez would take a parameter called "file" for its own.
            _savez(out, columns)
    _replace(file, write)


def _savez(out: Any, columns: Dict[str, np.ndarray]) -> None:
    import zipfile
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, values in columns.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.asanyarray(values),
                                          allow_pickle=False)


def _replace(file: Any, write: Callable[[str], None]) -> None:
    path = os.fspath(file)
    temporary = f"{path}.{os.getpid()}.new"
    try:
        write(temporary)
        os.replace(temporary, path)
    except BaseException:
        if os.path.exists(temporary):
            os.unlink(temporary)
        raise


def check_format(format: str) -> None:
    """ValueError that names the formats."""
    if format not in FORMATS:
        raise ValueError(f"format: \"{format}\" is none; there are "
                         f"{', '.join(FORMATS)}")


def results_in(format: str, pages: Iterator[SampleTable], units: FitUnits,
               fit: str, with_units: bool, file: Destination) -> Any:
    """`pages` in one of FORMATS. csv and json are written as pages come; list,
    dict and dataframe leave out what was drawn and not simulated."""
    check_format(format)
    if format == "csv":
        return write_text(csv_lines(pages, units), file)
    if format == "json":
        return write_text(json_lines(pages, units, fit, with_units), file)
    if format == "npz":
        return write_npz(pages, units, file)
    if file is not None:
        raise ValueError(f"file: \"{format}\" is returned, not written; use csv, "
                         "json or npz")
    table = join(list(pages))
    table = table.rows(table.done)
    if format == "dataframe":
        return as_dataframe(table, units)
    return (as_list if format == "list" else as_dict)(table, units, with_units)
