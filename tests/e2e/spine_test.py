"""What a person does, through the real programs."""

import json
import os
import signal
import subprocess
import time
import unittest

from cluster import (BIN, EXAMPLE, Cluster, main, rows, small_spec, write_spec)


class SpineTest(unittest.TestCase):

    def test_the_example_by_hand(self):
        with Cluster() as cluster:
            cluster.start_server()
            self.assertEqual(cluster.endpoint.stat().st_mode & 0o777, 0o600)
            cluster.start_worker()
            fit = cluster.somafit("submit", EXAMPLE).stdout.strip()
            self.assertRegex(fit, r"^fits/[a-z][a-z0-9_-]*$")
            watched = cluster.somafit("watch", fit).stdout
            self.assertIn("nS", watched)
            self.assertIn("mV^2", watched)
            found = rows(cluster.csv(fit))
            self.assertEqual(len(found), 1000)
            self.assertEqual(list(found[0])[:4],
                             ["sample", "stage", "round", "status"])
            self.assertEqual(list(found[0])[-2:], ["total_error", "v_error"])
            self.assertEqual([int(row["sample"]) for row in found],
                             list(range(1000)))
            # The stored fit is plain.
            name = fit.removeprefix("fits/")
            best = cluster.sql(f'select g_na, gl, total_error from "fit_{name}" '
                               "order by total_error limit 3").split("\n")
            self.assertEqual(len(best), 3)
            self.assertAlmostEqual(float(best[0].split("|")[2]),
                                   min(float(r["total_error"]) for r in found))
            for format in ("table", "json"):
                for units in ([], ["--no-units"]):
                    text = cluster.somafit("results", fit, "--format", format,
                                           *units).stdout
                    if format == "json":
                        json.loads(text)
                    self.assertIn("g_na", text)
            self.assertIn(name, cluster.somafit("list").stdout)
            self.assertIn("SUCCEEDED", cluster.somafit("show", name).stdout)
            self.assertIn("w0", cluster.somafit("workers").stdout)

    def test_pause_resume_cancel_delete(self):
        with Cluster() as cluster:
            cluster.start_server()
            spec = small_spec(cluster.directory, stop={"rounds": 100000})
            fit = cluster.submit(spec)
            cluster.start_worker()
            time.sleep(0.5)
            cluster.somafit("pause", fit)
            time.sleep(0.3)
            first = cluster.csv(fit)
            time.sleep(0.3)
            self.assertEqual(cluster.csv(fit), first)
            refused = cluster.somafit("pause", fit, check=False)
            self.assertNotEqual(refused.returncode, 0)
            self.assertIn("PAUSED", refused.stderr)
            cluster.somafit("resume", fit)
            time.sleep(0.5)
            self.assertGreater(len(cluster.csv(fit)), len(first))
            refused = cluster.somafit("delete", fit, "--yes", check=False)
            self.assertNotEqual(refused.returncode, 0)
            cluster.somafit("cancel", fit)
            self.assertIn("CANCELLED", cluster.somafit("show", fit).stdout)
            cluster.somafit("delete", fit, "--yes")
            gone = cluster.somafit("show", fit, check=False)
            self.assertNotEqual(gone.returncode, 0)
            self.assertIn(fit, gone.stderr)
            self.assertEqual(
                cluster.sql("select count(*) from sqlite_master "
                            "where name like 'fit\\_%' escape '\\'"), "0")

    def test_evaluations_are_exact_and_targets_end_a_fit(self):
        with Cluster() as cluster:
            cluster.start_server()
            cluster.start_worker()
            fit = cluster.submit(small_spec(cluster.directory,
                                            stop={"evaluations": 47}))
            cluster.somafit("watch", fit)
            self.assertEqual(len(rows(cluster.csv(fit))), 47)
            fit = cluster.submit(small_spec(
                cluster.directory,
                stop={"rounds": 1000, "target": "1*volt**2"}))
            cluster.somafit("watch", fit)
            self.assertEqual(len(rows(cluster.csv(fit))), 20)
            fit = cluster.submit(small_spec(
                cluster.directory, stop={"time": "1*second"}))
            started = time.monotonic()
            cluster.somafit("watch", fit)
            self.assertLess(time.monotonic() - started, 10)
            self.assertIn("TIME", cluster.somafit("show", fit).stdout)

    def test_missing_points_and_weights(self):
        with Cluster() as cluster:
            cluster.start_server()
            cluster.start_worker()
            (cluster.directory / "points.csv").write_text("g\n1e-8\n3e-8\n")

            def errors(spec):
                fit = cluster.submit({**spec, "stop": {"rounds": 0}})
                return [float(row["total_error"]) for row in rows(
                    cluster.somafit("evaluate", fit, "--params", "points.csv",
                                    "--format", "csv").stdout)]

            plain = small_spec(cluster.directory)
            normalized = {**plain, "metrics": {"v": {
                "metric": "mse", "options": {"normalization": "1*mV"}}}}
            for a, b in zip(errors(plain), errors(normalized)):
                self.assertAlmostEqual(a * 1e6, b, delta=1e-9 * b)
            window = {**plain, "metrics": {"v": {"metric": "mse", "options": {
                "t_start": "2*ms"}}}}
            weights = {**plain, "metrics": {"v": {
                "metric": "mse", "t_weights": [0] * 20 + [3] * 30}}}
            windowed = errors(window)
            for a, b in zip(windowed, errors(weights)):
                self.assertAlmostEqual(a, b, delta=1e-12 * b)
            masked = small_spec(cluster.directory)
            (cluster.directory / "output.csv").write_text(
                ",".join(["nan"] * 20 + ["-60"] * 30) + "\n" +
                ",".join([""] * 20 + ["-58"] * 30) + "\n")
            for a, b in zip(windowed, errors(masked)):
                self.assertAlmostEqual(a, b, delta=1e-12 * b)

    def test_what_looks_like_a_mistake_is_said(self):
        with Cluster() as cluster:
            cluster.start_server()
            spec = small_spec(cluster.directory)
            spec["model"]["constants"]["g"] = "5*nS"
            path = write_spec(cluster.directory / "fit.yaml", spec)
            done = cluster.somafit("submit", path)
            self.assertIn("W_SHADOW", done.stderr)
            self.assertRegex(done.stdout, r"^fits/\S+\n$")

    def test_embedded_run(self):
        with Cluster() as cluster:
            # Same fit, same seed: embedded, and with a server of its own.
            spec = small_spec(cluster.directory)
            path = write_spec(cluster.directory / "fit.yaml", spec)
            environment = {k: v for k, v in os.environ.items()
                           if k != "SOMAFIT_ENDPOINT"}
            done = subprocess.run(
                [BIN / "somafit", "run", path, "--db", "own.db", "--results",
                 "own.csv", "--workers", "2"], cwd=cluster.directory,
                env=environment, capture_output=True, text=True, timeout=120)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn("own.db", done.stdout)
            cluster.start_server()
            cluster.start_worker()
            fit = cluster.submit(spec)
            cluster.somafit("watch", fit)
            self.assertEqual((cluster.directory / "own.csv").read_text(),
                             cluster.csv(fit))
            left = subprocess.run(["pgrep", "-f", "own.db"],
                                  capture_output=True, text=True).stdout
            self.assertEqual(left, "")

    def test_killed_run_leaves_no_process(self):
        with Cluster() as cluster:
            spec = small_spec(cluster.directory, stop={"rounds": 1000000})
            path = write_spec(cluster.directory / "fit.yaml", spec)
            run = subprocess.Popen(
                [BIN / "somafit", "run", path, "--db", "killed.db"],
                cwd=cluster.directory, stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL)
            time.sleep(1.5)
            run.send_signal(signal.SIGKILL)
            run.wait()
            deadline = time.monotonic() + 15
            while time.monotonic() < deadline:
                left = subprocess.run(["pgrep", "-f", "killed.db"],
                                      capture_output=True).returncode == 0
                if not left:
                    return
                time.sleep(0.2)
            self.fail("the coordinator outlived its run")


if __name__ == "__main__":
    main()
