#!/usr/bin/env python3
"""What abandoning saves: CPU time of a worker over a fit that simulates every
sample to its end, and over the same fit with `abandon`, in turn.

The Hodgkin-Huxley example, differential evolution. The first compilation of the
kernel is not counted.

Usage: SOMAFIT_BIN=build/release/bin tests/bench/abandon_bench.py
"""
import os
import pathlib
import statistics
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

from cluster import ROOT, Cluster, rows  # noqa: E402


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1]
    user, system = fields.split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def main():
    example = ROOT / "client/examples/hodgkin_huxley/fit.yaml"
    print("| optimizer | samples a round | rounds | abandoned | CPU without, s | CPU with, s "
          "| times |\n|---|---|---|---|---|---|---|")
    with Cluster(lease=60) as cluster:
        cluster.start_server(log_level="warning")
        worker = cluster.start_worker(1)

        def fit(name, optimizer, samples, rounds, abandon):
            before = cpu_seconds(worker.pid)
            cluster.somafit(
                "submit", example, "--set", f"name={name}",
                "--set", f"optimizer={{name: {optimizer}}}",
                "--set", f"n_samples={samples}",
                "--set", f"stop.rounds={rounds}",
                "--set", f"execution.abandon={'true' if abandon else 'false'}")
            cluster.somafit("watch", name)
            return cpu_seconds(worker.pid) - before

        fit("warm", "de", 30, 2, False)
        fit("warm-too", "de", 300, 2, False)
        for optimizer, samples, rounds in (
                ("de", 30, 100), ("de", 300, 10), ("de", 300, 100),
                ("random", 300, 100)):
            without, with_it, share = [], [], 0
            for k in range(3):
                name = f"{optimizer}{samples}-{rounds}-{k}"
                without.append(fit(name, optimizer, samples, rounds, False))
                with_it.append(fit(
                    name + "a", optimizer, samples, rounds, True))
                full = rows(cluster.csv(name))
                less = rows(cluster.csv(name + "a"))
                same = [row for row in less if row["status"] != "abandoned"]
                assert [row["g_na"] for row in full] == [
                    row["g_na"] for row in less]
                share = 1 - len(same) / len(less)
            a, b = statistics.median(without), statistics.median(with_it)
            print(f"| {optimizer} | {samples} | {rounds} | {100 * share:.0f} % | {a:.2f} | "
                  f"{b:.2f} | {a / b:.2f} |")


if __name__ == "__main__":
    main()
