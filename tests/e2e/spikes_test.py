#!/usr/bin/env python3
"""Fits to spike trains through the real programs, alone and beside traces."""
import math
import unittest

from cluster import Cluster, main, rows, write_spec

STEPS, DT = 1500, 1e-4


def waves(mean, size, period):
    """Below 0 at times, so that the potential has a minimum of its own."""
    return [mean + size * math.sin(2 * math.pi * k / period)
            for k in range(STEPS)]


# The second leaves the neuron silent.
CURRENTS = (waves(0.6e-9, 0.9e-9, 700), waves(0.1e-9, 0.15e-9, 300),
            waves(0.8e-9, 0.6e-9, 370))


def simulate(resistance, current):
    """A leaky integrate-and-fire neuron by Euler's method: spike times [s] and
    the potential before each step."""
    v, times, trace = -0.07, [], []
    for step in range(STEPS):
        trace.append(v)
        v += DT * (-0.07 - v + resistance * current[step]) / 0.01
        if v > -0.05:
            times.append(step * DT)
            v = -0.07
    return times, trace


def spec(directory, **changes):
    directory.mkdir(exist_ok=True)
    trains = [simulate(40e6, current) for current in CURRENTS]
    (directory / "input.csv").write_text("".join(
        ",".join(map(repr, current)) + "\n" for current in CURRENTS))
    # As long as there are spikes; none is "nan".
    (directory / "spikes.csv").write_text("".join(
        (",".join(f"{1e3 * t:.6f}" for t in times) or "nan") + "\n"
        for times, _ in trains))
    (directory / "v.csv").write_text("".join(
        ",".join(map(repr, trace)) + "\n" for _, trace in trains))
    fit = {
        "model": {
            "equations": "dv/dt = (El - v + R*I)/tau : volt\nR : ohm\n",
            "constants": {"El": "-70*mV", "tau": "10*ms"},
            "initial_values": {"v": "El"},
            "threshold": "v > -50*mV", "reset": "v = El", "method": "euler"},
        "data": {
            "inputs": {"I": {"file": "input.csv", "unit": "amp"}},
            "outputs": {"spikes": {"file": "spikes.csv", "unit": "ms"}}},
        "dt": "0.1*ms",
        "parameters": {"R": "[10*Mohm, 80*Mohm]"},
        "n_samples": 30, "stop": {"rounds": 8}, "seed": 3}
    fit.update(changes)
    return fit


def evaluate(cluster, fit, points):
    (cluster.directory / "points.csv").write_text(
        "R\n" + "".join(f"{point!r}\n" for point in points))
    return rows(cluster.somafit("evaluate", fit, "--params", "points.csv",
                                "--format", "csv").stdout)


class SpikesTest(unittest.TestCase):
    def test_a_fit_finds_the_resistance(self):
        with Cluster() as cluster:
            cluster.start_server()
            cluster.start_worker()
            fit = cluster.submit(spec(cluster.directory))
            cluster.somafit("watch", fit)
            table = rows(cluster.csv(fit))
            self.assertEqual(len(table), 240)
            self.assertEqual({row["status"] for row in table}, {"ok"})
            best = min(table, key=lambda row: float(row["total_error"]))
            self.assertAlmostEqual(float(best["R"]), 40e6, delta=2e6)
            true, silent = evaluate(cluster, fit, [40e6, 11e6])
            self.assertEqual(float(true["total_error"]), 0)
            # By hand: 3 + 4 delta r / (1 - 2 delta r) of each that should
            # spike, 0 of the silent one.
            rates = [len(simulate(40e6, i)[0]) / (STEPS * DT) for i in CURRENTS]
            by_hand = sum(3 + 0.008 * r / (1 - 0.004 * r)
                          for r in rates if r > 0) / 3
            self.assertAlmostEqual(float(silent["total_error"]), by_hand, 9)

    def test_every_metric_of_spikes_and_traces_runs(self):
        names = {
            "spikes": ["gamma_factor", "van_rossum", "victor_purpura",
                       "spike_count", "spike_rate", "spike_latency",
                       "isi_mean", "isi_cv"],
            "v": ["mse", "rmse", "mae", "correlation", "cosine", "max", "min",
                  "mean", "median", "std", "kurtosis", "quantile"]}
        with Cluster() as cluster:
            cluster.start_server()
            cluster.start_worker(threads=2)
            shown = cluster.somafit("describe", "metrics").stdout
            for output, metrics in names.items():
                for name in metrics + (["huber"] if output == "v" else []):
                    self.assertIn(name, shown)
                    metric = {"metric": name}
                    if name == "huber":
                        metric["options"] = {"delta": "1*mV"}
                    unit = {"spikes": "ms", "v": "volt"}[output]
                    fit = cluster.submit(spec(
                        cluster.directory, stop={"rounds": 0},
                        metrics={output: metric},
                        data={"inputs": {"I": {"file": "input.csv",
                                               "unit": "amp"}},
                              "outputs": {output: {"file": f"{output}.csv",
                                                   "unit": unit}}}))
                    true, other = evaluate(cluster, fit, [40e6, 47e6])
                    with self.subTest(name):
                        self.assertLess(abs(float(true["total_error"])), 1e-9)
                        self.assertGreater(float(other["total_error"]), 1e-9)

    def test_spikes_beside_a_trace(self):
        with Cluster() as cluster:
            cluster.start_server()
            cluster.start_worker()
            both = spec(
                cluster.directory, stop={"rounds": 0},
                metrics={"v": {"metric": "mse",
                               "options": {"normalization": "10*mV"}},
                         "spikes": {"metric": "van_rossum",
                                    "options": {"tau": "5*ms",
                                                "normalization": "4"}}})
            both["data"]["outputs"]["v"] = {"file": "v.csv", "unit": "volt"}
            fit = cluster.submit(both)
            row, = evaluate(cluster, fit, [44e6])
            self.assertAlmostEqual(
                float(row["total_error"]),
                float(row["v_error"]) / 1e-4 + float(row["spikes_error"]) / 4,
                12)

    def test_mistakes_are_said(self):
        with Cluster() as cluster:
            cluster.start_server()
            good = spec(cluster.directory)
            (cluster.directory / "late.csv").write_text("1,2\nnan\n151\n")
            (cluster.directory / "short.csv").write_text("1,2\n3\n")
            (cluster.directory / "text.csv").write_text("1,2\nx\n3\n")
            outputs = good["data"]["outputs"]
            model = {key: text for key, text in good["model"].items()
                     if key not in ("threshold", "reset")}
            for said, changes in {
                "but lasts from 0 to 0.15": {"file": "late.csv"},
                "2 traces": {"file": "short.csv"},
                'text.csv:2:1: "x" is not a time': {"file": "text.csv"},
                "has no unit": {"unit": ""},
            }.items():
                wrong = spec(cluster.directory)
                wrong["data"]["outputs"]["spikes"].update(changes)
                self.refused(cluster, wrong, said)
            self.refused(cluster, dict(good, model=model), "no threshold")
            self.refused(cluster, dict(good, metrics={"spikes": "mse"}),
                         "compares a trace, not spikes")
            self.refused(
                cluster, dict(good, metrics={"spikes": {
                    "metric": "gamma_factor", "options": {"delta": "20*ms"}}}),
                "too long for a train")
            alone = dict(good, data={"outputs": outputs})
            self.refused(cluster, alone, "how long a trace is")

    def refused(self, cluster, fit, said):
        done = cluster.somafit(
            "submit", write_spec(cluster.directory / "fit.yaml", fit),
            check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn(said, done.stderr)


if __name__ == "__main__":
    main()
