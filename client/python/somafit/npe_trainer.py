"""What NPE_A, NPE_B, NPE_C and NPE have in common: simulations come in, a
coordinator keeps them and has nets trained on them."""

from __future__ import annotations

import logging
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from somafit import fit_spec
from somafit.client import Client
from somafit.drawn_parameters import DrawnParameters, Origin, same_x
from somafit.errors import NotAvailableError
from somafit.inference_run import Inference, device_of, epochs_of, training_text
from somafit.joint_prior import JointPrior, NoPrior, array_of
from somafit.npe_posterior import NPEPosterior, sampling_of
from somafit.own_inference import OwnInference
from somafit.posterior import Posterior
from somafit.training_watch import EpochTeller
from somafit.watch import RoundEvent

log = logging.getLogger("somafit.npe")


class TrainedEstimator(NamedTuple):
    """What ``train`` returns and ``build_posterior`` takes: a round's net, which the
    coordinator has."""

    name: str
    round: int
    event: RoundEvent  # whose training tells how it went


def posterior_nn(model: str = "maf", **options: Any) -> Dict[str, Any]:
    """``NPE_C(prior, density_estimator=posterior_nn("nsf", hidden_features=60))``:
    options are those of ``Client.describe("estimators")``, and embedding, ensemble."""
    return {"model": model, **options}


class PosteriorEstimatorTrainer:
    """What NPE_A, NPE_B, NPE_C and NPE have in common.

    prior: ``{name: [low, high]}``, also with somafit.Prior, or BoxUniform(low, high).
        None: theta is one's own, of columns theta0, theta1, and so on, and counts as
        evenly likely everywhere; there is one round then, and nothing to draw from.
    density_estimator: "maf", "nsf", "made", "mdn" or "auto", or posterior_nn(...).
    device: where the trainer works: "cpu", "cuda", "cuda:1".
    logging_level: from where on the trainer's messages are passed on, to the log
        "somafit.npe".
    summary_writer, tracker: are told of losses, epoch by epoch as they come, by
        add_scalar or log_metric; steps go on from round to round.
    show_progress_bars: print a line after each training; epochs are not shown.

    Beyond the original, by keyword: client, name, seed (same seed, same simulations:
    same nets and draws), and features, names of x's columns. theta and x may be arrays,
    lists or tensors, of which x may have any shape; what is returned are arrays.
    """

    _method = ""
    _default_estimator = "maf"

    def __init__(self, prior: Any = None, density_estimator: Any = None,
                 device: Any = "cpu", logging_level: "int | str" = "WARNING",
                 summary_writer: Any = None, tracker: Any = None,
                 show_progress_bars: bool = True, *, client: Optional[Client] = None,
                 name: Optional[str] = None, seed: int = 0,
                 features: Optional[Sequence[str]] = None) -> None:
        if not self._method:
            raise TypeError("PosteriorEstimatorTrainer is a base class; use NPE_A, NPE_B, "
                            "NPE_C or NPE")
        self.seed = fit_spec.whole(seed, "seed")
        self.prior = JointPrior.of(prior, self.seed)
        device_of(device, "device")
        chosen = density_estimator or self._default_estimator
        if isinstance(chosen, Mapping):
            chosen = {"model": self._default_estimator, **chosen}
        self._settings = Inference(self._method, chosen, device, {},
                                   "density_estimator")
        self._level = _level(logging_level)
        for what, given, call in (("summary_writer", summary_writer, "add_scalar"),
                                  ("tracker", tracker, "log_metric")):
            if given is not None and not callable(getattr(given, call, None)):
                raise TypeError(f"{what}: {given!r} has no {call}")
        self._teller = EpochTeller([
            *([] if summary_writer is None else [summary_writer.add_scalar]),
            *([] if tracker is None else [tracker.log_metric])])
        self._show = bool(show_progress_bars)
        if client is not None and not isinstance(client, Client):
            raise TypeError(f"client must be a somafit.Client, not {client!r}")
        self._client, self._name = client, name
        self._features = None if features is None else list(features)
        self._shape: Tuple[int, ...] = ()  # of one simulation's x
        self._own: Optional[OwnInference] = None
        self._drawn = DrawnParameters()
        self._samplings = 0  # of all posteriors, so that no two have the same noise
        self._focus: Optional[np.ndarray] = None  # what a posterior was set to last
        self._exclude = False
        self._trained: Optional[TrainedEstimator] = None

    @property
    def client(self) -> Client:
        """The coordinator, started when it is first needed."""
        if self._client is None:
            self._client = Client()
        return self._client

    @property
    def server_fit(self) -> Any:
        """The inference at the coordinator, a Fit."""
        return self._begun().fit

    # Simulations.
    def propose(self, n: int, x: Any = None) -> np.ndarray:
        """[n x parameters] to simulate next: of the prior at first, then of the proposal
        that the algorithm makes of what was learned, focused on `x`, default what a
        posterior's set_default_x said. Other ones in each call; append_simulations
        knows them."""
        n = fit_spec.whole(n, "n", 1)
        self.prior.check_proper("propose")
        if self._own is None or self._own.rounds == 0:
            return self.prior.sample((n,))
        at = self._focus if x is None else np.ravel(array_of(x, "x"))
        if x is None and (at is None or self._is_focused()):
            at = self._own.observation
        if at is None:
            raise ValueError("x: rounds after the first are focused on an observation; "
                             "give x, or say posterior.set_default_x(x)")
        self._observe(at)
        theta = self._own.propose(n)
        self._drawn.remember(theta, Origin(self._own.name, self._own.rounds, at, True))
        return theta

    def append_simulations(self, theta: Any, x: Any, proposal: Any = None,
                           exclude_invalid_x: Optional[bool] = None,
                           data_device: Any = None) -> "PosteriorEstimatorTrainer":
        """Stores simulations of the present round.

        proposal: the prior, or the posterior that theta was drawn from, at its default
            x. Without it theta tells: what a posterior of this inference drew, or
            propose, is known; anything else counts as drawn from the prior.
        exclude_invalid_x: whether simulations with NaN or infinity are left out;
            default: in the first round. ValueError where there are any otherwise.
        data_device: has no meaning here: the coordinator keeps all data.
        """
        if data_device is not None:
            device_of(data_device, "data_device")
        points, rows = self._checked(theta, x)
        origin = self._origin(points, proposal)
        self._check_valid(rows, exclude_invalid_x, origin is None)
        if origin is not None:
            self._observe(origin.x)
        elif self._own is None:
            self._begin(rows.shape[1])
        elif self._own.rounds:
            self._join_prior()
        self._begun().append(points, rows)
        return self

    def get_simulations(self, starting_round: int = 0
                        ) -> Tuple[np.ndarray, np.ndarray, np.ndarray]:
        """theta, x and whether each is of the prior [n x 1], of rounds from
        `starting_round` on, without invalid ones."""
        first = fit_spec.whole(starting_round, "starting_round")
        found = self._begun().simulations()
        kept = (found.round >= first) & np.isfinite(found.x).all(axis=1)
        return (found.theta[kept], found.x[kept].reshape(-1, *self._shape),
                (found.round[kept] == 0)[:, None])

    def get_dataloaders(self, starting_round: int = 0, training_batch_size: int = 200,
                        validation_fraction: float = 0.1, resume_training: bool = False,
                        dataloader_kwargs: Optional[Mapping[str, Any]] = None) -> Any:
        """NotAvailableError: see get_simulations."""
        raise NotAvailableError(
            "get_dataloaders: the trainer splits and shuffles simulations by itself, and "
            "no batch comes by here; get_simulations(starting_round) has all of them")

    # Learning.
    def train(self, training_batch_size: int = 200, learning_rate: float = 5e-4,
              validation_fraction: float = 0.1, stop_after_epochs: int = 20,
              max_num_epochs: int = 2**31 - 1, clip_max_norm: Optional[float] = 5.0,
              calibration_kernel: Any = None, resume_training: bool = False,
              force_first_round_loss: bool = False, discard_prior_samples: bool = False,
              retrain_from_scratch: bool = False, show_train_summary: bool = False,
              dataloader_kwargs: Optional[Mapping[str, Any]] = None, **options: Any
              ) -> TrainedEstimator:
        """Learns from the simulations so far, which ends the round. Other options of
        TrainingSpec, such as average_weights or largest_weight, by name. After the
        first round a call without new simulations learns anew from the same."""
        return self._train(named(locals()))

    def _train(self, options: Dict[str, Any], final_round: bool = False
               ) -> TrainedEstimator:
        own, show = self._begun(), bool(options.get("show_train_summary"))
        training = self._settings.training(options, "")
        if own.appended == 0 and own.rounds == 1:
            self._begin_anew()
            own = self._begun()
        elif own.appended == 0:
            raise ValueError(f"there are no simulations of round {own.rounds} to learn "
                             "from; append_simulations first")
        if self._exclude:
            training.invalid = training.invalid or "exclude"
        number = own.rounds
        self._teller.begin()
        # Of "auto" nobody knows in advance which net is the one that stays.
        streamed = self._teller and self._settings.estimator.name != "auto"
        event = own.train(training, final_round,
                          self._teller.report if streamed else None)
        summary: Any = event.training
        for message in summary.messages:
            if self._level <= logging.WARNING:
                log.warning("%s, round %d: %s", own.name, number, message)
        if self._show or show:
            print(f"Round {number}: {training_text(summary)}")
        self._trained = TrainedEstimator(own.name, number, event)
        if self._teller:
            self._teller.finish(number, summary)
        return self._trained

    @property
    def summary(self) -> Dict[str, List[float]]:
        """Of all rounds: epochs_trained and best_validation_loss, one a round;
        training_loss, validation_loss and epoch_durations_sec, one an epoch (of a round
        of more than 2000 some of them). Losses are in nats."""
        rounds = [] if self._own is None else Posterior(
            self.client, self._own.name).summaries
        return {
            "epochs_trained": [epochs_of(each) for each in rounds],
            "best_validation_loss": [each.best_validation_loss for each in rounds],
            "validation_loss": [v for each in rounds for v in each.validation_loss],
            "training_loss": [v for each in rounds for v in each.training_loss],
            "epoch_durations_sec": [v for each in rounds for v in each.epoch_seconds]}

    def build_posterior(self, density_estimator: Optional[TrainedEstimator] = None,
                        prior: Any = None, sample_with: str = "direct",
                        mcmc_method: str = "slice_np_vectorized", vi_method: str = "rKL",
                        direct_sampling_parameters: Optional[Mapping[str, Any]] = None,
                        mcmc_parameters: Optional[Mapping[str, Any]] = None,
                        vi_parameters: Optional[Mapping[str, Any]] = None,
                        rejection_sampling_parameters: Optional[
                            Mapping[str, Any]] = None,
                        importance_sampling_parameters: Optional[
                            Mapping[str, Any]] = None,
                        posterior_parameters: Any = None) -> NPEPosterior:
        """The posterior of what was trained, default last, within the prior.
        `sample_with` ("direct", "rejection", "importance") is what its draws are made
        with, "importance" with the oversampling_factor of its parameters; parameters of
        samplers that are not there have no effect."""
        sampling = sampling_of({
            "sample_with": sample_with,
            "direct_sampling_parameters": direct_sampling_parameters,
            "rejection_sampling_parameters": rejection_sampling_parameters,
            "mcmc_parameters": mcmc_parameters, "vi_parameters": vi_parameters,
            "importance_sampling_parameters": importance_sampling_parameters,
            "posterior_parameters": posterior_parameters})
        if sampling.sample_with != "direct":
            self.prior.check_proper("sample_with")
        if prior is not None and JointPrior.of(prior) != self.prior:
            raise NotAvailableError("prior: the net was trained with another one, and "
                                    "draws are those within that; leave it out")
        chosen = self._trained if density_estimator is None else density_estimator
        if chosen is None:
            raise ValueError("density_estimator: there is none yet; call train first")
        if not isinstance(chosen, TrainedEstimator):
            raise TypeError("density_estimator must be what train returned, not "
                            f"{chosen!r}; nets of Python are not available")
        return sampling.of(NPEPosterior(self, self.client, chosen.name, chosen.round))

    # Parts.
    def _begun(self) -> OwnInference:
        if self._own is None:
            raise ValueError("there are no simulations yet; call append_simulations "
                             "first")
        return self._own

    def _begin(self, width: int) -> None:
        if self._features is not None and len(self._features) != width:
            raise ValueError(f"x has {width} numbers a simulation, but features names "
                             f"{len(self._features)}")
        self._own = OwnInference(
            self.client, self.prior, self._settings.algorithm,
            self._settings.estimator_at(self.client),
            width if self._features is None else self._features, self.seed,
            (self._name or "") if self._own is None else "",
            self._name or self._method.lower())

    def _begin_anew(self) -> None:
        """With the simulations of the first round, and without what was learned."""
        before = self._begun()
        found = before.simulations()
        self._begin(before.n_features)
        self._begun().append(found.theta, found.x)

    def _join_prior(self) -> None:
        own = self._begun()
        if own.rounds > 1 or own.appended:
            raise ValueError(
                "theta counts as drawn from the prior, but later rounds were drawn from "
                "a posterior; if these were, too, give proposal=, which must be the "
                "latest posterior")
        if self._level <= logging.INFO:
            log.info("%s: theta counts as drawn from the prior; all is learned anew",
                     own.name)
        self._begin_anew()

    def _is_focused(self) -> bool:
        own = self._begun()
        return own.rounds > 1 or own.appended > 0

    def _observe(self, x: np.ndarray) -> None:
        own = self._begun()
        if own.observation is not None and same_x(x, own.observation):
            return
        if len(x) != own.n_features:
            raise ValueError(f"x has {len(x)} numbers, but simulations have "
                             f"{own.n_features}")
        if self._is_focused() and own.observation is not None:
            raise ValueError("x: the rounds so far were drawn for another observation; "
                             "all rounds after the first have the same one, and another "
                             "one needs an inference of its own")
        own.observe(x)

    def _checked(self, theta: Any, x: Any) -> Tuple[np.ndarray, np.ndarray]:
        points, values = array_of(theta, "theta"), array_of(x, "x")
        prior = self.prior
        if isinstance(prior, NoPrior) and self._own is None:
            prior = NoPrior(max(points.shape[1], 1) if points.ndim == 2 else 1)
        n = len(prior.names)
        if points.ndim == 1 and n == 1:
            points = points[:, None]
        if points.ndim != 2 or points.shape[1] != n or not len(points):
            raise ValueError(f"theta has the shape {points.shape}; it must be [n x {n}], "
                             f"for {', '.join(prior.names)}")
        if values.ndim == 0 or len(values) != len(points) or not values.size:
            raise ValueError(f"x has the shape {values.shape}, but there are "
                             f"{len(points)} rows of theta; give one simulation for each")
        shape = values.shape[1:] or (1,)
        if self._own is not None and shape != self._shape:
            raise ValueError(f"x has the shape {values.shape}; simulations before had "
                             f"{self._shape} each")
        if not np.isfinite(points).all():
            raise ValueError("theta has a number that is not finite")
        # A way through float32 may leave the prior by a bit.
        low, high = prior.support.T
        with np.errstate(invalid="ignore"):
            slack = np.where(np.isfinite(high - low), 1e-6 * (high - low), 0)
        inside = np.clip(points, low, np.nextafter(high, low))
        points = np.where(np.abs(inside - points) <= slack, inside, points)
        outside = ((points < low) | (points > high)).any(axis=1)
        if outside.any():
            raise ValueError(f"theta: row {int(np.argmax(outside))} lies outside the "
                             "prior")
        self.prior, self._shape = prior, shape
        return points, values.reshape(len(values), -1)

    def _check_valid(self, rows: np.ndarray, exclude: Optional[bool], first: bool
                     ) -> None:
        invalid = int((~np.isfinite(rows)).any(axis=1).sum())
        if exclude is None:
            exclude = first
        elif exclude:
            self._exclude = True
        if invalid and not exclude:
            raise ValueError(
                f"x: {invalid} of {len(rows)} simulations have NaN or infinity, of which "
                "nothing can be learned; leaving them out favours parameters that give "
                "numbers: exclude_invalid_x=True does")
        if invalid and self._level <= logging.WARNING:
            log.warning("x: %d of %d simulations have NaN or infinity, and are left out",
                        invalid, len(rows))

    def _origin(self, points: np.ndarray, proposal: Any) -> Optional[Origin]:
        found = self._drawn.origin(points)
        if self.prior.improper:
            if found is not None or not (
                    proposal is None or isinstance(proposal, NoPrior)):
                self.prior.check_proper("proposal")
            return None
        if isinstance(proposal, Posterior):
            if not len(proposal.observation):
                raise ValueError("proposal: the posterior has no default x; say "
                                 "set_default_x(x) first")
            number = (self._begun().rounds if proposal.round is None
                      else proposal.round + 1)
            found = found or Origin(proposal.name, number, proposal.observation, False)
        elif proposal is not None:
            try:
                same = JointPrior.of(proposal) == self.prior
            except NotAvailableError:
                raise TypeError(f"proposal must be the prior or a posterior, not "
                                f"{proposal!r}") from None
            if not same:
                raise ValueError("proposal is another prior than that of the inference")
            if found is not None:
                raise ValueError("proposal is the prior, but theta was drawn from a "
                                 "posterior")
        if found is None:
            return None
        own = self._begun()
        if found.name != own.name or found.round != own.rounds:
            raise ValueError(
                f"proposal: theta was drawn from the posterior of round {found.round - 1}"
                f"{'' if found.name == own.name else ' of ' + found.name}, but the next "
                f"round is drawn from that of round {own.rounds - 1} of {own.name}; draw "
                "again from the latest posterior")
        if self._settings.algorithm == "tsnpe" and not found.proposed:
            raise ValueError(
                f"proposal: {type(self).__name__} learns from the prior where the "
                "posterior is not negligible, not from draws of the posterior: take "
                "theta = inference.propose(n), or NPE_C, which learns from these")
        return found

    def __repr__(self) -> str:
        return (f"<somafit.{type(self).__name__} of {', '.join(self.prior.names)}"
                + ("" if self._own is None else f", {self._own.name}") + ">")


def named(arguments: Mapping[str, Any]) -> Dict[str, Any]:
    """A method's arguments, those by name among them, without itself."""
    return {**{name: value for name, value in arguments.items()
               if name not in ("self", "options", "final_round", "__class__")},
            **arguments["options"]}


def _level(level: "int | str") -> int:
    if isinstance(level, int):
        return level
    number = logging.getLevelName(str(level).upper())
    if not isinstance(number, int):
        raise ValueError(f"logging_level: \"{level}\" is none; there are DEBUG, INFO, "
                         "WARNING, ERROR and CRITICAL")
    return number
