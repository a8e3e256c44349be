"""The class for one output whose traces need not be kept.

    python3 client/examples/hodgkin_huxley/online.py
"""

from model import BOUNDS, DT, EK, ENa, El, FREE_CAPACITANCE, VT, record, steps
from somafit import OnlineTraceFitter
from somafit.units import mV, ms


def main(n_rounds=10, n_samples=40):
    current = steps([10, 2], 15 * ms, 5 * ms, 10 * ms)
    fitter = OnlineTraceFitter(
        dt=DT, model=FREE_CAPACITANCE, method="exponential_euler",
        input={"I": current}, output=record(current, ["v"], noise=1 * mV),
        param_init={"v": El}, n_samples=n_samples, t_start=5 * ms)
    best, error = fitter.fit(n_rounds=n_rounds, **BOUNDS)
    print(f"Found {best}, error {error}")
    return fitter


if __name__ == "__main__":
    main()
