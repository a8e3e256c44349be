#!/usr/bin/env python3
"""Native kernels through the real programs: the interpreter's bytes."""
import unittest

from cluster import EXAMPLE, Cluster, main, rows, small_spec


class KernelTest(unittest.TestCase):
    def test_the_example_has_the_interpreters_bytes(self):
        tables = {}
        for kernel in ("native", "interpreter"):
            with Cluster() as cluster:
                cluster.start_server()
                cluster.start_worker(threads=2, kernel=kernel)
                fit = cluster.somafit("submit", EXAMPLE, "--set",
                                      "stop.rounds=4").stdout.strip()
                cluster.somafit("watch", fit)
                tables[kernel] = cluster.csv(fit)
        self.assertEqual(len(rows(tables["native"])), 400)
        self.assertEqual(tables["native"], tables["interpreter"])

    def test_a_solver_has_the_interpreters_bytes(self):
        tables = {}
        for kernel in ("native", "interpreter"):
            with Cluster() as cluster:
                cluster.start_server()
                cluster.start_worker(kernel=kernel)
                spec = small_spec(cluster.directory, stop={"rounds": 2})
                spec["model"]["method"] = "rosenbrock4"
                spec["model"]["method_options"] = {"relative_error": "1e-8"}
                fit = cluster.submit(spec)
                cluster.somafit("watch", fit)
                tables[kernel] = cluster.csv(fit)
                drawn = cluster.somafit("generate", fit, "--best", "--output",
                                        "v").stdout
                self.assertGreater(len(drawn.splitlines()), 50)
        self.assertEqual(len(rows(tables["native"])), 40)
        self.assertEqual(tables["native"], tables["interpreter"])

    def test_a_diverged_sample_says_where(self):
        with Cluster() as cluster:
            cluster.start_server()
            cluster.start_worker()
            # Grows by more than 1e4 a step.
            spec = small_spec(cluster.directory, stop={"rounds": 0})
            fit = cluster.submit(spec)
            (cluster.directory / "points.csv").write_text("g\n-1e3\n1e-8\n")
            found = rows(cluster.somafit(
                "evaluate", fit, "--params", "points.csv", "--format",
                "csv").stdout)
            self.assertEqual([row["status"] for row in found],
                             ["nonfinite", "ok"])
            name = fit.removeprefix("fits/")
            reason = cluster.sql(f'select reason from "fit_{name}" '
                                 "order by sample limit 1")
            self.assertRegex(
                reason, r"^v is not within \+-1e50 at step \d+ of trace 0$")


if __name__ == "__main__":
    main()
