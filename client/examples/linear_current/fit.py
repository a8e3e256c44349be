"""A model without differential equations: a current that is linear in the voltage.

    python3 client/examples/linear_current/fit.py
"""

import numpy as np

from somafit import MSEMetric, TraceFitter
from somafit.units import mV, ms, nA, nS

EQUATIONS = """
I = g*(v - E) : amp
g : siemens (constant)
E : volt (constant)
"""


def main(n_rounds=10, n_samples=60):
    # Ten traces of five samples; the first five are flat.
    voltage = np.zeros((10, 5))
    voltage[5:] = [0, 10, 20, 30, 40]
    fitter = TraceFitter(
        dt=0.1 * ms, model=EQUATIONS, input={"v": voltage * mV},
        output={"I": voltage * mV * (10 * nS)}, n_samples=n_samples)
    fitter.fit(n_rounds=n_rounds, metric=MSEMetric(normalization=1 * nA),
               g=[1 * nS, 30 * nS], E=[-20 * mV, 100 * mV])
    print(fitter.results("dataframe").sort_values("error").head())
    return fitter


if __name__ == "__main__":
    main()
