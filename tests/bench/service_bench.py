#!/usr/bin/env python3
"""Rounds and samples a second through a real coordinator and worker.

The model does next to nothing (one trace of two steps), so that what is
measured is the service: draw, commit, lease, report, commit, tell. Durable
(synchronous=FULL), one worker of one thread, 12 parameters, optimizer de.

Usage: SOMAFIT_BIN=build/release/bin tests/bench/service_bench.py
"""

import os
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

from cluster import Cluster  # noqa: E402

PARAMETERS = 12
SIZES = [(30, 200), (100, 200), (1000, 60), (10000, 20)]  # samples, rounds


def spec(directory, samples, rounds):
    (directory / "input.csv").write_text("1,1\n")
    (directory / "output.csv").write_text("0,1\n")
    names = [f"p{k}" for k in range(PARAMETERS)]
    return {
        "model": {
            "equations": f"dv/dt = (I*({' + '.join(names)}) - v)/second : 1\n" +
                         "".join(f"{name} : 1 (constant)\n" for name in names)},
        "data": {"inputs": {"I": {"file": "input.csv", "unit": "1"}},
                 "outputs": {"v": {"file": "output.csv", "unit": "1"}}},
        "dt": "1*ms",
        "parameters": {name: "[-1, 1]" for name in names},
        "n_samples": samples,
        "stop": {"rounds": rounds},
    }


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main():
    print("| samples a round | rounds | rounds/s | samples/s | "
          "server CPU, us a sample | worker CPU, us a sample |")
    print("|---|---|---|---|---|---|")
    for samples, rounds in SIZES:
        with Cluster(lease=30) as cluster:
            cluster.start_server(log_level="warning")
            worker = cluster.start_worker(1)
            while "w0" not in cluster.somafit("workers").stdout:
                time.sleep(0.05)
            before = cpu_seconds(cluster.server.pid), cpu_seconds(worker.pid)
            started = time.monotonic()
            fit = cluster.submit(spec(cluster.directory, samples, rounds))
            while "SUCCEEDED" not in cluster.somafit("show", fit).stdout:
                time.sleep(0.02)
            wall = time.monotonic() - started
            total = samples * rounds
            server = (cpu_seconds(cluster.server.pid) - before[0]) / total * 1e6
            busy = (cpu_seconds(worker.pid) - before[1]) / total * 1e6
            print(f"| {samples} | {rounds} | {rounds / wall:.1f} | "
                  f"{total / wall:.0f} | {server:.1f} | {busy:.1f} |", flush=True)


if __name__ == "__main__":
    main()
