"""Four unknowns, the capacitance among them, and an error that leaves out the first
5 ms. The recordings are made here, with noise of 1 mV.

    python3 client/examples/hodgkin_huxley/capacitance.py
"""

from model import BOUNDS, DT, EK, ENa, El, FREE_CAPACITANCE, TRUTH, VT, record, steps
from somafit import MSEMetric, TraceFitter
from somafit.units import mV, ms


def main(n_rounds=15, n_samples=100):
    current = steps([10, 2, 0.5, 0.2], 15 * ms, 5 * ms, 10 * ms)
    fitter = TraceFitter(
        dt=DT, model=FREE_CAPACITANCE, method="exponential_euler",
        input={"I": current}, output=record(current, ["v"], noise=1 * mV),
        param_init={"v": El}, n_samples=n_samples)
    fitter.fit(n_rounds=n_rounds, metric=MSEMetric(t_start=5 * ms),
               callback="progressbar", **BOUNDS)
    for name, value in fitter.best_params.items():
        print(f"{name}: {value}, true {TRUTH[name]}")
    # Whole traces at what was found, and the errors of all samples.
    print(fitter.generate_traces().shape, len(fitter.results("dataframe")))
    return fitter


if __name__ == "__main__":
    main()
