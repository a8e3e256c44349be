"""Inferences of a coordinator as the steps of an Inferencer need them: settings,
submission, waiting, and whether data are those that it simulated."""

from __future__ import annotations

import os
from typing import Any, Callable, Dict, List, Mapping, Optional, Union

import numpy as np

from somafit import fit_spec, simulations
from somafit.errors import FitStoppedError, NotAvailableError
from somafit.fit import Fit
from somafit.rounds import run_rounds
from somafit.v1 import fit_pb2, inference_pb2

ALGORITHMS = {"SNPE": "tsnpe", "NPE": "tsnpe", "SNPE_A": "npe_a", "NPE_A": "npe_a",
              "SNPE_B": "npe_b", "NPE_B": "npe_b", "SNPE_C": "npe_c",
              "NPE_C": "npe_c", "TSNPE": "tsnpe"}
_LATER = ("SNLE", "SNRE", "NLE", "NRE", "BNRE", "NPSE", "FMPE", "MNPE", "MNLE")
ESTIMATORS = ("maf", "nsf", "made", "mdn", "auto")
OWN_DATA = ("theta and x: the coordinator trains on what it simulates itself; "
            "training on data of one's own is not available (yet)")


def algorithm_of(method: Any) -> str:
    """The wire's name; NotAvailableError for methods that are not there,
    NameError for what is none."""
    if not isinstance(method, str):
        raise TypeError(f"inference_method: {method!r} is not a name")
    name = method.upper().replace("-", "_")
    if name in ALGORITHMS:
        return ALGORITHMS[name]
    if name in _LATER:
        raise NotAvailableError(
            f"inference_method: {method} estimates likelihoods or ratios, which is not "
            "available (yet); there are SNPE (truncated proposals), SNPE_A, SNPE_B and "
            "SNPE_C")
    raise NameError(f"inference_method: there is no \"{method}\"; there are SNPE, "
                    "SNPE_A, SNPE_B and SNPE_C")


def device_of(device: Any) -> str:
    """"cpu", "gpu", "cuda" or "cuda:1"."""
    text = str(device).lower()
    if text in ("cpu", "gpu", "cuda") or (text.startswith("cuda:")
                                          and text[5:].isdigit()):
        return text
    raise ValueError(f"sbi_device: \"{device}\" is none; there are \"cpu\", \"gpu\", "
                     "\"cuda\" and \"cuda:1\"")


class Inference:
    """How is to be learned: what init_inference returns, and train takes."""

    def __init__(self, method: str, density_model: Any, device: str,
                 options: Mapping[str, Any]) -> None:
        self.method, self.algorithm = method, algorithm_of(method)
        self.device = device_of(device)
        if callable(density_model):
            raise NotAvailableError(
                "density_model: nets that are made in Python are not available (yet); "
                f"there are {', '.join(ESTIMATORS)}, with the layers of an embedding as "
                "embedding=[{\"kind\": \"gru\"}], or embedding_net=torch.jit.script(net)")
        if isinstance(density_model, str) and density_model not in ESTIMATORS:
            raise ValueError(f"density_model: there is no \"{density_model}\"; there "
                             f"are {', '.join(ESTIMATORS)}")
        options = dict(options)
        for name in ("embedding_net_theta", "embedding_net_x"):
            if options.pop(name, None) is not None:
                raise NotAvailableError(f"{name}: is of ratios, which are not available "
                                        "(yet); there is embedding_net")
        self.script = options.pop("embedding_net", None)
        if self.script is not None and not (
                isinstance(self.script, (str, bytes, os.PathLike))
                or hasattr(self.script, "save_to_buffer")):
            raise NotAvailableError(
                "embedding_net: the trainer runs no Python; give torch.jit.script(net), "
                "the file that it saved, or describe the layers: embedding=[{\"kind\": "
                "\"conv1d\"}, \"fully_connected\"]")
        description: Dict[str, Any] = {"name": density_model}
        for name in ("embedding", "input_shape", "ensemble"):
            if name in options:
                description[name] = options.pop(name)
        description["options"] = options
        self.estimator = fit_spec.estimator(description)
        self.rounds = 0  # trained

    def add_script(self, client: Any, spec: fit_pb2.FitSpec) -> fit_pb2.FitSpec:
        """The spec with the TorchScript module, uploaded, where there is one."""
        if self.script is not None:
            spec.inference.estimator.options.add(
                name="torch_script", text=client.upload_script(self.script))
        return spec

    def training(self, train_kwargs: Mapping[str, Any]) -> inference_pb2.TrainingSpec:
        """The training's description; TypeError for an unknown option."""
        options = dict(train_kwargs)
        for name in ("calibration_kernel", "dataloader_kwargs"):
            if options.pop(name, None) is not None:
                raise NotAvailableError(f"train_kwargs: {name} would run Python where "
                                        "the trainer is, which is not available")
        if options.pop("resume_training", False):
            raise NotAvailableError("train_kwargs: resume_training is the trainer's "
                                    "own business: what is interrupted goes on")
        options.pop("show_train_summary", None)  # it is shown
        known = [each.name for each in inference_pb2.TrainingSpec.DESCRIPTOR.fields]
        for name in options:
            if name not in known:
                raise TypeError(f"train_kwargs: there is no option \"{name}\"; there "
                                f"are {', '.join(known)}")
        if options.get("clip_max_norm", 0) is None:
            options["clip_max_norm"] = 0.0  # never
        return fit_spec.training({"device": self.device, **options})

    def __repr__(self) -> str:
        return f"<Inference {self.method}, {self.estimator.name}>"


def training_text(training: inference_pb2.TrainingSummary) -> str:
    """What was learned, in one line."""
    text = (f"validation loss {training.best_validation_loss:.3g} nats after "
            f"{len(training.validation_loss)} epochs"
            + ("" if training.converged else " (not converged)")
            + f", {training.simulations} simulations")
    if training.invalid:
        text += f" ({training.invalid} more invalid)"
    if training.effective_samples:
        text += f", {training.effective_samples:.3g} effective"
    if training.inside_prior:
        text += f", {100 * training.inside_prior:.3g} % inside the prior"
    return text


Callback = Union[str, Callable[..., Any], None]


def wait(fit: Fit, callback: Callback) -> Fit:
    """Until all rounds are trained on. `callback`: "text", None, or what is called
    with each RoundEvent; True stops the inference there."""
    if callback is not None and callback != "text" and not callable(callback):
        raise TypeError("callback must be \"text\", None or something that can be "
                        f"called, not {callback!r}")

    def tell(event: Any, index: Optional[int]) -> bool:
        if callback == "text":
            print(f"Round {event.round}: "
                  + (training_text(event.training) if event.training else "simulated"))
            for message in event.training.messages if event.training else ():
                print(f"  {message}")
        elif callable(callback) and index is not None and callback(event) is True:
            fit.cancel()
            return True
        return False

    run_rounds(fit, 0, tell)
    state = fit.refresh().state
    if state == "FAILED":
        raise FitStoppedError(f"the inference failed ({fit.message.state_reason})")
    return fit


def same_simulations(fit: Fit, theta: np.ndarray) -> bool:
    """Whether the first parameters that the inference drew are these."""
    drawn = simulations.read(fit._connection, fit.message, 0, min(len(theta), 100),
                             drawn_too=True)
    n = min(len(drawn.theta), len(theta))
    return n > 0 and bool(np.array_equal(drawn.theta[:n], theta[:n]))


def by_name(given: Any, names: List[str], what: str, required: bool = True
            ) -> Dict[str, Any]:
    """A mapping with a name for each parameter, or some of them; ValueError names
    what is missing or unknown."""
    if not isinstance(given, Mapping):
        raise TypeError(f"{what} must be a mapping, {{parameter: value}}, not "
                        f"{given!r}")
    for name in given:
        if name not in names:
            raise ValueError(f"{what}: there is no parameter '{name}'; there are "
                             f"{', '.join(names)}")
    for name in names if required else ():
        if name not in given:
            raise ValueError(f"{what}: the parameter '{name}' is missing")
    return dict(given)
