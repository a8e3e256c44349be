"""What an inference simulated: parameters and features."""

from __future__ import annotations

import io
import json
import os
from typing import Any, Iterable, List, NamedTuple, Optional, Sequence, Tuple, Union

import numpy as np

from somafit.errors import SomafitError
from somafit.number_text import json_number, shortest_text
from somafit.samples import PAGE, column_names, status_text
from somafit.v1 import fit_pb2, fit_service_pb2, inference_pb2

# What could not be simulated has features, too: none is a number.
_SIMULATED = (fit_pb2.SAMPLE_STATUS_OK, fit_pb2.SAMPLE_STATUS_NONFINITE,
              fit_pb2.SAMPLE_STATUS_FAILED)


class Simulations(NamedTuple):
    """n samples with D parameters and E features, or numbers of raw traces, which
    are float32. SI; NaN where there is no number."""

    theta: np.ndarray  # [n x D]
    x: np.ndarray  # [n x E], output by output, trace by trace, feature by feature
    round: np.ndarray  # [n]
    sample: np.ndarray  # [n]
    status: np.ndarray  # [n]
    stage: np.ndarray  # [n]
    parameters: List[str]
    features: List[str]


def feature_columns(inference: fit_pb2.InferenceSpec, n_traces: int,
                    x: Sequence[str] = ()) -> Tuple[List[str], List[int]]:
    """Names of x's columns, and where each is in a sample's trace errors, which are
    [features x traces] in the spec's order. `x` has the names in order, as Posterior
    says; without it, outputs come as the spec names them first."""
    if inference.HasField("simulator"):  # one's own, which has them as they are
        names = list(inference.simulator.features) or [
            f"x{i}" for i in range(inference.simulator.n_features)]
        return names, list(range(len(names)))
    taken = {each.name for each in inference.features if each.name}
    names = []
    for each in inference.features:
        name, number = each.name or f"{each.output}_{each.feature}", 2
        base = name
        while not each.name and name in taken:
            name, number = f"{base}_{number}", number + 1
        taken.add(name)
        names.append(name)
    columns, order = [], []
    for output in dict.fromkeys(each.output for each in inference.features):
        for trace in range(n_traces):
            for number, each in enumerate(inference.features):
                if each.output == output:
                    columns.append(f"{names[number]}_trace_{trace}")
                    order.append(number * n_traces + trace)
    if sorted(x) == sorted(columns):
        order = [order[columns.index(name)] for name in x]
        columns = list(x)
    return columns, order


def trace_column_names(columns: Iterable[inference_pb2.TraceColumns]) -> List[str]:
    """Of x that is raw traces: "v[0][17]" is step 17 of trace 0."""
    return [f"{each.name}[{each.trace}][{each.first_step + k * each.every}]"
            for each in columns for k in range(each.count)]


def read(connection: Any, fit: fit_pb2.Fit, stage: Optional[int] = None,
         limit: Optional[int] = None, drawn_too: bool = False,
         x_names: Sequence[str] = ()) -> Simulations:
    """Samples that were simulated, or with `drawn_too` all that were drawn."""
    request = fit_service_pb2.ListSamplesRequest(
        name=fit.name, page_size=min(PAGE, limit or PAGE), trace_errors=True)
    if stage is not None:
        request.stage = stage
    if not drawn_too:
        request.status.extend(_SIMULATED)
    parameters = [each.name for each in fit.parameters]
    theta, features, rounds, samples, status, stages = [], [], [], [], [], []
    n, raw = 0, False
    while True:
        reply = connection.call("ListSamples", request, deadline=300.0)
        block = reply.samples
        size = len(block.sample)
        n += size
        if size:
            try:
                theta.append(np.array(block.parameters).reshape(
                    size, len(parameters)))
                raw = raw or bool(block.raw_x)
                features.append(
                    np.frombuffer(block.raw_x, "<f4").reshape(size, -1)
                    if block.raw_x
                    else np.array(block.trace_error).reshape(size, -1)
                    if block.trace_error else None)
            except ValueError:
                raise SomafitError("the coordinator sent samples whose columns do "
                                   "not match the inference's; update somafit"
                                   ) from None
            rounds.append(np.array(block.round))
            samples.append(np.array(block.sample))
            status.append(np.array(block.status))
            stages.append(np.array(block.stage))
        if not reply.next_page_token or (limit is not None and n >= limit):
            break
        request.page_token = reply.next_page_token
    width = max((each.shape[1] for each in features if each is not None), default=0)
    count = len(fit.spec.inference.features)
    def joined(parts: List[Any], empty: np.ndarray) -> np.ndarray:
        return np.concatenate(parts)[:limit] if parts else empty
    x = joined([np.full((len(part), width), np.nan) if each is None else each
                for each, part in zip(features, samples)], np.zeros((0, width)))
    if raw:
        names = (list(x_names) if len(x_names) == width
                 else [f"x[{i}]" for i in range(width)])
    else:
        names, order = feature_columns(fit.spec.inference,
                                       width // count if count else 0, x_names)
        x = x[:, order] if len(x) else np.zeros((0, len(order)))
    return Simulations(
        joined(theta, np.zeros((0, len(parameters)))), x,
        joined(rounds, np.zeros(0, int)), joined(samples, np.zeros(0, int)),
        joined(status, np.zeros(0, int)), joined(stages, np.zeros(0, int)),
        column_names(parameters, [])["parameters"], names)


def results_in(format: str, of: Simulations,
               file: "Union[None, str, os.PathLike[str]]") -> Any:
    """In the forms of Fit.results; "npz" has theta and x alone."""
    from somafit.result_formats import write_text
    columns = {"sample": of.sample, "round": of.round,
               **{name: of.theta[:, i] for i, name in enumerate(of.parameters)},
               **{name: of.x[:, i] for i, name in enumerate(of.features)}}
    if format == "npz":
        if file is None:
            raise ValueError("file: npz is no text; name a file")
        return save(file, of.theta, of.x)
    if format == "dict":
        return columns
    if format == "dataframe":
        import pandas
        return pandas.DataFrame(columns)
    rows = [dict(zip(columns, row)) for row in zip(
        *(each.tolist() for each in columns.values()))]
    if format == "list":
        return rows
    if format == "json":
        lines = ["{" + ", ".join(f"{json.dumps(key)}: {json_number(value)}"
                                 for key, value in row.items()) + "}" for row in rows]
        return write_text(["[", ",\n ".join(lines), "]\n"], file)
    text = [",".join(["sample", "stage", "round", "status", *list(columns)[2:]]) + "\n"]
    for row, stage, status in zip(rows, of.stage, of.status):
        numbers = ["" if x != x else shortest_text(x)
                   for x in list(row.values())[2:]]
        text.append(",".join([str(row["sample"]), str(stage), str(row["round"]),
                              status_text(status), *numbers]) + "\n")
    return write_text(text, file)


def save(file: Any, theta: np.ndarray, x: np.ndarray) -> None:
    """A compressed .npz with the arrays theta and x."""
    if isinstance(file, io.IOBase):
        np.savez_compressed(file, theta=theta, x=x)
        return
    with open(file, "wb") as out:
        np.savez_compressed(out, theta=theta, x=x)
