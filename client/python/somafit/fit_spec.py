"""A fit's description as the coordinator takes it, of the mapping that a fit's
YAML file would be."""

from __future__ import annotations

import numbers
from typing import Any, Callable, Dict, Iterable, Mapping, Optional, Sequence

import numpy as np

from somafit.bounds import Bounds
from somafit.convert import as_text, si
from somafit.metrics import Metric
from somafit.optimizers import Optimizer
from somafit.priors import Prior
from somafit.unit_table import Dimension, formula
from somafit.v1 import fit_pb2, inference_pb2, model_pb2

_MODEL_TEXTS = ("equations", "method", "threshold", "refractory", "method_choice")
_MODEL_NAMED = ("constants", "initial_values", "method_options")


def named_texts(values: Mapping[str, Any], field: str
                ) -> Iterable[model_pb2.NamedText]:
    """Numbers, quantities and texts by name, in their order."""
    for name, value in values.items():
        if isinstance(value, bool):
            value = str(value).lower()
        yield model_pb2.NamedText(name=name, text=as_text(value, f"{field}.{name}"))


def timed_array(name: str, value: Any) -> model_pb2.TimedArray:
    """Of a TimedArray, ours or Brian's: what has `values` and `dt`."""
    values, dimension = (np.asarray(value.values, dtype=float),
                         getattr(value, "dim", None))
    if dimension is not None and hasattr(dimension, "get_dimension"):
        dimension = tuple(float(dimension.get_dimension(each)) for each in (
            "length", "mass", "time", "current", "temperature", "substance",
            "luminosity"))
    dt = getattr(value, "dt")
    seconds = float(dt) if isinstance(dt, numbers.Real) else si(dt, "dt")[0]
    array = model_pb2.TimedArray(name=name, dt=f"{seconds!r}*second",
                                 values=values.ravel())
    if dimension is not None and any(dimension):
        array.unit = formula(dimension)
    if values.ndim == 2:
        array.columns = values.shape[1]
    return array


def _model(values: Mapping[str, Any]) -> model_pb2.Model:
    model = model_pb2.Model()

    def periodic(entries: Sequence[Mapping[str, str]]) -> None:
        for entry in entries:
            _only(entry, "model.periodic", ("code", "when", "dt"))
            model.periodic.add(**entry)

    def arrays(entries: Mapping[str, Any]) -> None:
        for name, entry in entries.items():
            if isinstance(entry, Mapping):
                given: Dict[str, Any] = {**entry, "name": name}
                _only(given, f"model.timed_arrays.{name}",
                      ("name", "unit", "dt", "values", "columns"))
                array = model_pb2.TimedArray(**given)
            elif isinstance(entry, model_pb2.TimedArray):
                array = entry
            else:
                array = timed_array(name, entry)
            model.timed_arrays.append(array)

    readers: Dict[str, Callable[[Any], None]] = {
        **{name: (lambda text, name=name: setattr(  # type: ignore[misc]
            model, name, as_text(text, f"model.{name}"))) for name in _MODEL_TEXTS},
        **{name: (lambda named, name=name: getattr(  # type: ignore[misc]
            model, name).extend(named_texts(named, f"model.{name}")))
           for name in _MODEL_NAMED},
        "reset": lambda text: setattr(model, "reset", text),
        "periodic": periodic, "timed_arrays": arrays}
    _read(values, "model", readers)
    return model


def parameters(values: Mapping[str, Any],
               dimensions: Optional[Mapping[str, Dimension]] = None
               ) -> Iterable[fit_pb2.ParameterSpec]:
    """Bounds by name; a mapping {bounds, scale, start, fixed} is one too."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            _only(value, f"parameters.{name}", ("bounds", "scale", "start", "fixed",
                                                "prior"))
            low, high = (None, None)
            if "bounds" in value:
                pair = Bounds.of(value["bounds"], name)
                low, high = pair.low, pair.high
            value = Bounds(low, high, value.get("scale", "linear"),
                           value.get("start"), value.get("fixed"),
                           Prior.of(value.get("prior")))
        yield Bounds.of(value, name).spec(name, (dimensions or {}).get(name))


def metrics(values: Mapping[str, Any]) -> Iterable[fit_pb2.MetricSpec]:
    """Metrics by output: a Metric, a name of the catalogue, or a mapping {metric,
    options, t_weights, outputs}."""
    for output, value in values.items():
        if isinstance(value, Metric):
            yield value.spec(output)
        elif isinstance(value, str):
            yield fit_pb2.MetricSpec(output=output, metric=value)
        else:
            _only(value, f"metrics.{output}", ("metric", "options", "t_weights",
                                               "outputs"))
            yield fit_pb2.MetricSpec(
                output=output, metric=value.get("metric", ""),
                options=named_texts(value.get("options", {}),
                                    f"metrics.{output}"),
                t_weights=value.get("t_weights", ()),
                outputs=value.get("outputs", ()))


def optimizer(value: Any) -> fit_pb2.OptimizerSpec:
    """Of an Optimizer, a name of the catalogue, or {name, options}."""
    if isinstance(value, Optimizer):
        return value.spec()
    if isinstance(value, str):
        return fit_pb2.OptimizerSpec(name=value)
    _only(value, "optimizer", ("name", "options"))
    return fit_pb2.OptimizerSpec(
        name=value.get("name", ""),
        options=named_texts(value.get("options", {}), "optimizer.options"))


def stop(values: Mapping[str, Any]) -> fit_pb2.StopSpec:
    """{rounds, evaluations, target, time}."""
    _only(values, "stop", ("rounds", "evaluations", "target", "time"))
    spec = fit_pb2.StopSpec()
    for name in ("rounds", "evaluations"):
        if values.get(name) is not None:
            setattr(spec, name, whole(values[name], f"stop.{name}"))
    for name in ("target", "time"):
        if values.get(name) is not None:
            setattr(spec, name, as_text(values[name], f"stop.{name}"))
    return spec


def estimator(value: Any) -> inference_pb2.DensityEstimatorSpec:
    """Of a name of the catalogue, or {name, options, embedding, input_shape,
    ensemble}; a layer of the embedding is a kind, or {kind, size, kernel, ...}."""
    if isinstance(value, str):
        return inference_pb2.DensityEstimatorSpec(name=value)
    _only(value, "inference.estimator", ("name", "options", "embedding", "input_shape",
                                         "ensemble"))
    layers = []
    for number, layer in enumerate(_several(value.get("embedding"))):
        layer = {"kind": layer} if isinstance(layer, str) else layer
        layers.append(_message(inference_pb2.EmbeddingLayerSpec, layer,
                               f"inference.estimator.embedding.{number}"))
    return inference_pb2.DensityEstimatorSpec(
        name=value.get("name", ""), embedding=layers,
        input_shape=[whole(each, "input_shape", 1)
                     for each in _several(value.get("input_shape"))],
        ensemble=whole(value.get("ensemble", 0), "ensemble"),
        options=named_texts(value.get("options", {}), "inference.estimator.options"))


def inference(value: Any) -> fit_pb2.InferenceSpec:
    """{algorithm, features, estimator, training, observation, simulator}; features
    are a mapping from output to names, Features or {feature, options, name}, or a
    list of {output, feature, options, name}; simulator: {features} or
    {n_features}."""
    from somafit.features import feature_specs
    _only(value, "inference", ("algorithm", "features", "estimator", "training",
                               "observation", "simulator"))
    spec = fit_pb2.InferenceSpec(algorithm=value.get("algorithm", ""))
    given = value.get("features", ())
    if isinstance(given, Mapping):
        spec.features.extend(feature_specs(given))
    else:
        for number, each in enumerate(given):
            field = f"inference.features.{number}"
            _only(each, field, ("output", "feature", "options", "name"))
            spec.features.add(output=each.get("output", ""),
                              feature=each.get("feature", ""),
                              options=named_texts(each.get("options", {}), field),
                              name=each.get("name", ""))
    if "estimator" in value:
        spec.estimator.CopyFrom(estimator(value["estimator"]))
    if "training" in value:
        spec.training.CopyFrom(training(value["training"]))
    if value.get("observation") is not None:
        spec.observation.extend(np.ravel(si(value["observation"], "observation")[0]))
    if value.get("simulator") is not None:
        spec.simulator.CopyFrom(_message(fit_pb2.OwnSimulator, value["simulator"],
                                         "inference.simulator"))
    return spec


def training(values: Mapping[str, Any]) -> inference_pb2.TrainingSpec:
    """Fields of TrainingSpec by name; None is one that is left out."""
    return _message(inference_pb2.TrainingSpec, values, "training")


def _several(value: Any) -> Sequence[Any]:
    """A list of what may be a single one; empty of None."""
    if value is None:
        return ()
    single = isinstance(value, (str, Mapping, numbers.Number))
    return [value] if single else value


def _message(kind: Any, values: Any, field: str) -> Any:
    _only(values, field, [each.name for each in kind.DESCRIPTOR.fields])
    try:
        return kind(**{name: value for name, value in values.items()
                       if value is not None})
    except (TypeError, ValueError) as error:
        raise TypeError(f"{field}: {error}") from None


def whole(value: Any, what: str, least: int = 0) -> int:
    """A whole number from `least` on, as int; TypeError or ValueError names it."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"{what} must be a whole number, not {value!r}")
    if (not -2**63 <= value < 2**63 or value != int(value)
            or int(value) < least):
        raise ValueError(f"{what} is {value}; it must be a whole number from "
                         f"{least} on")
    return int(value)


def fit_spec(description: Mapping[str, Any]) -> fit_pb2.FitSpec:
    """The description of a fit that is a mapping, such as a YAML file holds; but
    `data` are given beside it, as a Dataset. A value may be a number, a
    quantity, a text of the model language, and one of our classes."""
    spec = fit_pb2.FitSpec()
    readers: Dict[str, Callable[[Any], None]] = {
        "model": lambda each: spec.model.CopyFrom(_model(each)),
        "parameters": lambda each: spec.parameters.extend(parameters(each)),
        "metrics": lambda each: spec.metrics.extend(metrics(each)),
        "optimizer": lambda each: spec.optimizer.CopyFrom(optimizer(each)),
        "stop": lambda each: spec.stop.CopyFrom(stop(each)),
        "gate": lambda each: spec.gate.CopyFrom(fit_pb2.GateSpec(**each)),
        "inference": lambda each: spec.inference.CopyFrom(inference(each)),
        "execution": lambda each: spec.execution.CopyFrom(
            fit_pb2.ExecutionSpec(**each)),
        "dt": lambda each: setattr(spec, "dt", as_text(each, "dt"))}
    for name in ("name", "label", "dataset", "penalty"):
        readers[name] = lambda each, name=name: setattr(  # type: ignore[misc]
            spec, name, each)
    for name in ("n_samples", "seed", "start_iteration"):
        readers[name] = lambda each, name=name: setattr(  # type: ignore[misc]
            spec, name, whole(each, name))
    _read(description, "fit", readers)
    return spec


def _only(values: Any, field: str, known: Iterable[str]) -> None:
    if not isinstance(values, Mapping):
        raise TypeError(f"{field} must be a mapping, not {values!r}")
    for name in values:
        if name not in known:
            raise ValueError(f"{field}: \"{name}\" is not known; known are "
                             f"{', '.join(known)}")


def _read(values: Any, field: str, readers: Mapping[str, Callable[[Any], None]]
          ) -> None:
    _only(values, field, readers)
    for name, value in values.items():
        try:
            readers[name](value)
        except TypeError as error:
            text = str(error)
            raise TypeError(text if text.startswith(name) or "." in
                            text.split(" ")[0] else f"{field}.{name}: {text}"
                            ) from None
