"""Watching: a killed client changes nothing; gates stop where they are told."""

import json
import os
import re
import subprocess
import time
import unittest

from cluster import BIN, Cluster, main, rows, small_spec


def watched_rounds(text):
    return [int(n) for n in re.findall(r"^Round (\d+):", text, re.MULTILINE)]


class WatchTest(unittest.TestCase):

    def test_killed_watcher(self):
        with Cluster() as cluster:
            cluster.start_server()
            cluster.start_worker()
            fit = cluster.submit(small_spec(cluster.directory,
                                            stop={"rounds": 300}))
            watcher = subprocess.Popen(
                [BIN / "somafit", "watch", fit, "--format", "json"],
                stdout=subprocess.PIPE, text=True, cwd=cluster.directory,
                env={**os.environ, "SOMAFIT_ENDPOINT": str(cluster.endpoint)})
            seen = [json.loads(watcher.stdout.readline()) for _ in range(20)]
            watcher.kill()
            watcher.wait()
            watcher.stdout.close()
            last = int(seen[-1]["seq"])
            rest = [json.loads(line) for line in cluster.somafit(
                "watch", fit, "--format", "json", "--after", last
            ).stdout.strip().split("\n")]
            seqs = [int(event["seq"]) for event in seen + rest]
            self.assertEqual(seqs, list(range(1, len(seqs) + 1)))
            found = [event["round"] for event in seen + rest if "round" in event]
            self.assertEqual(found, list(range(300)))
            # Every sample of every round is in its event, as it is in the table.
            events = [(n, p, e) for event in seen + rest if "round" in event
                      for n, p, e in zip(event["samples"],
                                         event["parameters"]["g"],
                                         event["total_error"])]
            self.assertEqual(events, [
                (int(row["sample"]), float(row["g"]), float(row["total_error"]))
                for row in rows(cluster.csv(fit))])
            self.assertEqual(len(events), 300 * 20)

    def test_watch_survives_a_killed_coordinator(self):
        with Cluster() as cluster:
            cluster.start_server(listen="127.0.0.1:0")
            address = json.loads(cluster.endpoint.read_text())["address"]
            cluster.start_worker()
            fit = cluster.submit(small_spec(cluster.directory,
                                            stop={"rounds": 400}))
            watcher = subprocess.Popen(
                [BIN / "somafit", "watch", fit], stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL, text=True, cwd=cluster.directory,
                env={**os.environ, "SOMAFIT_ENDPOINT": str(cluster.endpoint)})
            for _ in range(3):
                time.sleep(0.3)
                cluster.kill(cluster.server)
                cluster.start_server(listen=address)
            text, _ = watcher.communicate(timeout=120)
            self.assertEqual(watcher.returncode, 0)
            self.assertEqual(watched_rounds(text), list(range(400)))

    def test_gate_stops_where_it_is_told(self):
        with Cluster() as cluster:
            cluster.start_server()
            cluster.start_worker()
            fit = cluster.submit(small_spec(
                cluster.directory, stop={"rounds": 50},
                gate={"enabled": True, "timeout_seconds": 60}))

            def wait_for(state):
                for _ in range(200):
                    shown = cluster.somafit("show", fit).stdout
                    if state in shown:
                        return
                    time.sleep(0.05)
                self.fail(f"never {state}: {shown}")

            wait_for("GATED")
            wrong = cluster.somafit("ack", fit, "--round", 7, "--continue",
                                    check=False)
            self.assertNotEqual(wrong.returncode, 0)
            for round in range(3):
                wait_for("GATED")
                self.assertEqual(len(rows(cluster.csv(fit))), 20 * (round + 1))
                cluster.somafit("ack", fit, "--round", round, "--continue")
            wait_for("GATED")
            cluster.somafit("ack", fit, "--round", 3, "--stop")
            self.assertIn("SUCCEEDED", cluster.somafit("show", fit).stdout)
            self.assertEqual(len(rows(cluster.csv(fit))), 80)
            self.assertEqual(watched_rounds(cluster.somafit("watch", fit).stdout),
                             [0, 1, 2, 3])

    def test_gate_without_an_answer(self):
        with Cluster() as cluster:
            cluster.start_server()
            cluster.start_worker()
            paused = cluster.submit(small_spec(
                cluster.directory, name="paused",
                gate={"enabled": True, "timeout_seconds": 0.3}))
            on = cluster.submit(small_spec(
                cluster.directory, name="goes-on",
                gate={"enabled": True, "timeout_seconds": 0.3,
                      "on_timeout": "continue"}))
            cluster.somafit("watch", on)
            self.assertIn("PAUSED", cluster.somafit("show", paused).stdout)
            self.assertEqual(len(rows(cluster.csv(paused))), 20)
            self.assertEqual(len(rows(cluster.csv(on))), 100)


if __name__ == "__main__":
    main()
