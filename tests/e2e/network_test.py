"""Workers and client in another network namespace, with TLS and token."""

import json
import os
import subprocess
import unittest

from cluster import BIN, Cluster, main, rows, small_spec, write_spec

NAMESPACE = f"somafit{os.getpid()}"
HERE, THERE = "10.231.77.1", "10.231.77.2"


def ip(*arguments):
    return subprocess.run(["ip", *arguments], capture_output=True, text=True)


def make_namespace():
    """None, or why there is none."""
    for command in (["netns", "add", NAMESPACE],
                    ["link", "add", "sfa", "type", "veth", "peer", "name", "sfb",
                     "netns", NAMESPACE],
                    ["addr", "add", f"{HERE}/30", "dev", "sfa"],
                    ["link", "set", "sfa", "up"],
                    ["-n", NAMESPACE, "addr", "add", f"{THERE}/30", "dev", "sfb"],
                    ["-n", NAMESPACE, "link", "set", "sfb", "up"]):
        try:
            done = ip(*command)
        except FileNotFoundError:
            return "the program ip is missing"
        if done.returncode != 0:
            return f"ip {' '.join(command)}: {done.stderr.strip()}"
    return None


class NetworkTest(unittest.TestCase):

    def setUp(self):
        why = make_namespace()
        if why:
            ip("link", "del", "sfa")
            ip("netns", "del", NAMESPACE)
            self.skipTest(f"network namespaces cannot be made here: {why}")

    def tearDown(self):
        ip("link", "del", "sfa")
        ip("netns", "del", NAMESPACE)

    def there(self, cluster, program, *arguments, **options):
        return ["ip", "netns", "exec", NAMESPACE, str(BIN / program),
                *map(str, arguments)]

    def test_tls_and_token(self):
        with Cluster() as cluster:
            directory = cluster.directory
            for name in ("server", "other"):
                subprocess.run(
                    ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes",
                     "-days", "2", "-keyout", directory / f"{name}.key", "-out",
                     directory / f"{name}.crt", "-subj", "/CN=somafit-test",
                     "-addext", f"subjectAltName=IP:{HERE}"],
                    check=True, capture_output=True)
            cluster.start_server("--tls-cert", directory / "server.crt",
                                 "--tls-key", directory / "server.key",
                                 listen=f"{HERE}:0")
            self.assertIsNone(cluster.server.poll(),
                              cluster.server_log.read_text())
            endpoint = json.loads(cluster.endpoint.read_text())
            self.assertTrue(endpoint["address"].startswith(HERE))
            self.assertIn("BEGIN CERTIFICATE", endpoint["ca"])
            with open(cluster.worker_log, "ab") as log:
                for n in range(2):
                    cluster.workers.append(subprocess.Popen(
                        self.there(cluster, "somafit-worker", "--endpoint",
                                   cluster.endpoint, "--threads", 1),
                        stdout=log, stderr=log))
            path = write_spec(directory / "fit.yaml", small_spec(directory))

            def client(*arguments, endpoint=cluster.endpoint):
                return subprocess.run(
                    self.there(cluster, "somafit", *arguments, "--endpoint",
                               endpoint),
                    capture_output=True, text=True, timeout=120)

            submitted = client("submit", path)
            self.assertEqual(submitted.returncode, 0, submitted.stderr)
            fit = submitted.stdout.strip()
            self.assertEqual(client("watch", fit).returncode, 0)
            csv = client("results", fit, "--format", "csv").stdout
            self.assertEqual(len(rows(csv)), 100)
            # Without the right token, authority or encryption: refused.
            for change in ({"token": "0" * 32},
                           {"ca": (directory / "other.crt").read_text()},
                           {"ca": ""}):
                wrong = directory / "wrong.endpoint"
                wrong.write_text(json.dumps({**endpoint, **change}))
                done = client("list", endpoint=wrong)
                self.assertNotEqual(done.returncode, 0, list(change))
                self.assertNotEqual(done.stderr, "")


if __name__ == "__main__":
    main()
