#!/usr/bin/env python3
"""Inference through the real programs: from recordings over rounds of a prior,
workers and a trainer to a posterior; the same bits with any workers and whatever
is killed; mistakes."""
import json
import os
import signal
import time
import unittest

from cluster import main, rows, write_spec
from inference_cluster import (CAPACITANCE, CONDUCTANCE, InferenceCluster,
                               inference_spec, trainers_of)


class PosteriorTest(unittest.TestCase):
    def test_the_truth_is_in_the_posterior(self):
        with InferenceCluster(lease=5) as cluster:
            cluster.start_server()
            cluster.start_worker(threads=2)
            cluster.submit(inference_spec(cluster.directory, name="inf"))
            cluster.wait_for_end("inf")
            cluster.somafit("sample", "inf", "-n", 4000, "--seed", 3, "-o",
                            "draws.csv")
            draws = rows((cluster.directory / "draws.csv").read_text())
            self.assertEqual(len(draws), 4000)
            for column, truth, width in (
                    ("g [siemens]", CONDUCTANCE, 29e-9 * 0.8),
                    ("C [farad]", CAPACITANCE, 250e-12 * 0.6)):
                values = sorted(float(row[column]) for row in draws)
                self.assertLess(values[100], truth)
                self.assertGreater(values[-100], truth)
                # Narrower than the prior.
                self.assertLess(values[-100] - values[100], width)
            # The first of more draws are the same.
            cluster.somafit("sample", "inf", "-n", 50, "--seed", 3, "-o",
                            "few.csv")
            self.assertEqual(
                rows((cluster.directory / "few.csv").read_text()), draws[:50])
            # Other samplers draw from the same posterior.
            for sampler in ("rejection", "importance"):
                cluster.somafit("sample", "inf", "-n", 2000, "--sample-with", sampler,
                                "--oversampling-factor", 100, "-o", sampler + ".csv")
                column = [float(row["g [siemens]"]) for row in rows(
                    (cluster.directory / (sampler + ".csv")).read_text())]
                direct = sorted(float(row["g [siemens]"]) for row in draws)
                below = sum(value < direct[2000] for value in column) / len(column)
                self.assertAlmostEqual(below, 0.5, delta=0.08)
            refused = cluster.somafit("sample", "inf", "--sample-with", "mcmc",
                                      check=False)
            self.assertNotEqual(refused.returncode, 0)
            self.assertIn("drawn from directly", refused.stderr)
            shown = cluster.somafit("posterior", "inf").stdout
            self.assertIn("v_last_trace_1", shown)


class FileTest(unittest.TestCase):
    def test_a_posterior_goes_to_another_coordinator(self):
        with InferenceCluster(lease=5) as cluster, InferenceCluster(lease=5) as other:
            cluster.start_server()
            cluster.start_worker(threads=2)
            spec = inference_spec(cluster.directory, name="inf", n_samples=200)
            spec["inference"]["estimator"]["ensemble"] = 2
            cluster.submit(spec)
            cluster.wait_for_end("inf")
            cluster.somafit("sample", "inf", "-n", 200, "--seed", 3, "-o", "draws.csv")
            file = cluster.directory / "inf.posterior"
            cluster.somafit("save", "inf", "-o", file)
            other.start_server()
            named = other.somafit("load", file, "--name", "there").stdout
            self.assertEqual(named.strip(), "fits/there")
            other.wait_for_end("there")
            other.somafit("sample", "there", "-n", 200, "--seed", 3, "-o", "draws.csv")
            self.assertEqual((other.directory / "draws.csv").read_bytes(),
                             (cluster.directory / "draws.csv").read_bytes())
            shown = other.somafit("posterior", "there").stdout
            self.assertIn("v_last_trace_1", shown)
            # It goes on with a simulator of one's own.
            other.somafit("continue", "there", "--rounds", 1)
            proposed = rows(other.somafit("propose", "there", "-n", 20).stdout)
            self.assertEqual(len(proposed), 20)
            # What is no such file, and what is cut, says so and makes nothing.
            text = other.directory / "text"
            text.write_text("no posterior")
            cut = other.directory / "cut"
            cut.write_bytes(file.read_bytes()[:-100])
            for each in (text, cut):
                refused = other.somafit("load", each, check=False)
                self.assertEqual(refused.returncode, 2, refused.stderr)
                self.assertIn("is no posterior", refused.stderr)
            self.assertEqual(other.sql("select count(*) from fits"), "1")
            # Estimators are for simulators of one's own alone.
            refused = cluster.somafit("save", "nothing", "-o", "x", check=False)
            self.assertNotEqual(refused.returncode, 0)


class SameBitsTest(unittest.TestCase):
    """In each state of a round somebody is killed; what is simulated and learned
    is always that of one worker and no accident, to the bit."""

    def run_one(self, server="", worker="", trainer="", workers=1):
        with InferenceCluster(lease=1) as cluster:
            process = cluster.start_server("--no-trainer", faults=server)
            cluster.submit(inference_spec(cluster.directory, name="one"))
            crew = [cluster.start_worker(faults=worker)] + [
                cluster.start_worker() for _ in range(workers - 1)]
            crew.append(cluster.start_trainer(faults=trainer))
            deaths = 0
            deadline = time.monotonic() + 120
            while cluster.sql("select state from fits") != "SUCCEEDED":
                self.assertLess(time.monotonic(), deadline)
                if process.poll() is not None:
                    deaths += 1
                    process = cluster.start_server("--no-trainer",
                                                   listen=cluster.address())
                for i, each in enumerate(crew):
                    if each.poll() is None:
                        continue
                    deaths += 1
                    crew[i] = (cluster.start_trainer() if each is crew[-1]
                               else cluster.start_worker())
                time.sleep(0.02)
            return cluster.learned("one"), deaths

    def test_a_training_goes_on_where_it_was(self):
        """A trainer that dies costs what it did since its last checkpoint; what
        is learned is the same to the bit."""
        learned, epochs = [], []
        for faults in ("", "trainer_after_checkpoint:crash:25"):
            with InferenceCluster(lease=1) as cluster:
                cluster.start_server("--no-trainer")
                cluster.start_worker(threads=2)
                spec = inference_spec(cluster.directory, name="one",
                                      stop={"rounds": 1})
                spec["inference"]["training"]["stop_after_epochs"] = 60
                cluster.submit(spec)
                trainer = cluster.start_trainer("--checkpoint-every", "0",
                                                "--log-level", "debug",
                                                faults=faults)
                if faults:
                    trainer.wait(timeout=120)
                    self.assertEqual(cluster.sql("select state from fits"),
                                     "RUNNING")
                    cluster.start_trainer("--checkpoint-every", "0",
                                          "--log-level", "debug")
                cluster.wait_for_end("one")
                learned.append(cluster.learned("one"))
                log = cluster.worker_log.read_text()
                epochs.append(log.count("event=checkpoint"))
                # Nothing of them is left.
                self.assertEqual(list(cluster.directory.glob("*/checkpoint-*")), [])
        self.assertEqual(learned[0], learned[1])
        # One epoch may be trained twice, not 25.
        self.assertLess(epochs[1], epochs[0] + 10)

    def test_losses_are_streamed(self):
        with InferenceCluster(lease=5) as cluster:
            cluster.start_server()
            cluster.start_worker(threads=2)
            spec = inference_spec(cluster.directory, name="inf",
                                  stop={"rounds": 1})
            spec["inference"]["training"]["stop_after_epochs"] = 200
            cluster.submit(spec)
            lines = cluster.somafit("losses", "inf", "--follow").stdout.splitlines()
            self.assertEqual(lines[0].split(",")[:4],
                             ["round", "net", "estimator", "epoch"])
            cluster.wait_for_end("inf")
            numbers = [int(line.split(",")[3]) for line in lines[1:]]
            self.assertEqual(numbers, sorted(set(numbers)))
            self.assertGreater(len(numbers), 200)
            stored = cluster.somafit("losses", "inf").stdout.splitlines()
            self.assertEqual(len(stored) - 1, numbers[-1])

    def test_any_workers_and_kills(self):
        wanted, deaths = self.run_one()
        self.assertEqual(deaths, 0)
        self.assertEqual(len(wanted[1].splitlines()), 2)
        self.assertEqual(self.run_one(workers=3)[0], wanted)
        for who, point, times in (
                ("server", "draw_committed", (2,)),
                ("server", "leased", (1,)),
                ("server", "reported_not_told", (2, 5)),
                ("server", "round_end", (1,)),
                ("server", "before_commit", (3, 6)),
                ("worker", "worker_mid_task", (2,)),
                ("worker", "worker_before_report", (1,)),
                ("trainer", "trainer_mid_task", (1, 2, 3)),
                ("trainer", "trainer_before_report", (1, 2, 3)),
                ("trainer", "trainer_after_report", (1, 2))):
            for n in times:
                with self.subTest(who=who, point=point, n=n):
                    learned, deaths = self.run_one(
                        workers=2, **{who: f"{point}:crash:{n}"})
                    self.assertEqual(deaths, 1)
                    self.assertEqual(learned, wanted)


class OwnTrainerTest(unittest.TestCase):
    def test_a_coordinator_starts_and_ends_it(self):
        with InferenceCluster(lease=2) as cluster:
            server = cluster.start_server()
            self.assertEqual(trainers_of(server), [])
            cluster.start_worker()
            # It is started again where it dies.
            spec = inference_spec(cluster.directory, name="inf",
                                  n_samples=3000)
            spec["inference"]["estimator"] = "maf"
            spec["inference"]["training"] = {"max_num_epochs": 100}
            cluster.submit(spec)
            deadline = time.monotonic() + 30
            while not trainers_of(server):
                self.assertLess(time.monotonic(), deadline)
                time.sleep(0.05)
            first = trainers_of(server)[0]
            os.kill(first, signal.SIGKILL)
            cluster.wait_until("select rounds > 0 from fits", "1")
            second = trainers_of(server)
            self.assertNotEqual(second, [first])
            # And goes with the coordinator.
            cluster.kill(server, signal.SIGTERM)
            with self.assertRaises(ProcessLookupError):
                os.kill(second[0], 0)


class MistakesTest(unittest.TestCase):
    def test_mistakes_are_said_before_anything_is_simulated(self):
        with InferenceCluster() as cluster:
            cluster.start_server("--no-trainer")
            features = [{"output": "v", "feature": "last"}]
            for inference, words in (
                    ({"features": features + [
                        {"output": "v", "feature": "trace"}]}, "raw trace"),
                    ({"features": [{"output": "w", "feature": "last"}]}, "\"w\""),
                    ({"estimator": {"name": "maf", "embedding": [
                        {"kind": "conv2d"}]}}, "layer 0 (2-d convolution)"),
                    ({"estimator": {"name": "maf", "input_shape": [3, 5],
                                    "embedding": ["gru"]}}, "input_shape"),
                    ({"features": features, "algorithm": "abc"}, "tsnpe"),
                    ({"features": features, "estimator": {"name": "magic"}},
                     "maf"),
                    ({"features": features, "estimator": {
                        "name": "maf", "options": {"num_bins": 3}}}, "num_bins"),
                    ({"features": features, "observation": [1]}, "there are 1 numbers"),
                    ({"features": features, "training": {
                        "validation_fraction": 2}}, "validation_fraction")):
                path = write_spec(cluster.directory / "bad.yaml", inference_spec(
                    cluster.directory, inference=inference))
                refused = cluster.somafit("submit", path, check=False)
                self.assertEqual(refused.returncode, 2, json.dumps(inference))
                self.assertIn(words, refused.stderr)
            self.assertEqual(cluster.sql("select count(*) from fits"), "0")

    def test_what_cannot_be_learned_from_is_said(self):
        """No trace has a second spike, so that no interval has a number."""
        with InferenceCluster(lease=5) as cluster:
            cluster.start_server()
            cluster.start_worker()
            spec = inference_spec(cluster.directory, name="inf", n_samples=50)
            spec["inference"]["features"] = [
                {"output": "v", "feature": "last"},
                {"output": "v", "feature": "kurtosis",
                 "options": {"t_end": "0.1*ms"}}]
            spec["inference"]["observation"] = [-0.06, 0.0, -0.06, 0.0]
            spec["model"]["equations"] = (
                "dv/dt = (g*(El - v) + I)/C + 1e60*volt/second*int(C > 0*pF)"
                " : volt\n"
                "g : siemens (constant)\nC : farad (constant)\n")
            cluster.submit(spec)
            # Its simulations are kept, for whoever trains otherwise.
            cluster.wait_until("select state from fits", "PAUSED")
            reason = cluster.sql("select reason from fits")
            self.assertIn("TRAINER", reason)
            self.assertIn("50", reason)
            self.assertEqual(
                cluster.sql("select count(*) from fit_inf where "
                            "status='nonfinite'"), "50")


if __name__ == "__main__":
    main()
