"""Neural posterior estimation with a simulator of one's own: the classes of sbi, over
a coordinator, which keeps simulations and nets, and has them trained.

    prior = BoxUniform(low=np.zeros(3), high=np.ones(3))
    inference, proposal = NPE_B(prior), prior
    for _ in range(5):
        theta = proposal.sample((100,))
        density_estimator = inference.append_simulations(theta, simulator(theta)).train()
        posterior = inference.build_posterior(density_estimator)
        proposal = posterior.set_default_x(x_o)
"""

from __future__ import annotations

from typing import Any, Mapping, Optional

from somafit import fit_spec
from somafit.errors import NotAvailableError
from somafit.npe_trainer import PosteriorEstimatorTrainer, TrainedEstimator, named


class NPE_B(PosteriorEstimatorTrainer):
    """Weights simulations by prior over proposals (Lueckmann et al. 2017), all
    proposals of all rounds together, as a mixture."""

    _method = "NPE_B"


class NPE_C(PosteriorEstimatorTrainer):
    """Automatic posterior transformation (Greenberg et al. 2019): the loss tells apart
    atoms of a batch; with mdn and a uniform or normal prior it is exact."""

    _method = "NPE_C"

    def train(self, num_atoms: int = 10, training_batch_size: int = 200,  # type: ignore
              learning_rate: float = 5e-4, validation_fraction: float = 0.1,
              stop_after_epochs: int = 20, max_num_epochs: int = 2**31 - 1,
              clip_max_norm: Optional[float] = 5.0, calibration_kernel: Any = None,
              resume_training: bool = False, force_first_round_loss: bool = False,
              discard_prior_samples: bool = False, use_combined_loss: bool = False,
              retrain_from_scratch: bool = False, show_train_summary: bool = False,
              dataloader_kwargs: Optional[Mapping[str, Any]] = None, **options: Any
              ) -> TrainedEstimator:
        """See NPE_B.train; num_atoms: that are told apart; use_combined_loss: with the
        plain loss of the first round's simulations."""
        return self._train(named(locals()))


class NPE(PosteriorEstimatorTrainer):
    """Truncated proposals (Deistler et al. 2022): later rounds are of the prior, where
    the posterior is not negligible; ``propose`` draws them. The loss is plain."""

    _method = "NPE"


class NPE_A(PosteriorEstimatorTrainer):
    """Papamakarios and Murray (2016): of the latest round alone, corrected afterwards;
    with mdn alone. `num_components`: of the mixture."""

    _method = "NPE_A"
    _default_estimator = "mdn"

    def __init__(self, prior: Any = None, density_estimator: Any = None,
                 num_components: int = 10, device: Any = "cpu",
                 logging_level: "int | str" = "WARNING", summary_writer: Any = None,
                 tracker: Any = None, show_progress_bars: bool = True,
                 **options: Any) -> None:
        chosen = "mdn" if density_estimator in (None, "mdn_snpe_a") else density_estimator
        estimator = dict(chosen) if isinstance(chosen, Mapping) else chosen
        if isinstance(estimator, str):
            estimator = {"model": estimator}
        if isinstance(estimator, dict):
            estimator.setdefault("num_components", fit_spec.whole(
                num_components, "num_components", 1))
        super().__init__(prior, estimator, device, logging_level, summary_writer,
                         tracker, show_progress_bars, **options)

    def train(self, final_round: bool = False,  # type: ignore
              training_batch_size: int = 200,
              learning_rate: float = 5e-4, validation_fraction: float = 0.1,
              stop_after_epochs: int = 20, max_num_epochs: int = 2**31 - 1,
              clip_max_norm: Optional[float] = 5.0, calibration_kernel: Any = None,
              resume_training: bool = False, retrain_from_scratch: bool = False,
              show_train_summary: bool = False,
              dataloader_kwargs: Optional[Mapping[str, Any]] = None,
              component_perturbation: float = 5e-3, **options: Any) -> TrainedEstimator:
        """See NPE_B.train; final_round: no round follows, and only then all components
        of the mixture are trained."""
        if component_perturbation != 5e-3:
            raise NotAvailableError("component_perturbation: components are always set "
                                    "apart by 5e-3; leave it out")
        given = named(locals())
        del given["component_perturbation"]
        return self._train(given, bool(final_round))


TSNPE = NPE
SNPE_A, SNPE_B, SNPE_C = NPE_A, NPE_B, NPE_C
