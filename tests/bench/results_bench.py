#!/usr/bin/env python3
"""A million stored samples: pages, the best, a whole export, a restart.

A fit of 10 rounds of 100 000 samples of 4 parameters is made by a real worker;
then its first page, its best ten and pages in the order of the error are asked
for by the Python package (so the time has its decoding in it), all is written as
CSV and npz by the command line, and the coordinator is killed and started again.

Usage: SOMAFIT_BIN=build/release/bin PYTHONPATH=build/release/python \\
       /usr/bin/python3 tests/bench/results_bench.py
"""
import pathlib
import statistics
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

from cluster import Cluster  # noqa: E402
from somafit import Client  # noqa: E402
from somafit.v1 import fit_service_pb2 as pb  # noqa: E402

ROUNDS, SAMPLES = 10, 100_000


def resident_mib(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return 0


def milliseconds(call, times=7):
    taken = []
    for _ in range(times):
        begin = time.perf_counter()
        call()
        taken.append(1e3 * (time.perf_counter() - begin))
    return statistics.median(taken)


def spec(directory):
    (directory / "input.csv").write_text("1,1\n")
    (directory / "output.csv").write_text("0,1\n")
    names = [f"p{k}" for k in range(4)]
    return {
        "model": {"equations": "dv/dt = (I*({}) - v)/second : 1\n".format(
            " + ".join(names)) + "".join(f"{n} : 1 (constant)\n"
                                         for n in names)},
        "data": {"inputs": {"I": {"file": "input.csv", "unit": "1"}},
                 "outputs": {"v": {"file": "output.csv", "unit": "1"}}},
        "dt": "1*ms", "parameters": {n: "[-1, 1]" for n in names},
        "optimizer": {"name": "random"}, "n_samples": SAMPLES,
        "stop": {"rounds": ROUNDS}}


def main():
    print("| what | value |\n|---|---|")

    def show(what, value):
        print(f"| {what} | {value} |", flush=True)

    with Cluster(lease=30) as cluster:
        cluster.start_server(log_level="warning")
        cluster.start_worker(2)
        begin = time.monotonic()
        fit = cluster.submit(spec(cluster.directory))
        cluster.somafit("watch", fit)
        total = ROUNDS * SAMPLES
        show("samples a second, durable", f"{total / (time.monotonic() - begin):.0f}")
        size = cluster.database.stat().st_size / 1e6
        show("file", f"{size:.0f} MB")
        with Client(cluster.endpoint) as client:
            def page(**more):
                request = pb.ListSamplesRequest(name=fit, stage=0, **more)
                return client.connection.call("ListSamples", request)

            first = page(page_size=1000)
            assert len(first.samples.sample) == 1000
            show("first page, 1000 samples",
                 f"{milliseconds(lambda: page(page_size=1000)):.1f} ms")
            best = {"order_by": "total_error", "page_size": 10}
            show("best ten", f"{milliseconds(lambda: page(**best)):.1f} ms")
            whole = {"order_by": "total_error", "page_size": 1000}
            show("best thousand", f"{milliseconds(lambda: page(**whole)):.1f} ms")
            ranges = [pb.ColumnRange(column="p0", minimum=0.999)]
            show("thousand of those with p0 in 0.1 % of its range",
                 f"{milliseconds(lambda: page(ranges=ranges, page_size=1000), 3):.0f} ms")
        before = resident_mib(cluster.server.pid)
        for kind in ("csv", "npz"):
            begin = time.monotonic()
            cluster.somafit("results", fit, "--format", kind, "-o",
                            f"all.{kind}")
            show(f"all as {kind}", f"{time.monotonic() - begin:.1f} s")
        show("memory of the coordinator, before and after",
             f"{before:.0f}, {resident_mib(cluster.server.pid):.0f} MiB")
        lines = (cluster.directory / "all.csv").read_bytes().count(b"\n")
        assert lines == total + 1, lines
        cluster.kill(cluster.server)
        begin = time.monotonic()
        cluster.start_server(log_level="warning")
        cluster.somafit("show", fit)
        show("start until it answers", f"{time.monotonic() - begin:.2f} s")
        show("memory then", f"{resident_mib(cluster.server.pid):.0f} MiB")


if __name__ == "__main__":
    main()
