#!/usr/bin/env python3
"""Noise, spikes and refractoriness through the real programs: the same table
whoever simulates, and the best sample's very noise again."""
import unittest

from cluster import Cluster, main, rows

MODEL = {
    "equations": """
dv/dt = (El - v + g*R*I)/tau + sigma*sqrt(2/tau)*xi : volt (unless refractory)
g : 1
sigma : volt
""",
    "method": "euler",
    "constants": {"El": "-70*mV", "tau": "10*ms", "R": "100*Mohm"},
    "initial_values": {"v": "El + 2*mV*randn()"},
    "threshold": "v > -50*mV",
    "reset": "v = El",
    "refractory": "1*ms + 1*ms*rand()",
}


def noisy_spec(directory):
    """Two traces of 400 steps; the targets are all the resting potential."""
    steps = 400
    (directory / "I.csv").write_text(
        "".join(",".join(["0"] * 20 + [current] * (steps - 20)) + "\n"
                for current in ("0.2", "0.3")))
    (directory / "v.csv").write_text(
        (",".join(["-70"] * steps) + "\n") * 2)
    return {
        "name": "noisy", "model": MODEL, "dt": "0.1*ms",
        "data": {"inputs": {"I": {"file": "I.csv", "unit": "nA"}},
                 "outputs": {"v": {"file": "v.csv", "unit": "mV"}}},
        "parameters": {"g": "[0.2, 2]", "sigma": "[0.1*mV, 3*mV]"},
        "n_samples": 60, "stop": {"rounds": 3}, "seed": 4}


class NoiseTest(unittest.TestCase):
    def table(self, workers, kernel="native", seed=4):
        with Cluster() as cluster:
            cluster.start_server()
            for threads in workers:
                cluster.start_worker(threads=threads, kernel=kernel)
            fit = cluster.submit({**noisy_spec(cluster.directory),
                                  "seed": seed})
            cluster.somafit("watch", fit)
            return cluster.csv(fit)

    def test_the_same_table_whoever_simulates(self):
        table = self.table([1])
        self.assertEqual(len(rows(table)), 180)
        self.assertEqual(table, self.table([1, 2, 3]))
        self.assertEqual(table, self.table([2], kernel="interpreter"))
        self.assertNotEqual(table, self.table([1], seed=5))

    def test_the_best_sample_comes_with_its_noise(self):
        with Cluster() as cluster:
            cluster.start_server()
            cluster.start_worker(threads=2)
            fit = cluster.submit(noisy_spec(cluster.directory))
            cluster.somafit("watch", fit)
            best = min(rows(cluster.csv(fit)),
                       key=lambda row: float(row["total_error"]))
            table = rows(cluster.somafit(
                "generate", fit, "--best", "--output",
                "v,spikes,not_refractory").stdout)
            error = sum((float(row["v"]) + 0.07)**2 for row in table)
            self.assertAlmostEqual(
                error / len(table) / float(best["total_error"]), 1, places=12)
            # Another seed, another path; so has another point.
            (cluster.directory / "points.csv").write_text(
                "g,sigma [mV]\n2,3\n2,3\n")
            two = rows(cluster.somafit(
                "generate", fit, "--params", "points.csv", "--output",
                "v,spikes").stdout)
            half = len(two) // 2
            self.assertNotEqual([row["v"] for row in two[:half]],
                                [row["v"] for row in two[half:]])
            spikes = [k for k, row in enumerate(two[:400])
                      if row["spikes"] == "1"]
            self.assertGreater(len(spikes), 3)
            for spike, following in zip(spikes, spikes[1:]):
                self.assertGreaterEqual(following - spike, 10)
                # Refractory, it stays where the reset has put it.
                self.assertEqual({row["v"] for row in
                                  two[spike + 1:spike + 10]}, {"-0.07"})


if __name__ == "__main__":
    main()
