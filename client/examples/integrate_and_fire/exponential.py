"""An exponential integrate-and-fire neuron, whose spikes under one current, or two,
are made here and fitted.

    python3 client/examples/integrate_and_fire/exponential.py
"""

import numpy as np

from somafit import GammaFactor, SpikeFitter
from somafit.units import mV, ms, nA, nF, nS

EQUATIONS = """
dv/dt = (gL*(EL - v) + gL*Delta*exp((v - VT)/Delta) + I)/C : volt
gL : siemens (constant)
C : farad (constant)
EL : volt (constant)
"""
VT, Delta = -50 * mV, 2 * mV
DT, DURATION = 0.1 * ms, 60 * ms


def make(sizes, spikes, **arguments):
    """A fitter to spikes under steps of current from 5 to 30 ms."""
    current = np.zeros((len(sizes), round(DURATION / DT)))
    current[:, 50:300] = np.array(sizes)[:, None]
    return SpikeFitter(
        dt=DT, model=EQUATIONS, input={"I": current * nA}, output=spikes,
        threshold="v > -50*mV", reset="v = -70*mV", param_init={"v": -70 * mV},
        **arguments)


def main(n_rounds=5, n_samples=60, sizes=(2.5, 5)):
    spikes = make(sizes, [[] for _ in sizes]).generate_spikes(
        params={"gL": 30 * nS, "C": 1 * nF, "EL": -70 * mV})
    print(f"To be found: {spikes}")
    fitter = make(sizes, spikes, n_samples=n_samples)
    fitter.fit(n_rounds=n_rounds, metric=GammaFactor(delta=1 * ms, time=DURATION),
               gL=[20 * nS, 40 * nS], C=[0.5 * nF, 1.5 * nF],
               EL=[-100 * mV, -50 * mV])
    print(f"Found: {fitter.generate_spikes()}")
    return fitter


if __name__ == "__main__":
    print("One current:")
    main(sizes=(5,))
    print("Two currents:")
    main()
