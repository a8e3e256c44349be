"""What tests of inferences have in common: recordings of a membrane, and the real
programs with a trainer."""
import math
import subprocess
import time

from cluster import Cluster

CONDUCTANCE, CAPACITANCE = 10e-9, 200e-12  # of the recordings


def membrane(current, g, c, steps=50, dt=1e-4, rest=-65e-3):
    """Exponential Euler, which is exact while the current holds."""
    v, trace = rest, []
    for _ in range(steps):
        trace.append(v * 1e3)
        limit = rest + current / g
        v = limit + (v - limit) * math.exp(-dt * g / c)
    return trace


def inference_spec(directory, **changes):
    """A passive membrane, of which two numbers a trace are looked at."""
    currents = (0.1e-9, 0.2e-9)
    (directory / "input.csv").write_text("".join(
        ",".join([f"{current * 1e9}"] * 50) + "\n" for current in currents))
    (directory / "output.csv").write_text("".join(
        ",".join(f"{v:.6f}" for v in membrane(current, CONDUCTANCE, CAPACITANCE))
        + "\n" for current in currents))
    spec = {
        "model": {
            "equations": "dv/dt = (g*(El - v) + I)/C + sigma*xi*sqrt(2/ms) : volt\n"
                         "g : siemens (constant)\nC : farad (constant)\n",
            "constants": {"El": "-65*mV", "sigma": "0.1*mV"},
            "initial_values": {"v": "El"}, "method": "euler"},
        "data": {"inputs": {"I": {"file": "input.csv", "unit": "nA"}},
                 "outputs": {"v": {"file": "output.csv", "unit": "mV"}}},
        "dt": "0.1*ms",
        "parameters": {
            "g": "[1*nS, 30*nS]",
            "C": {"prior": {"name": "log_normal", "options": {
                "median": "250*pF", "sigma_log": "0.3"}}}},
        "n_samples": 600, "stop": {"rounds": 2}, "seed": 7,
        "inference": {
            "features": [
                {"output": "v", "feature": "last"},
                {"output": "v", "feature": "mean",
                 "options": {"t_start": "0.5*ms", "t_end": "2*ms"}}],
            "estimator": {"name": "mdn",
                          "options": {"num_components": 2}},
            "training": {"learning_rate": 2e-3, "stop_after_epochs": 8}}}
    spec.update(changes)
    return spec


def trainers_of(server):
    """Its own trainer, if it has started one."""
    found = subprocess.run(["pgrep", "-P", str(server.pid)],
                           capture_output=True, text=True).stdout.split()
    return [int(pid) for pid in found]


class InferenceCluster(Cluster):
    def wait_until(self, statement, wanted, seconds=120):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.sql(statement) == wanted:
                return
            time.sleep(0.02)
        raise AssertionError(f"{statement} is {self.sql(statement)}")

    def wait_for_end(self, name):
        self.wait_until(f"select state from fits where name='{name}'",
                        "SUCCEEDED")

    def learned(self, name):
        """All that follows from the seed: parameters, features, estimators."""
        number = self.sql(f"select id from fits where name='{name}'")
        return (
            self.sql(f'select sample, round, status, g, C, hex(trace_errors) '
                     f'from "fit_{name}" order by sample'),
            self.sql(f"select round, hex(estimators) from estimators "
                     f"where fit={number} order by round"))
