#!/usr/bin/env python3
"""The Hodgkin-Huxley example through a real coordinator and worker, beside what
the same simulation code does without them.

One worker of one thread, 10 000 samples a round, 3 rounds. Neuron-steps a
second of wall time, from the fit's creation to its end and round by round;
batch_bench's, of CPU time, before and after; the worker's CPU time; memory.
Then `somafit run` of the example: time to its first round, and in whole.

Usage: SOMAFIT_BIN=build/release/bin tests/bench/round_bench.py [repeats]
"""

import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from cluster import BIN, EXAMPLE, Cluster  # noqa: E402
from service_bench import cpu_seconds  # noqa: E402

SAMPLES = 10_000
ROUNDS = 3


def kernel():
    """Neuron-steps of a round, and the median rate."""
    printed = subprocess.run([BIN / "batch_bench", EXAMPLE, str(SAMPLES), "1"],
                             capture_output=True, text=True, check=True).stdout
    numbers = dict(line.split() for line in printed.splitlines())
    return float(numbers["neuron_steps"]), float(numbers["median"])


def peak_mib(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise AssertionError("no VmHWM")


def service():
    """Seconds of each round and from creation to end, CPU seconds of worker and
    coordinator, MiB of both."""
    with Cluster(lease=30) as cluster:
        cluster.start_server(log_level="warning")
        worker = cluster.start_worker(1)
        while "w0" not in cluster.somafit("workers").stdout:
            time.sleep(0.05)
        pids = worker.pid, cluster.server.pid
        before = [cpu_seconds(pid) for pid in pids]
        fit = cluster.somafit(
            "submit", EXAMPLE, "--set", f"n_samples={SAMPLES}",
            "--set", f"stop.rounds={ROUNDS}").stdout.strip()
        # Asking is work too: seldom.
        while "SUCCEEDED" not in cluster.somafit("show", fit).stdout:
            time.sleep(0.5)
        cpu = [cpu_seconds(pid) - was for pid, was in zip(pids, before)]
        memory = [peak_mib(pid) for pid in pids]
        created = int(cluster.sql("select create_time_us from fits"))
        ends = [int(end) for end in cluster.sql(
            "select time_us from events where kind='round' order by seq").split()]
        assert len(ends) == ROUNDS
        seconds = [(end - begin) / 1e6
                   for begin, end in zip([created, *ends], ends)]
        return seconds, cpu, memory


def run_example():
    """Seconds from the start to the first round, and to the end."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="somafit-bench-"))
    try:
        shutil.copytree(EXAMPLE.parent, folder / "example")
        begin = time.monotonic()
        process = subprocess.Popen(
            [BIN / "somafit", "run", folder / "example" / EXAMPLE.name],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        first = None
        for line in process.stdout:
            if first is None and line.startswith("Round 0"):
                first = time.monotonic() - begin
        assert process.wait() == 0 and first is not None
        return first, time.monotonic() - begin
    finally:
        shutil.rmtree(folder)


def main():
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    print("| kernel, M/s | service, M/s | of the kernel | rounds, M/s | "
          "worker CPU, s | server CPU, s | worker, MiB | server, MiB |")
    print("|---|---|---|---|---|---|---|---|")
    shares = []
    for _ in range(repeats):
        steps, before = kernel()
        seconds, cpu, memory = service()
        _, after = kernel()
        rate = ROUNDS * steps / sum(seconds)
        beside = (before + after) / 2
        shares.append(rate / beside)
        rounds = ", ".join(f"{steps / one / 1e6:.1f}" for one in seconds)
        print(f"| {beside / 1e6:.1f} | {rate / 1e6:.1f} | {shares[-1]:.0%} | "
              f"{rounds} | {cpu[0]:.2f} | {cpu[1]:.2f} | {memory[0]:.0f} | "
              f"{memory[1]:.0f} |", flush=True)
    # What a shared machine gives changes from second to second.
    print(f"\nMedian: {statistics.median(shares):.0%} of the kernel's rate")
    print("\n| `somafit run` of the example: first round, s | in whole, s |")
    print("|---|---|")
    for _ in range(repeats):
        first, whole = run_example()
        print(f"| {first:.2f} | {whole:.2f} |", flush=True)


if __name__ == "__main__":
    main()
