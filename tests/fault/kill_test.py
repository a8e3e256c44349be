"""Same seed, same bytes: with other workers, and under SIGKILL."""

import hashlib
import json
import random
import re
import time
import unittest

from cluster import EXAMPLE, Cluster, main, rows, small_spec

# Long enough that the kills end before the fit does on a processor several times
# as fast as one on which they take 20 rounds.
ROUNDS = 120
SERVER_POINTS = ["draw_committed", "leased", "reported_not_told", "round_end"]
WORKER_POINTS = ["worker_mid_task", "worker_before_report",
                 "worker_after_report"]
RANDOM_KILLS = 16


def submit(cluster):
    return cluster.somafit(
        "submit", EXAMPLE, "--name", "killed", "--set", f"stop.rounds={ROUNDS}",
        "--set", "n_samples=200", "--seed", 3).stdout.strip()


def undisturbed(threads):
    """The results of the fit, and how many tasks each worker did."""
    with Cluster() as cluster:
        cluster.start_server()
        fit = submit(cluster)
        for count in threads:
            cluster.start_worker(count)
        cluster.somafit("watch", fit)
        listed = cluster.somafit("workers").stdout.strip().split("\n")
        tasks = listed[0].split().index("TASKS")
        return cluster.csv(fit), [int(w.split()[tasks]) for w in listed[1:]]


class Killing(Cluster):
    """Kills processes of a running fit, and knows what it hit."""

    def __init__(self):
        super().__init__(lease=1.0)
        self.hits = []

    def leases_out(self):
        """Leases given by the coordinator that now is (or was) running and not
        yet reported, from its log."""
        text = self.server_log.read_text().rpartition("event=serving")[2]
        given = re.findall(r"event=leased .*?lease=(\w+)", text)
        reported = re.findall(r"event=reported .*?lease=(\w+)", text)
        return set(given) - set(reported)

    def running(self):
        return self.sql("select state from fits") == "RUNNING"

    def rounds_done(self):
        """Rounds whose samples are all reported."""
        return int(self.sql("select count(*) from fit_killed"
                            " where status <> 'drawn'")) // 200

    def address(self):
        return json.loads(self.endpoint.read_text())["address"]

    def restart_server(self, faults=""):
        self.start_server(listen=self.address(), faults=faults,
                          log_level="debug")

    def wait_end(self, process, seconds):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if process.poll() is not None:
                return True
            time.sleep(0.01)
        return False


class KillTest(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.expected, _ = undisturbed([1])
        cls.digest = hashlib.sha256(cls.expected.encode()).hexdigest()

    def check(self, csv):
        self.assertEqual(hashlib.sha256(csv.encode()).hexdigest(), self.digest)
        found = rows(csv)
        numbers = [int(row["sample"]) for row in found]
        self.assertEqual(numbers, list(range(ROUNDS * 200)), "lost or double")
        self.assertEqual({row["status"] for row in found} - {"ok", "nonfinite"},
                         set())

    def test_three_workers_of_different_thread_counts(self):
        csv, tasks = undisturbed([1, 2, 3])
        self.assertEqual(len(tasks), 3)
        self.assertTrue(all(tasks), f"tasks a worker: {tasks}")
        self.check(csv)

    def test_killed_at_every_fault_point_and_at_random(self):
        chance = random.Random(20)
        with Killing() as cluster:
            cluster.start_server(log_level="debug")
            fit = submit(cluster)
            cluster.start_worker(1)
            cluster.start_worker(2)
            hits = []
            # Each fault point, twice: its process ends by itself with 137.
            for point in SERVER_POINTS * 2:
                cluster.kill(cluster.server)
                cluster.restart_server(f"{point}:crash:{chance.randint(1, 3)}")
                self.assertTrue(cluster.wait_end(cluster.server, 60),
                                f"{point} was not reached")
                self.assertEqual(cluster.server.returncode, 137, point)
                self.assertTrue(cluster.running(), f"{point}: the fit had ended")
                hits.append((point, len(cluster.leases_out())))
                cluster.restart_server()
            for point in WORKER_POINTS * 2:
                worker = cluster.start_worker(
                    1, f"{point}:crash:{chance.randint(1, 3)}")
                self.assertTrue(cluster.wait_end(worker, 60),
                                f"{point} was not reached")
                self.assertEqual(worker.returncode, 137, point)
                self.assertTrue(cluster.running(), f"{point}: the fit had ended")
                hits.append((point, len(cluster.leases_out())))
                cluster.workers.remove(worker)
            # Random moments; only those that hit a lease count.
            counted = 0
            while counted < RANDOM_KILLS:
                self.assertTrue(cluster.running(),
                                f"the fit ended after {counted} random kills")
                time.sleep(chance.uniform(0.0, 0.1))
                if chance.random() < 0.6:
                    cluster.kill(cluster.server)
                    out = len(cluster.leases_out())
                    cluster.restart_server()
                    what = "coordinator"
                else:
                    worker = chance.choice(cluster.workers)
                    cluster.kill(worker)
                    out = len(cluster.leases_out())
                    cluster.workers.remove(worker)
                    cluster.start_worker(chance.randint(1, 3))
                    what = "worker"
                if out:
                    counted += 1
                    hits.append((what, out))
            print(f"{cluster.rounds_done()} of {ROUNDS} rounds done")
            cluster.somafit("watch", fit)
            print(f"{len(hits)} kills, (what, leases out): {hits}")
            with_lease = sum(1 for _, out in hits if out)
            print(f"{with_lease} of them with a lease out")
            self.assertGreaterEqual(with_lease, 20)
            self.check(cluster.csv(fit))
            self.assertEqual(cluster.sql("pragma integrity_check"), "ok")

    def test_killed_between_the_slices_of_a_large_round(self):
        def submitted(cluster):
            return cluster.submit(
                small_spec(cluster.directory, n_samples=10_000,
                           stop={"rounds": 10}), "--name", "large")

        with Cluster() as cluster:
            cluster.start_server()
            fit = submitted(cluster)
            cluster.start_worker(1)
            cluster.somafit("watch", fit)
            expected = cluster.csv(fit)
        self.assertEqual(len(rows(expected)), 100_000)
        with Killing() as cluster:
            cluster.start_server()
            fit = submitted(cluster)
            partly = 0
            # Rounds enough that none ends before the last kill, however slow.
            for nth in [1, 2, 3, 1, 4, 2]:
                cluster.kill(cluster.server)
                cluster.restart_server(f"draw_committed:crash:{nth}")
                if not cluster.workers:
                    cluster.start_worker(1)
                self.assertTrue(cluster.wait_end(cluster.server, 60))
                self.assertTrue(cluster.running(), "the fit had ended")
                drawn = int(cluster.sql("select count(*) from fit_large"))
                partly += drawn % 10_000 != 0
                cluster.restart_server()
            print(f"{partly} kills while a round was partly drawn")
            self.assertGreater(partly, 0)
            cluster.somafit("watch", fit)
            self.assertEqual(cluster.csv(fit), expected)
            self.assertEqual(cluster.sql("pragma integrity_check"), "ok")


if __name__ == "__main__":
    main()
