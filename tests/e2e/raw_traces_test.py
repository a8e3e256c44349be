#!/usr/bin/env python3
"""Inference from raw traces through the real programs: the same bits with any
workers and whatever is killed, embeddings of layers and of TorchScript."""
import signal
import subprocess
import time
import unittest

from cluster import BIN, EXAMPLE, main, rows, write_spec
from inference_cluster import CONDUCTANCE, InferenceCluster, inference_spec, membrane


def raw_spec(directory, **changes):
    """The same, learned from the traces as they are."""
    spec = inference_spec(directory, name="raw", n_samples=300)
    spec["inference"]["features"] = {"v": {"feature": "trace",
                                           "options": {"t_start": "0.5*ms"}}}
    spec["inference"]["training"] = {"learning_rate": 2e-3, "max_num_epochs": 6}
    spec.update(changes)
    return spec


class RawTracesTest(unittest.TestCase):
    """The membrane's posterior from the traces themselves."""

    def files(self, cluster):
        folder = cluster.directory / "fits.db.blobs"
        return sorted(each.name for each in folder.iterdir())

    def learned(self, cluster):
        cluster.somafit("results", "raw", "--format", "npz", "-o", "all.npz")
        content = (cluster.directory / "all.npz").read_bytes()
        (cluster.directory / "all.npz").unlink()
        number = cluster.sql("select id from fits where name='raw'")
        return content, cluster.sql(
            f"select round, hex(estimators) from estimators where fit={number}")

    def run_one(self, server="", worker="", workers=1):
        with InferenceCluster(lease=1) as cluster:
            process = cluster.start_server("--no-trainer", faults=server)
            cluster.submit(raw_spec(cluster.directory))
            crew = [cluster.start_worker(faults=worker)] + [
                cluster.start_worker() for _ in range(workers - 1)]
            cluster.start_trainer()
            deaths = 0
            deadline = time.monotonic() + 120
            while cluster.sql("select state from fits") != "SUCCEEDED":
                self.assertLess(time.monotonic(), deadline)
                if process.poll() is not None:
                    deaths += 1
                    process = cluster.start_server("--no-trainer",
                                                   listen=cluster.address())
                for i, each in enumerate(crew):
                    if each.poll() is not None:
                        deaths += 1
                        crew[i] = cluster.start_worker()
                time.sleep(0.02)
            learned = self.learned(cluster)
            # What a crash left behind goes at the next start.
            cluster.kill(process, signal.SIGTERM)
            cluster.start_server("--no-trainer", listen=cluster.address())
            named = cluster.sql("select hash from raw_files order by hash")
            self.assertEqual(self.files(cluster), named.splitlines())
            self.assertEqual(self.learned(cluster), learned)
            cluster.somafit("delete", "raw", "--yes")
            self.assertEqual(self.files(cluster), [])
            return learned, deaths

    def test_any_workers_and_kills(self):
        wanted, deaths = self.run_one()
        self.assertEqual(deaths, 0)
        self.assertEqual(len(wanted[1].splitlines()), 2)
        self.assertIn(b"'<f4'", wanted[0])
        self.assertIn(b"(600, 90)", wanted[0])
        self.assertEqual(self.run_one(workers=3)[0], wanted)
        for who, point, times in (
                ("server", "raw_file_written", (1, 4)),
                ("server", "before_commit", (3,)),
                ("server", "reported_not_told", (2,)),
                ("worker", "worker_before_report", (2,))):
            for n in times:
                with self.subTest(who=who, point=point, n=n):
                    learned, deaths = self.run_one(
                        workers=2, **{who: f"{point}:crash:{n}"})
                    self.assertEqual(deaths, 1)
                    self.assertEqual(learned, wanted)

    def test_the_truth_is_in_the_posterior(self):
        """By convolutions over both traces, which are channels."""
        with InferenceCluster(lease=5) as cluster:
            cluster.start_server()
            cluster.start_worker(threads=2)
            spec = raw_spec(cluster.directory, n_samples=1500,
                            stop={"rounds": 1})
            del spec["inference"]["features"]
            spec["inference"]["estimator"] = {
                "name": "mdn", "options": {"num_components": 2},
                "input_shape": [2, 50],
                "embedding": [{"kind": "conv1d", "size": 6},
                              {"kind": "conv1d", "size": 8},
                              {"kind": "fully_connected", "size": 10}]}
            spec["inference"]["training"] = {"learning_rate": 2e-3,
                                             "training_batch_size": 50,
                                             "max_num_epochs": 60}
            cluster.submit(spec)
            cluster.wait_for_end("raw")
            shown = cluster.somafit("posterior", "raw").stdout
            self.assertRegex(shown, r"v +1 +50 +0 +1")
            cluster.somafit("sample", "raw", "-n", 2000, "-o", "draws.csv")
            draws = rows((cluster.directory / "draws.csv").read_text())
            values = sorted(float(row["g [siemens]"]) for row in draws)
            self.assertLess(values[200], CONDUCTANCE)
            self.assertGreater(values[-200], CONDUCTANCE)
            self.assertLess(abs(values[1000] - CONDUCTANCE), 4e-9)
            # Narrower than the prior, where it is 0.8 of the width.
            self.assertLess(values[-200] - values[200], 29e-9 * 0.55)
            head = cluster.somafit("results", "raw", "--format", "csv",
                                   "--limit", 1).stdout.splitlines()[0]
            self.assertTrue(head.endswith(",v[1][48],v[1][49]"), head[-60:])
            # The traces of its file are what the trainer would be given.
            victim = self.files(cluster)[0]
            path = cluster.directory / "fits.db.blobs" / victim
            path.write_bytes(path.read_bytes()[:-1] + b"x")
            refused = cluster.somafit("results", "raw", "--format", "npz", "-o",
                                      "all.npz", check=False)
            self.assertNotEqual(refused.returncode, 0)
            self.assertIn("is damaged", refused.stderr)


    def test_the_example(self):
        with InferenceCluster() as cluster:
            told = cluster.somafit(
                "run", EXAMPLE.parent / "raw_traces.yaml", "--db",
                cluster.directory / "raw.db", "--workers", 1, "--set",
                "n_samples=200", "--set", "inference.training.max_num_epochs=3"
                ).stdout
            self.assertIn("The posterior, of ", told)
            self.assertIn("g_na", told)


class ScriptTest(unittest.TestCase):
    """An embedding that is a TorchScript module: run only where that is allowed."""

    def spec(self, cluster, module):
        spec = raw_spec(cluster.directory, name="raw", stop={"rounds": 1})
        spec["inference"]["estimator"] = {
            "name": "mdn", "options": {"num_components": 2,
                                       "torch_script": module}}
        spec["execution"] = {"max_attempts": 1}
        return spec

    def make(self, cluster, n_in):
        subprocess.run([BIN / "make_script_module", str(n_in), "6",
                        cluster.directory / "net.pt"], check=True)

    def test_it_is_trained(self):
        with InferenceCluster(lease=5) as cluster:
            cluster.start_server("--allow-torchscript")
            cluster.start_worker(threads=2)
            self.make(cluster, 90)
            cluster.submit(self.spec(cluster, "net.pt"))
            cluster.wait_for_end("raw")
            cluster.somafit("sample", "raw", "-n", 100, "-o", "draws.csv")
            # Of another width.
            self.make(cluster, 7)
            spec = self.spec(cluster, "net.pt")
            cluster.submit({**spec, "name": "other"})
            cluster.wait_until("select state from fits where name='other'",
                               "PAUSED")
            self.assertIn("shape [n x 90]", cluster.sql(
                "select reason from fits where name='other'"))

    def test_it_is_refused(self):
        with InferenceCluster(lease=5) as cluster:
            server = cluster.start_server("--no-trainer")
            self.make(cluster, 90)
            path = write_spec(cluster.directory / "fit.yaml",
                              self.spec(cluster, "net.pt"))
            refused = cluster.somafit("submit", path, check=False)
            self.assertNotEqual(refused.returncode, 0)
            self.assertIn("--allow-torchscript", refused.stderr)
            path = write_spec(cluster.directory / "fit.yaml",
                              self.spec(cluster, "lost.pt"))
            refused = cluster.somafit("submit", path, check=False)
            self.assertIn("lost.pt", refused.stderr)
            # Where the coordinator allows it, a trainer still may not.
            cluster.kill(server, signal.SIGTERM)
            cluster.start_server("--no-trainer", "--allow-torchscript",
                                 listen=cluster.address())
            path = write_spec(cluster.directory / "fit.yaml",
                              self.spec(cluster, "0" * 64))
            refused = cluster.somafit("submit", path, check=False)
            self.assertIn("upload it first", refused.stderr)
            cluster.start_worker(threads=2)
            cluster.start_trainer()
            cluster.submit(self.spec(cluster, "net.pt"))
            cluster.wait_until("select state from fits", "PAUSED")
            self.assertIn("--allow-torchscript",
                          cluster.sql("select reason from fits"))


if __name__ == "__main__":
    main()
