"""Somafit fits models of neurons to recordings.

    from somafit import TraceFitter, NevergradOptimizer, MSEMetric
    from somafit.units import mV, ms, nS

    fitter = TraceFitter(dt=0.1*ms, model=equations, input={"I": I},
                         output={"v": v}, n_samples=60, param_init={"v": -65*mV})
    best, error = fitter.fit(n_rounds=10, g=[1*nS, 100*nS])

The classes are those of brian2modelfitting, and mean the same; a fit happens at a
coordinator, which $SOMAFIT_ENDPOINT names, or which is started here. Every sample
is kept there: ``Client().reattach(name)`` finds a fit again.
"""

from somafit import features
from somafit.bounds import Bounds, calc_bounds
from somafit.callbacks import ProgressBar, callback_none, callback_setup, \
    callback_text, make_dic
from somafit.client import Client
from somafit.dataset import Dataset
from somafit.errors import AccessError, ChangedFitError, ConnectionLostError, \
    DeadlineError, DimensionMismatchError, FitStoppedError, InvalidFitError, \
    NotAvailableError, NotFittedError, NotFoundError, ProgramNotFoundError, \
    ServerError, SomafitError, SomafitWarning, WrongStateError
from somafit.fit import Evaluation, Fit
from somafit.fitter import Fitter
from somafit.metrics import CorrelationMetric, CosineMetric, FeatureMetric, \
    GammaFactor, HuberMetric, ISICVMetric, ISIMeanMetric, KurtosisMetric, \
    MAEMetric, MaxMetric, MeanMetric, MedianMetric, Metric, MinMetric, MSEMetric, \
    QuantileMetric, RMSEMetric, SpikeCountMetric, SpikeLatencyMetric, SpikeMetric, \
    SpikeRateMetric, StdMetric, TraceMetric, VanRossumMetric, \
    VictorPurpuraMetric, firing_rate, normalize_weights
from somafit.inferencer import Inferencer
from somafit.joint_prior import BoxUniform, JointPrior
from somafit.namespace import TimedArray
from somafit.not_available import CPPStandaloneSimulator, RuntimeSimulator, \
    Simulator
from somafit.npe import NPE, NPE_A, NPE_B, NPE_C, SNPE_A, SNPE_B, SNPE_C, TSNPE
from somafit.npe_trainer import posterior_nn
from somafit.online_trace_fitter import OnlineTraceFitter
from somafit.optimizers import DifferentialEvolution, NevergradOptimizer, Optimizer, \
    RandomSearch, SkoptOptimizer
from somafit.posterior import Posterior
from somafit.priors import Prior
from somafit.quantity import Quantity
from somafit.samples import SampleTable
from somafit.spike_fitter import SpikeFitter
from somafit.term_metrics import ExpressionMetric, FCCorrelationMetric, \
    FCDCorrelationMetric, FCDKSMetric, FCDWassersteinMetric, FCRMSEMetric
from somafit.trace_fitter import TraceFitter
from somafit.traces import Recording
from somafit.watch import RoundEvent, StateEvent

__version__ = "0.1.0"

__all__ = [
    "AccessError", "Bounds", "BoxUniform", "CPPStandaloneSimulator",
    "ChangedFitError", "Client", "ConnectionLostError", "CorrelationMetric",
    "CosineMetric", "Dataset", "DeadlineError", "DifferentialEvolution",
    "DimensionMismatchError", "Evaluation", "ExpressionMetric",
    "FCCorrelationMetric", "FCDCorrelationMetric", "FCDKSMetric",
    "FCDWassersteinMetric", "FCRMSEMetric", "FeatureMetric", "Fit",
    "FitStoppedError", "Fitter", "GammaFactor", "HuberMetric", "ISICVMetric",
    "ISIMeanMetric", "Inferencer", "InvalidFitError", "JointPrior",
    "KurtosisMetric", "MAEMetric", "MSEMetric", "MaxMetric", "MeanMetric",
    "MedianMetric", "Metric", "MinMetric", "NPE", "NPE_A", "NPE_B", "NPE_C",
    "NevergradOptimizer", "NotAvailableError", "NotFittedError", "NotFoundError",
    "OnlineTraceFitter", "Optimizer", "Posterior", "Prior", "ProgramNotFoundError",
    "ProgressBar", "QuantileMetric", "Quantity", "RMSEMetric", "RandomSearch",
    "Recording", "RoundEvent", "RuntimeSimulator", "SNPE_A", "SNPE_B", "SNPE_C",
    "SampleTable", "ServerError", "Simulator", "SkoptOptimizer", "SomafitError",
    "SomafitWarning", "SpikeCountMetric", "SpikeFitter", "SpikeLatencyMetric",
    "SpikeMetric", "SpikeRateMetric", "StateEvent", "StdMetric", "TSNPE",
    "TimedArray", "TraceFitter", "TraceMetric", "VanRossumMetric",
    "VictorPurpuraMetric", "WrongStateError", "calc_bounds", "callback_none",
    "callback_setup", "callback_text", "features", "firing_rate", "make_dic",
    "normalize_weights", "posterior_nn",
]
