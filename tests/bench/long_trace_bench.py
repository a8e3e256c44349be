#!/usr/bin/env python3
"""Memory of a worker for long traces: errors are added up while it simulates, so
it holds the recordings and a chunk of each block, whatever the samples.

A membrane with a spike threshold, a trace of STEPS steps, mean squared error from
a t_start on; the worker's largest resident memory for several numbers of
samples, each in a worker of its own.

Usage: SOMAFIT_BIN=build/release/bin tests/bench/long_trace_bench.py [STEPS]
"""
import math
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

from cluster import Cluster, rows  # noqa: E402


def largest_mib(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    return 0


def spec(samples):
    return {
        "model": {
            "equations": "dv/dt = (El - v + R*I)/tau : volt\nR : ohm\n"
                         "tau : second\n",
            "constants": {"El": "-70*mV"}, "initial_values": {"v": "El"},
            "threshold": "v > -40*mV", "reset": "v = El", "method": "euler"},
        "data": {"inputs": {"I": {"file": "input.csv", "unit": "nA"}},
                 "outputs": {"v": {"file": "output.csv", "unit": "mV"}}},
        "dt": "0.1*ms",
        "parameters": {"R": "[10*Mohm, 80*Mohm]", "tau": "[5*ms, 50*ms]"},
        "metrics": {"v": {"metric": "mse", "options": {"t_start": "100*ms"}}},
        "n_samples": samples, "stop": {"rounds": 1}}


def main():
    steps = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    print("| steps | samples | worker's largest memory, MiB | seconds |\n"
          "|---|---|---|---|")
    with Cluster(lease=60) as cluster:
        cluster.start_server(log_level="warning")
        (cluster.directory / "input.csv").write_text(",".join(
            f"{0.4 + 0.3 * math.sin(k / 3000):.4f}" for k in range(steps)))
        (cluster.directory / "output.csv").write_text(",".join(
            f"{-60 + 8 * math.sin(k / 3000):.4f}" for k in range(steps)))
        for samples in (10, 100, 1000):
            worker = cluster.start_worker(2)
            begin = time.monotonic()
            fit = cluster.submit(spec(samples))
            cluster.somafit("watch", fit)
            taken = time.monotonic() - begin
            table = rows(cluster.csv(fit))
            assert len(table) == samples
            assert {row["status"] for row in table} == {"ok"}
            print(f"| {steps} | {samples} | {largest_mib(worker.pid):.0f} | "
                  f"{taken:.1f} |", flush=True)
            cluster.kill(worker)


if __name__ == "__main__":
    main()
