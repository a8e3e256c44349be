"""Posteriors of a model's parameters, given recordings."""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any, Dict, List, Mapping, Optional, Tuple

import numpy as np

from somafit import fit_spec, plots, simulations
from somafit.bounds import Bounds
from somafit.client import Client
from somafit.dataset import SPIKES
from somafit.errors import NotAvailableError, NotFittedError
from somafit.features import feature_specs, traces_of
from somafit.fit import Fit
from somafit.fitter import Fitter
from somafit.inference_run import OWN_DATA, Callback, Inference, \
    same_simulations, wait
from somafit.namespace import Namespace
from somafit.plot_arguments import labels_of, limits_of, points_of, ticks_of
from somafit.posterior import Posterior
from somafit.quantity import make
from somafit.traces import spike_times
from somafit.v1 import fit_pb2


class _Experiment(Fitter):
    """The model and recordings of an Inferencer."""


class Inferencer:
    """``Inferencer(dt, model, input, output, features=...)``.

    dt, model, input, output, method, threshold, reset, refractory, param_init: as of
        TraceFitter; several outputs, "spikes" among them.
    features: {output: [feature, ...]} for each output: members of
        ``somafit.features``, or their names. Without it x is the raw traces of all
        outputs, and a net learns from them what to look at (automatic extraction):
        two fully connected layers, unless ``embedding=[...]`` declares others.

    Beyond the original, by keyword: seed (same seed, same simulations, nets and
    draws; default 0), client, name, namespace, as of TraceFitter. Columns of theta
    follow ``parameter_names``, which are sorted; arrays are in SI.

    ``infer`` does everything; the steps that it consists of can be called one by
    one. What happens, happens at a coordinator, in rounds: see ``server_fit``.
    """

    def __init__(self, dt: Any, model: Any, input: Any, output: Any,
                 features: Optional[Mapping[str, Any]] = None,
                 method: Optional[str] = None, threshold: Optional[str] = None,
                 reset: Optional[str] = None, refractory: Any = False,
                 param_init: Optional[Mapping[str, Any]] = None, *, seed: int = 0,
                 client: Optional[Client] = None, name: Optional[str] = None,
                 namespace: Optional[Mapping[str, Any]] = None) -> None:
        self._experiment = _Experiment(
            dt, model, input, output, threshold=threshold, reset=reset,
            refractory=refractory, method=method, param_init=param_init, seed=seed,
            client=client, name=name, namespace=namespace)
        self.output_var = list(self._experiment.output_var)
        self._features: List[fit_pb2.FeatureSpec] = self._feature_specs(
            traces_of(self.output_var) if features is None else features)
        self.seed, self.n_traces = self._experiment.seed, self._experiment.n_traces
        self.parameter_names = sorted(self._experiment.parameter_names)
        self.bounds: Dict[str, Bounds] = {}
        self.n_samples: Optional[int] = None
        self.theta: Optional[np.ndarray] = None
        self.x: Optional[np.ndarray] = None
        self.samples: Optional[np.ndarray] = None
        self.posterior: Optional[Posterior] = None
        self.sbi_device = "cpu"
        self._inference: Optional[Inference] = None
        self._train_kwargs: Dict[str, Any] = {}
        self._fit: Optional[Fit] = None
        self._data: Optional[Tuple[np.ndarray, np.ndarray]] = None
        self._given: Optional[fit_pb2.FitSpec] = None  # of a loaded posterior

    def _feature_specs(self, features: Mapping[str, Any]) -> List[fit_pb2.FeatureSpec]:
        specs = feature_specs(features)
        for output in features:
            if output not in self.output_var:
                raise ValueError(f"features: '{output}' is not an output; the outputs "
                                 f"are {', '.join(self.output_var)}")
        for output in self.output_var:
            if output not in features:
                raise ValueError(f"features: the output '{output}' has none; give "
                                 "features for each output")
        # In the order of outputs, as x's columns are.
        return sorted(specs, key=lambda each: self.output_var.index(each.output))

    @property
    def client(self) -> Client:
        """The coordinator, started when it is first needed."""
        return self._experiment.client

    @property
    def server_fit(self) -> Fit:
        """The inference at the coordinator."""
        if self._fit is None:
            raise NotFittedError("there is no inference yet; call infer first")
        return self._fit

    @property
    def n_neurons(self) -> int:
        """Simulations a round: traces times samples."""
        if self.n_samples is None:
            raise ValueError("n_samples: generate data first")
        return self.n_traces * self.n_samples

    # Step by step.
    def init_prior(self, **bounds: Any) -> Dict[str, Bounds]:
        """The prior of each parameter: ``name=[low, high]``, evenly in between,
        somafit.Prior("normal", mean=..., sigma=...), or Bounds with a prior. ValueError
        for an unknown name, TypeError for a missing one."""
        for name in bounds:
            if name not in self.parameter_names:
                raise ValueError(f"'{name}' is not a parameter of the model; there are "
                                 f"{', '.join(self.parameter_names)}")
        for name in self.parameter_names:
            if name not in bounds:
                raise TypeError(f"Bounds must be set for parameter '{name}': give "
                                f"{name}=[low, high]")
        checked = {name: Bounds.of(bounds[name], name)
                   for name in self.parameter_names}
        definitions = self._experiment.equations.definitions
        for name, each in checked.items():
            each.spec(name, definitions[name].dimension)
        self.bounds = checked
        return dict(checked)

    def generate_training_data(self, n_samples: int, prior: Any = None,
                               level: int = 0) -> np.ndarray:
        """Draws `n_samples` parameter sets of the prior, and simulates them."""
        self._use_prior(prior)
        self.n_samples = fit_spec.whole(n_samples, "n_samples", 1)
        # The draws and simulations of a seed are those of every inference with it.
        fit = self._submit(sys._getframe(1 + level), Inference("SNPE", "maf", "cpu", {}),
                           {"max_num_epochs": 1}, 1)
        found = self._simulated(wait(fit, None))
        self._data = (found.theta, found.x)
        fit.delete()
        return found.theta

    def extract_summary_statistics(self, theta: Any, level: int = 0) -> np.ndarray:
        """[n x features] of what generate_training_data simulated for `theta`."""
        given = np.asarray(theta, dtype=float)
        if self._data is None or not np.array_equal(given, self._data[0]):
            raise NotAvailableError(
                "theta: the features of points of one's own are not available (yet); "
                "give what generate_training_data returned, unchanged")
        self.theta, self.x = self._data
        return self._data[1]

    def save_summary_statistics(self, f: Any, theta: Any = None, x: Any = None) -> None:
        """A compressed .npz with the arrays theta and x."""
        theta = self.theta if theta is None else np.asarray(theta)
        x = self.x if x is None else np.asarray(x)
        if theta is None or x is None:
            raise AttributeError("there are no data yet; call generate_training_data and "
                                 "extract_summary_statistics, or give theta and x")
        simulations.save(f, theta, x)

    def load_summary_statistics(self, f: Any) -> Tuple[np.ndarray, np.ndarray]:
        """What save_summary_statistics wrote; ValueError for another file."""
        with np.load(f, allow_pickle=False) as loaded:
            if set(loaded.files) != {"theta", "x"}:
                raise ValueError(f"{f}: has the arrays {', '.join(loaded.files)}; data of "
                                 "an Inferencer have theta and x")
            self.theta, self.x = loaded["theta"], loaded["x"]
        return self.theta, self.x

    def init_inference(self, inference_method: str, density_estimator_model: Any,
                       prior: Any = None, sbi_device: str = "cpu",
                       **inference_kwargs: Any) -> Inference:
        """How is to be learned: "SNPE" (truncated proposals), "SNPE_A", "SNPE_B" or
        "SNPE_C"; "maf", "nsf", "made", "mdn" or "auto", with options of
        ``client.describe("estimators")``, and embedding, input_shape, embedding_net and
        ensemble. NameError for an unknown method."""
        self._use_prior(prior, required=False)
        self._inference = Inference(inference_method, density_estimator_model,
                                    sbi_device, inference_kwargs)
        self.sbi_device = self._inference.device
        return self._inference

    def train(self, inference: Inference, theta: Any = None, x: Any = None,
              callback: Callback = "text", level: int = 0, **train_kwargs: Any
              ) -> Inference:
        """Trains on theta and x, which must be of the coordinator's own simulation;
        default those that there are. Options are those of TrainingSpec."""
        theta = self.theta if theta is None else np.asarray(theta, dtype=float)
        x = self.x if x is None else np.asarray(x, dtype=float)
        if theta is None or x is None:
            raise ValueError("theta and x: there are no data yet; call "
                             "generate_training_data and extract_summary_statistics")
        self._check_data(theta, x)
        self.n_samples = len(theta)
        self._train(sys._getframe(1 + level), inference, train_kwargs, 1, callback,
                    theta)
        found = self._simulated(self.server_fit)
        if not np.array_equal(found.x, x, equal_nan=True):
            raise NotAvailableError(f"{OWN_DATA}; x is not what its simulation gives")
        self.theta, self.x = found.theta, found.x
        return inference

    def build_posterior(self, inference: Optional[Inference] = None,
                        **posterior_kwargs: Any) -> Posterior:
        """The posterior of what was trained; it is sampled directly."""
        sampler = posterior_kwargs.pop("sample_with", "direct")
        if sampler not in ("direct", "rejection"):
            raise NotAvailableError(f"posterior_kwargs: sample_with=\"{sampler}\" is not "
                                    "available (yet); draws are direct")
        if posterior_kwargs:
            raise TypeError("posterior_kwargs: there is no option "
                            f"\"{next(iter(posterior_kwargs))}\"; there is sample_with")
        self.posterior = Posterior(self.client, self.server_fit.name)
        return self.posterior

    def infer_step(self, proposal: Any = None, inference: Optional[Inference] = None,
                   n_samples: Optional[int] = None, theta: Any = None, x: Any = None,
                   train_kwargs: Optional[Mapping[str, Any]] = None,
                   posterior_kwargs: Optional[Mapping[str, Any]] = None,
                   callback: Callback = "text", level: int = 0) -> Posterior:
        """One round: of the prior, or, with a posterior as proposal, one more."""
        chosen = inference or self._inference
        if chosen is None:
            raise ValueError("inference: call init_inference first, or give it")
        if theta is not None and x is not None:
            self.train(chosen, theta, x, callback, level + 1, **(train_kwargs or {}))
        elif n_samples is None and not isinstance(proposal, Posterior):
            raise ValueError("n_samples: give it, or theta and x")
        else:
            self._use_prior(None if isinstance(proposal, Posterior) else proposal)
            more = isinstance(proposal, Posterior) and chosen.rounds > 0
            self._set_n_samples(n_samples, more)
            self._train(sys._getframe(1 + level), chosen, train_kwargs or {},
                        chosen.rounds + 1 if more else 1, callback)
        return self.build_posterior(chosen, **(posterior_kwargs or {}))

    # All in one.
    def infer(self, n_samples: Optional[int] = None, theta: Any = None, x: Any = None,
              n_rounds: int = 1, inference_method: str = "SNPE",
              density_estimator_model: Any = "maf",
              inference_kwargs: Optional[Mapping[str, Any]] = None,
              train_kwargs: Optional[Mapping[str, Any]] = None,
              posterior_kwargs: Optional[Mapping[str, Any]] = None,
              restart: bool = False, sbi_device: str = "cpu",
              callback: Callback = "text", level: int = 0, **bounds: Any) -> Posterior:
        """Simulates and learns, `n_samples` a round, and returns the posterior. One
        round holds for any observation (amortised); several are focused on the
        recordings. Another call without `restart` goes on with `n_rounds` more, from
        the first on: the same seed gives the same rounds again, so that they cost
        their time, but change nothing. ``name=[low, high]`` for each parameter.

        callback: "text", None, or what is called with each round's event.
        """
        n_rounds = fit_spec.whole(n_rounds, "n_rounds", 1)
        if restart:
            self.posterior, self._inference = None, None
        if self.posterior is not None and self._inference is not None:
            if bounds:
                raise ValueError("bounds are given, but the inference goes on; "
                                 "restart=True begins anew with them")
            inference, before = self._inference, self._inference.rounds
            self._train_kwargs = {**self._train_kwargs, **(train_kwargs or {})}
        else:
            inference = self.init_inference(inference_method, density_estimator_model,
                                            None, sbi_device,
                                            **(inference_kwargs or {}))
            before = 0
            if bounds or not self.bounds:
                self.init_prior(**bounds)
            self._train_kwargs = dict(train_kwargs or {})
        check = None
        if theta is not None or x is not None:
            if theta is None or x is None:
                raise ValueError("theta and x: give both, or none")
            check = np.asarray(theta, dtype=float)
            self._check_data(check, np.asarray(x))
            n_samples = len(check)
        if n_samples is None and before == 0 and self.theta is not None:
            n_samples, check = len(self.theta), self.theta
        self._set_n_samples(n_samples, before > 0)
        self._train(sys._getframe(1 + level), inference, self._train_kwargs,
                    before + n_rounds, callback, check)
        found = self._simulated(self.server_fit)
        self.theta, self.x = found.theta, found.x
        return self.build_posterior(inference, **(posterior_kwargs or {}))

    # What was found.
    def sample(self, shape: Any = (1,), posterior: Optional[Posterior] = None,
               **options: Any) -> np.ndarray:
        """Draws of the posterior at the recordings, which stay as `samples`."""
        self.samples = self._of(posterior).sample(shape, **options)
        return self.samples

    def pairplot(self, samples: Any = None, points: Any = None, limits: Any = None,
                 subset: Any = None, labels: Any = None, ticks: Any = None,
                 **options: Any) -> Any:
        """(figure, axes): histograms of draws, default the last ones. points, limits,
        labels, ticks: by parameter; points may be a list of such mappings."""
        posterior = self._of(None)
        rows = self.samples if samples is None else samples
        if rows is None:
            rows = posterior.sample((1000,))
        chosen = posterior.subset(subset)
        rows = np.asarray(rows, dtype=float).reshape(-1, len(self.parameter_names))
        rows = rows[np.isfinite(rows).all(axis=1)][:, chosen]
        marks = points_of(posterior, points, chosen)
        shown = plots.limits_of(rows, marks)
        return plots.pairplot(rows, labels_of(posterior, labels, chosen),
                              limits_of(posterior, limits, chosen, shown), marks,
                              ticks_of(posterior, ticks, chosen), **options)

    def conditional_pairplot(self, condition: Any, density: Optional[Posterior] = None,
                             points: Any = None, limits: Any = None,
                             subset: Any = None, labels: Any = None, ticks: Any = None,
                             **options: Any) -> Any:
        """(figure, axes): densities of each parameter and each pair, all others being
        where `condition` is. limits: what axes show; the prior's support is computed."""
        posterior = self._of(density)
        chosen = posterior.subset(subset)
        found = posterior.conditional(condition, chosen)
        ends = [(grid[0], grid[-1]) for grid in found.grid]
        return plots.conditional_pairplot(
            found, labels_of(posterior, labels, chosen),
            limits_of(posterior, limits, chosen, ends),
            points_of(posterior, points, chosen),
            ticks_of(posterior, ticks, chosen), **options)

    def conditional_corrcoeff(self, condition: Any, density: Optional[Posterior] = None,
                              limits: Any = None, subset: Any = None) -> np.ndarray:
        """The correlation of each pair, all others being where `condition` is."""
        if limits is not None:
            raise NotAvailableError("limits: correlations are those within the prior's "
                                    "support; other limits are not available (yet)")
        return self._of(density).corrcoeff(condition, subset)

    def generate_traces(self, n_samples: int = 1,
                        posterior: Optional[Posterior] = None, output_var: Any = None,
                        param_init: Optional[Mapping[str, Any]] = None,
                        level: int = 0, *, at: str = "draws", seed: int = 0) -> Any:
        """What the model does on every trace at draws of the posterior.

        at: "draws" (of each one: [traces x steps], of several [draws x traces x
            steps]), "mean" (at the mean of `n_samples` draws, as the original has it;
            it may be unlikely itself) or "map" (at the largest density).
        output_var: a name or a list of names; default the outputs. Several give a
            mapping. Of "spikes" there are lists of arrays of times.
        """
        if at not in ("draws", "mean", "map"):
            raise ValueError(f"at: \"{at}\" is none; there are \"draws\", \"mean\" and "
                             "\"map\"")
        chosen = self._of(posterior)
        points = chosen.map(seed=seed)[None] if at == "map" else chosen.sample(
            (fit_spec.whole(n_samples, "n_samples", 1),), seed=seed)
        if at == "mean":
            points = points.mean(axis=0, keepdims=True)
        names = self.output_var if output_var is None else (
            [output_var] if isinstance(output_var, str) else list(output_var))
        fit = self.client.fit(chosen.name)
        recording = fit.generate(
            names, [dict(zip(chosen.parameter_names, row)) for row in points],
            self._experiment._initial_values(param_init, "param_init"))

        def dressed(name: str, values: np.ndarray) -> Any:
            if name == SPIKES:
                return [spike_times(trace, recording.dt) for trace in values]
            return make(values, recording.dims[name])
        made = {}
        for name in names:
            each = recording.values[name]
            made[name] = dressed(name, each[0]) if len(points) == 1 else (
                [dressed(name, one) for one in each] if name == SPIKES
                else dressed(name, each))
        return made[names[0]] if len(names) == 1 and (
            output_var is None or isinstance(output_var, str)) else made

    def save_posterior(self, f: Any) -> None:
        """See Posterior.save: no pickle; the coordinator keeps the posterior itself."""
        self._of(None).save(f)

    def load_posterior(self, f: Any) -> Posterior:
        """The posterior that was saved, at its coordinator; `infer` goes on with its
        rounds, settings and priors."""
        self.posterior = Posterior.load(self.client, f)
        self._fit = self.client.fit(self.posterior.name)
        spec = self._fit.spec
        names = {text: name for name, text in (
            ("SNPE", "tsnpe"), ("SNPE_A", "npe_a"), ("SNPE_B", "npe_b"),
            ("SNPE_C", "npe_c"), ("SNPE", ""))}
        self._inference = Inference(names.get(spec.inference.algorithm, "SNPE"), "maf",
                                    spec.inference.training.device or "cpu", {})
        self._inference.estimator.CopyFrom(spec.inference.estimator)
        self._inference.rounds = self._fit.message.rounds
        self._given = spec
        self.n_samples = spec.n_samples or 100
        return self.posterior

    # Parts.
    def _of(self, posterior: Optional[Posterior]) -> Posterior:
        found = posterior if posterior is not None else self.posterior
        if found is None:
            raise ValueError("posterior: there is none yet; call infer first, or give "
                             "one")
        if not isinstance(found, Posterior):
            raise TypeError(f"posterior must be a somafit.Posterior, not {found!r}")
        return found

    def _use_prior(self, prior: Any, required: bool = True) -> None:
        if isinstance(prior, Mapping):
            self.init_prior(**prior)
        elif prior is not None:
            raise TypeError("prior must be what init_prior returned, not "
                            f"{prior!r}")
        if required and not self.bounds:
            raise ValueError("prior: call init_prior first")

    def _set_n_samples(self, n_samples: Optional[int], goes_on: bool) -> None:
        if n_samples is None and self.n_samples is None:
            raise ValueError("n_samples: give it, or theta and x")
        if n_samples is None:
            return
        n_samples = fit_spec.whole(n_samples, "n_samples", 1)
        if goes_on and self.n_samples not in (None, n_samples):
            raise ValueError(f"n_samples is {n_samples}, but earlier rounds have "
                             f"{self.n_samples}; all rounds have as many, or begin anew "
                             "with restart=True")
        self.n_samples = n_samples

    def _check_data(self, theta: np.ndarray, x: np.ndarray) -> None:
        if theta.ndim != 2 or theta.shape[1] != len(self.parameter_names):
            raise ValueError(f"theta has the shape {theta.shape}; it must be [n x "
                             f"{len(self.parameter_names)}], for "
                             f"{', '.join(self.parameter_names)}")
        raw = self._features[0].feature == "trace"  # windows decide how many
        width = x.shape[-1] if raw else len(self._features) * self.n_traces
        if x.shape != (len(theta), width):
            raise ValueError(f"x has the shape {x.shape}; it must be [{len(theta)} x "
                             f"traces times {'steps' if raw else 'features'}]")

    def _spec(self, names: Namespace, inference: Inference,
              train_kwargs: Mapping[str, Any], rounds: int) -> fit_pb2.FitSpec:
        model = self._experiment
        if self._given is not None and not self.bounds:
            # Goes on with what was loaded.
            spec = fit_pb2.FitSpec.FromString(self._given.SerializeToString())
            spec.label, spec.name = "inference", ""
            spec.stop.rounds = rounds
            spec.inference.training.MergeFrom(inference.training(train_kwargs))
            return spec
        dims = {name: each.dimension for name, each in
                model.equations.definitions.items() if each.dimension is not None}
        description: Dict[str, Any] = {
            "model": model._model(names), "seed": self.seed,
            "dt": model._dt_text or f"{model._dt!r}*second",
            "n_samples": self.n_samples, "stop": {"rounds": rounds}}
        if model._name:
            description["label" if self._fit else "name"] = model._name
        else:
            description["label"] = "inference"
        spec = fit_spec.fit_spec(description)
        spec.parameters.extend(fit_spec.parameters(
            {name: self.bounds[name] for name in self.parameter_names}, dims))
        spec.inference.algorithm = inference.algorithm
        spec.inference.features.extend(self._features)
        spec.inference.estimator.CopyFrom(inference.estimator)
        spec.inference.training.CopyFrom(inference.training(train_kwargs))
        return spec

    def _submit(self, frame: Optional[FrameType], inference: Inference,
                train_kwargs: Mapping[str, Any], rounds: int) -> Fit:
        names = self._experiment._namespace(frame, {})
        spec = inference.add_script(self.client, self._spec(names, inference,
                                                            train_kwargs, rounds))
        return self.client.submit(spec, None if spec.dataset
                                  else self._experiment._dataset)

    def _train(self, frame: Optional[FrameType], inference: Inference,
               train_kwargs: Mapping[str, Any], rounds: int, callback: Callback,
               theta: Optional[np.ndarray] = None) -> None:
        if not isinstance(inference, Inference):
            raise TypeError("inference must be what init_inference returned, not "
                            f"{inference!r}")
        fit = self._submit(frame, inference, train_kwargs, rounds)
        if theta is not None and not same_simulations(fit, theta):
            fit.cancel().delete()
            raise NotAvailableError(
                f"{OWN_DATA}; theta is not what seed={self.seed} and this prior draw")
        self._fit, self._inference = wait(fit, callback), inference
        inference.rounds = fit.message.rounds

    def _simulated(self, fit: Fit) -> simulations.Simulations:
        found = fit.simulations()
        order = [[each.name for each in fit.message.parameters].index(name)
                 for name in self.parameter_names]
        return found._replace(theta=found.theta[:, order], parameters=[
            found.parameters[i] for i in order])
