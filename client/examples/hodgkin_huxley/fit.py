"""Finds the three conductances of a Hodgkin-Huxley neuron from five recorded
responses to injected current: fit.yaml in Python.

    python3 client/examples/hodgkin_huxley/fit.py
"""

import pathlib

import numpy as np

from model import EQUATIONS
from somafit import MSEMetric, NevergradOptimizer, TraceFitter
from somafit.units import amp, mV, ms, msiemens, nS, pF, psiemens, usiemens

HERE = pathlib.Path(__file__).parent


def read(name):
    """One row a trace, behind a header and the row's number."""
    return np.loadtxt(HERE / name, delimiter=",", skiprows=1)[:, 1:]


def main(n_rounds=10, n_samples=100):
    # What the equations use and do not define is taken from here.
    Cm = 200 * pF
    El, EK, ENa, VT = -65 * mV, -90 * mV, 50 * mV, -63 * mV
    fitter = TraceFitter(
        dt=0.01 * ms, model=EQUATIONS, method="exponential_euler",
        input={"I": read("input.csv") * amp},
        output={"v": read("output.csv") * mV},
        param_init={"v": -65 * mV}, n_samples=n_samples, seed=1)
    best, error = fitter.fit(
        n_rounds=n_rounds, optimizer=NevergradOptimizer("DE"), metric=MSEMetric(),
        gl=[2 * psiemens, 200 * nS], g_na=[200 * nS, 0.4 * msiemens],
        g_kd=[200 * nS, 200 * usiemens])
    print(f"Found {best}, error {error}")
    return fitter


if __name__ == "__main__":
    main()
