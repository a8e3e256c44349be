"""Posteriors as files, the message PosteriorFile, and back, on any coordinator."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any, Iterator, Mapping, Tuple

from somafit import errors
from somafit.v1 import fit_pb2, inference_service_pb2, posterior_file_pb2

if TYPE_CHECKING:
    from somafit.fit import Fit

VERSION = 1
_CHUNK = 1 << 20
# Names that the columns of one's own simulations may have.
_MOST_NAMES, _LONGEST_NAME = 1000, 80


def file_of(fit: fit_pb2.Fit, posterior: inference_service_pb2.Posterior,
            estimators: Mapping[Tuple[int, int], bytes]
            ) -> posterior_file_pb2.PosteriorFile:
    """What there is of a posterior; `estimators`: the file of each (round, member)."""
    file = posterior_file_pb2.PosteriorFile(version=VERSION)
    spec, given = file.spec, fit.spec
    spec.seed = given.seed
    specs = {each.name: each for each in given.parameters}
    for column in posterior.parameters:
        parameter = spec.parameters.add()
        parameter.CopyFrom(specs[column.name])
        del parameter.start[:]
    spec.stop.rounds = len(posterior.rounds)
    inference = spec.inference
    inference.CopyFrom(given.inference)
    for field in ("features", "simulator", "observation"):
        inference.ClearField(field)
    inference.observation.extend(posterior.observation)
    names = list(posterior.features)
    if 0 < len(names) <= _MOST_NAMES and len(set(names)) == len(names) and all(
            each.isidentifier() and each.isascii() and len(each) <= _LONGEST_NAME
            for each in names):
        inference.simulator.features.extend(names)
    else:
        inference.simulator.n_features = len(names) + sum(
            each.count for each in posterior.trace_columns)
    # The module is in the estimator's file; a coordinator has its own ones.
    kept = [each for each in inference.estimator.options
            if each.name != "torch_script"]
    del inference.estimator.options[:]
    inference.estimator.options.extend(kept)
    for number, summary in enumerate(posterior.rounds):
        trained = file.rounds.add()
        trained.summary.CopyFrom(summary)
        trained.estimators.extend(
            content for (round, _), content in sorted(estimators.items())
            if round == number)
    return file


def parsed(content: bytes, what: Any) -> posterior_file_pb2.PosteriorFile:
    """ValueError for what is no such file, or of a newer version."""
    try:
        file = posterior_file_pb2.PosteriorFile.FromString(content)
    except Exception:  # DecodeError's place differs between protobuf's versions
        file = posterior_file_pb2.PosteriorFile()
    if file.version > VERSION:
        raise ValueError(f"{what} has version {file.version}, and this somafit knows "
                         f"version {VERSION}; update it")
    if file.version < 1 or not file.rounds or not file.spec.inference.HasField(
            "simulator"):
        raise ValueError(f"{what} is no posterior that somafit saved; pickles are not "
                         "read")
    nets = file.spec.inference.estimator.ensemble or 1
    if file.spec.stop.rounds != len(file.rounds) or any(
            len(each.estimators) != nets or not all(each.estimators)
            for each in file.rounds):
        raise ValueError(f"{what} lacks estimators that it says it has; save it again")
    return file


def begin(client: Any, file: posterior_file_pb2.PosteriorFile, name: str = "") -> Fit:
    """An inference of its own, whose posterior gives the same draws."""
    spec = fit_pb2.FitSpec()
    spec.CopyFrom(file.spec)
    spec.name, spec.label = name, "" if name else "posterior"
    fit: Fit = client.submit(spec)
    try:
        _import(client, file, fit.name)
    except BaseException:  # half a posterior is none
        try:
            fit.cancel().delete()
        except errors.SomafitError:
            pass
        raise
    return fit.refresh()


def _import(client: Any, file: posterior_file_pb2.PosteriorFile, name: str) -> None:
    connection = client.connection
    for number, trained in enumerate(file.rounds):
        request_id = secrets.token_hex(16)

        def parts() -> Iterator[Any]:
            part = inference_service_pb2.ImportEstimatorsRequest(
                name=name, request_id=request_id, round=number,
                summary=trained.summary)
            for member, content in enumerate(trained.estimators):
                for at in range(0, len(content), _CHUNK):
                    part.member, part.chunk = member, content[at:at + _CHUNK]
                    yield part
                    part = inference_service_pb2.ImportEstimatorsRequest()

        connection.retry(lambda: connection.inference.ImportEstimators(
            parts(), metadata=connection.metadata))
