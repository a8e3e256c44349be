"""Inferences of a coordinator as the steps of an Inferencer need them: settings,
and waiting for rounds."""

from __future__ import annotations

import hashlib
import numbers
import os
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple, Union

from somafit import fit_spec
from somafit.errors import FitStoppedError, NotAvailableError
from somafit.fit import Fit
from somafit.rounds import run_rounds
from somafit.v1 import inference_pb2

ALGORITHMS = {"SNPE": "tsnpe", "NPE": "tsnpe", "SNPE_A": "npe_a", "NPE_A": "npe_a",
              "SNPE_B": "npe_b", "NPE_B": "npe_b", "SNPE_C": "npe_c",
              "NPE_C": "npe_c", "TSNPE": "tsnpe"}
_LATER = ("SNLE", "SNRE", "NLE", "NRE", "BNRE", "NPSE", "FMPE", "MNPE", "MNLE")
ESTIMATORS = ("maf", "nsf", "made", "mdn", "auto")


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


def device_of(device: Any, what: str = "sbi_device") -> str:
    """"cpu", "gpu", "cuda" or "cuda:1"."""
    text = str(device).lower()
    if text in ("cpu", "gpu", "cuda") or (text.startswith("cuda:")
                                          and text[5:].isdigit()):
        return text
    raise ValueError(f"{what}: \"{device}\" is none; there are \"cpu\", \"gpu\", "
                     "\"cuda\" and \"cuda:1\"")


def check_sampler(sampler: Any, what: str) -> None:
    """NotAvailableError for samplers that are not there, ValueError for none."""
    if sampler in ("direct", "rejection", "importance"):
        return
    if sampler in ("mcmc", "vi"):
        raise NotAvailableError(
            f"{what}: \"{sampler}\" samples what is known up to a constant, as "
            "estimators of likelihoods and ratios are; this posterior is drawn from "
            "directly, or with \"rejection\" or \"importance\"")
    raise ValueError(f"{what}: there is no \"{sampler}\"; there are \"direct\", "
                     "\"rejection\" and \"importance\"")


def _check_option(name: str, value: Any) -> None:
    """What is 0 on the wire is a default there, not what somebody wanted."""
    if name in ("training_batch_size", "stop_after_epochs", "max_num_epochs",
                "num_atoms"):
        fit_spec.whole(value, name, 1)
    if name in ("learning_rate", "validation_fraction", "truncation") and not (
            isinstance(value, numbers.Real) and value > 0):
        raise ValueError(f"{name} is {value!r}; it must be a number above 0")


def unpacked(model: Any, options: Mapping[str, Any]) -> Tuple[Any, Dict[str, Any]]:
    """The estimator's name and all its options, of a name or what posterior_nn made,
    as the catalogue has them."""
    given = {**model, **options} if isinstance(model, Mapping) else dict(options)
    if isinstance(model, Mapping):
        model = given.pop("model", "maf")
    for name in ("z_score_theta", "z_score_x"):
        if name in given and (given[name] is None or given[name] is False):
            given[name] = "none"
    if given.get("z_score_theta") == "transform_to_unconstrained":
        del given["z_score_theta"]
        given["theta_space"] = "unconstrained"
    return model, given


class Inference:
    """How is to be learned: what init_inference returns, and train takes."""

    def __init__(self, method: str, density_model: Any, device: str,
                 options: Mapping[str, Any], what: str = "density_model") -> None:
        self.method, self.algorithm = method, algorithm_of(method)
        self.device = device_of(device)
        density_model, options = unpacked(density_model, options)
        if callable(density_model):
            raise NotAvailableError(
                f"{what}: nets that are made in Python are not available (yet); there "
                f"are {', '.join(ESTIMATORS)}, with the layers of an embedding as "
                "embedding=[{\"kind\": \"gru\"}], or embedding_net=torch.jit.script(net)")
        if isinstance(density_model, str) and density_model not in ESTIMATORS:
            raise ValueError(f"{what}: there is no \"{density_model}\"; there are "
                             f"{', '.join(ESTIMATORS)}")
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
        # What it became at the coordinator: an inference whose rounds that
        # simulates, or one of simulations of one's own.
        self.fit: Optional[Fit] = None
        self.own: Any = None  # a PosteriorEstimatorTrainer
        # Of all posteriors of its fit: why they are there no more.
        self.gone: List[str] = []

    @property
    def rounds(self) -> int:
        """Trained on."""
        found = self.fit if self.own is None else self.own.server_fit  # begun by then
        return 0 if found is None else found.message.rounds

    def estimator_at(self, client: Any) -> inference_pb2.DensityEstimatorSpec:
        """The estimator, its TorchScript module uploaded where there is one."""
        estimator = inference_pb2.DensityEstimatorSpec()
        estimator.CopyFrom(self.estimator)
        if self.script is not None:
            estimator.options.add(name="torch_script",
                                  text=client.upload_script(self.script))
        return estimator

    def is_like(self, other: "Inference") -> bool:
        """Whether the other one, of whose net nothing else is said, has its."""
        if self._described() != other._described():
            return False
        if other.script is None or other.script is self.script:
            return True
        if isinstance(other.script, (str, bytes, os.PathLike)):
            if self.script is not None:
                return bool(other.script == self.script)
            given = other.script  # of a posterior that was loaded, the hash is known
            if not isinstance(given, bytes):
                with open(given, "rb") as file:
                    given = file.read()
            return self._script_hash() == hashlib.sha256(given).hexdigest()
        # The bytes of a module need not be the same in each process.
        return self.script is None and self._script_hash() != ""

    def _described(self) -> inference_pb2.DensityEstimatorSpec:
        """The estimator, but for a script."""
        estimator = inference_pb2.DensityEstimatorSpec()
        estimator.CopyFrom(self.estimator)
        del estimator.options[:]
        estimator.options.extend(each for each in self.estimator.options
                                 if each.name != "torch_script")
        return estimator

    def _script_hash(self) -> str:
        return next((each.text for each in self.estimator.options
                     if each.name == "torch_script"), "")

    def training(self, train_kwargs: Mapping[str, Any],
                 what: str = "train_kwargs: ") -> inference_pb2.TrainingSpec:
        """The training's description; TypeError for an unknown option. `what` is what
        errors begin with."""
        options = dict(train_kwargs)
        kernel = options.get("calibration_kernel")
        if kernel is None:
            options.pop("calibration_kernel", None)
        elif callable(kernel):
            raise NotAvailableError(
                f"{what}a calibration_kernel that is a function would run Python "
                "where the trainer is, which is not available; name one: \"gaussian\" "
                "or \"box\", with calibration_bandwidth in standard deviations of x")
        loader = options.pop("dataloader_kwargs", None) or {}
        for name in loader:
            if name != "batch_size":
                raise NotAvailableError(
                    f"{what}dataloader_kwargs: {name} is of a loader in Python; "
                    "the trainer has its own, of which batch_size can be given")
        if "batch_size" in loader:
            options["training_batch_size"] = loader["batch_size"]
        if options.pop("resume_training", False):
            raise NotAvailableError(
                f"{what}resume_training: a training that has ended is not gone on "
                "with; give a larger max_num_epochs, or train anew. What is "
                "interrupted goes on by itself")
        options.pop("show_train_summary", None)  # it is shown
        known = [each.name for each in inference_pb2.TrainingSpec.DESCRIPTOR.fields]
        for name, value in options.items():
            if name not in known:
                raise TypeError(f"{what}there is no option \"{name}\"; there are "
                                f"{', '.join(known)}")
            _check_option(name, value)
        if options.get("clip_max_norm", 0) is None:
            options["clip_max_norm"] = 0.0  # never
        return fit_spec.training({"device": self.device, **options})

    def __repr__(self) -> str:
        return f"<Inference {self.method}, {self.estimator.name}>"


def epochs_of(training: inference_pb2.TrainingSummary) -> int:
    """How many there were; the curves have some of very many."""
    return getattr(training, "epochs", 0) or len(training.validation_loss)


def training_text(training: inference_pb2.TrainingSummary) -> str:
    """What was learned, in one line."""
    text = (f"validation loss {training.best_validation_loss:.3g} nats after "
            f"{epochs_of(training)} epochs"
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


def check_callback(callback: Callback) -> None:
    """TypeError for what is none."""
    if callback is not None and callback != "text" and not callable(callback):
        raise TypeError("callback must be \"text\", None or something that can be "
                        f"called, not {callback!r}")


def callback_of(callback: Callback, train_kwargs: Mapping[str, Any]) -> Callback:
    """What is told of rounds, checked; show_train_summary asks for a line, where
    nobody else is told."""
    check_callback(callback)
    return "text" if callback is None and train_kwargs.get(
        "show_train_summary") else callback


def tell_round(callback: Callback, event: Any) -> bool:
    """Whether it wants to stop there."""
    if callback == "text":
        print(f"Round {event.round}: "
              + (training_text(event.training) if event.training else "simulated"))
        for message in event.training.messages if event.training else ():
            print(f"  {message}")
    return callable(callback) and callback(event) is True


def wait(fit: Fit, callback: Callback, after: int = 0) -> Fit:
    """Until all rounds are trained on, behind the event `after`. `callback`: "text",
    None, or what is called with each RoundEvent; True stops the inference there."""
    check_callback(callback)

    def tell(event: Any, index: Optional[int]) -> bool:
        if callable(callback) and index is None:
            return False
        if tell_round(callback, event):
            fit.cancel()
            return True
        return False

    run_rounds(fit, after, tell)
    state = fit.refresh().state
    if state == "FAILED":
        raise FitStoppedError(f"the inference failed ({fit.message.state_reason})")
    return fit


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
