"""check and compile: what people see, from the file to the worker and back."""

import pathlib
import subprocess
import tempfile
import unittest

from cluster import BIN, EXAMPLE, main, small_spec, write_spec


def somafit(*arguments, **options):
    return subprocess.run([BIN / "somafit", *map(str, arguments)], text=True,
                          capture_output=True, timeout=60, **options)


def worker(*arguments, stdin):
    return subprocess.run([BIN / "somafit-worker", *arguments], input=stdin,
                          capture_output=True, timeout=60)


class DescribeTest(unittest.TestCase):

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def spec(self, **model):
        spec = small_spec(self.folder)
        spec["model"].update(model)
        return spec

    def write(self, spec):
        return write_spec(self.folder / "fit.yaml", spec)

    def succeeds(self, *arguments):
        done = somafit(*arguments)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return done.stdout

    def test_check_of_the_example(self):
        text = self.succeeds("check", EXAMPLE)
        lines = [" ".join(line.split()) for line in text.split("\n")]
        for wanted in (
                "state v volt dv/dt = (gl*(El - v) - g_na*m**3*h*(v - ENa) - "
                "g_kd*n**4*(v - EK) + I)/Cm",
                "subexpression alpha_m hertz 1.28/exprel((13 - u)/4)/ms",
                "input I amp as recorded",
                "Cm 200*pF 2e-10 farad",
                "v -65*mV -0.065 volt",
                "gl [2*psiemens, 200*nS] 2e-12 to 2e-07 siemens",
                "time step 0.01*ms = 1e-05 second"):
            self.assertIn(wanted, lines)
        self.assertIn("exponential_euler, as the model asks: every equation is "
                      "linear", text)
        self.assertRegex(text, r"traces +5 of \d+ steps")

    def test_compile_of_the_example(self):
        program = self.succeeds("compile", EXAMPLE)
        self.assertEqual(program,
                         self.succeeds("compile", EXAMPLE, "--dump", "program"))
        self.assertRegex(program, r"# values +\d+ +\d+ +\d+\n")
        self.assertRegex(program, r"\nnext v = %\d+\n")
        self.assertIn("state dm/dt = alpha_m*(1 - m) - beta_m*m : 1",
                      self.succeeds("compile", EXAMPLE, "--dump=ast"))
        passes = self.succeeds("compile", EXAMPLE, "--dump=passes")
        self.assertTrue(passes.startswith("=====> lowered, "))
        # The last stage is the program.
        last = passes[passes.rindex("\ndt "):]
        self.assertTrue(program.endswith(last))

    def test_native_code_of_the_example(self):
        ir = self.succeeds("compile", EXAMPLE, "--dump=ir", "--isa=avx2",
                           "--width=8")
        self.assertIn("define void @somafit_run", ir)
        self.assertIn("<4 x double>", ir)
        self.assertNotIn("zmm", self.succeeds(
            "compile", EXAMPLE, "--dump=asm", "--isa=avx2"))

    def test_set_replaces_a_value(self):
        self.assertIn("0.5*ms = 0.0005 second", self.succeeds(
            "check", EXAMPLE, "--set", "dt=0.5*ms"))

    def test_two_mistakes(self):
        path = self.write(self.spec(
            equations="dv/dt = (g*(El - v) + I)/Cx : volt\n"
                      "dw/dt = (1 - w)*q : 1\ng : siemens (constant)\n"))
        for command in ("check", "compile"):
            done = somafit(command, path)
            self.assertEqual((done.returncode, done.stdout), (1, ""))
            lines = done.stderr.split("\n")
            for place, name in ((":1:26:", "Cx"), (":2:17:", "q")):
                at = next(i for i, line in enumerate(lines) if place in line)
                self.assertIn(f"`{name}` is unknown", lines[at])
                caret = lines[at + 2].index("^")
                self.assertTrue(lines[at + 1][caret:].startswith(name))

    def test_warnings(self):
        path = self.write(self.spec(
            equations="dv/dt = (g*(El - v) + exp(v/mV)*nA + I)/C : volt\n"
                      "g : siemens (constant)\n",
            method="exponential_euler"))
        self.assertIn("W_FROZEN_NONLINEAR", self.succeeds("check", path))
        done = somafit("compile", path)
        self.assertEqual(done.returncode, 0)
        self.assertIn("W_FROZEN_NONLINEAR", done.stderr)
        self.assertNotIn("W_FROZEN", done.stdout)

    def test_types_are_shown(self):
        path = self.write(self.spec(
            equations="dv/dt = (g*(El - v) + I)/C : volt\n"
                      "g : siemens (constant)\nfired = v > El : boolean\n"
                      "n = 7//2 : integer\n"))
        shown = self.succeeds("check", path)
        self.assertRegex(shown, r"fired +boolean +v > El")
        self.assertRegex(shown, r"n +integer +7//2")

    def test_chosen_method_has_a_reason(self):
        path = self.write(self.spec(
            equations="dv/dt = (g*(El - v) + exp(v/mV)*nA + I)/C : volt\n"
                      "g : siemens (constant)\n", method=""))
        self.assertIn("euler, chosen, because exact cannot integrate dv/dt: its "
                      "right-hand side is not linear in the states",
                      self.succeeds("check", path))
        path = self.write(self.spec(method="rk4"))
        self.assertIn("rk4, as the model asks: classical Runge-Kutta method, of "
                      "order 4", self.succeeds("check", path))

    def test_without_data_files(self):
        spec = self.spec()
        spec["data"] = {"inputs": {"I": {"unit": "nA"}}}
        spec["metrics"] = {"v": "mse"}
        path = self.write(spec)
        self.assertIn("none are named", self.succeeds("check", path))
        self.assertIn("observe v", self.succeeds("compile", path))
        spec = self.spec()
        spec["data"]["inputs"]["I"]["file"] = "nowhere.csv"
        text = self.succeeds("check", self.write(spec))
        self.assertIn("not read, see below", text)
        self.assertRegex(text, r"nowhere\.csv.*No such file")
        del spec["data"]
        done = somafit("check", self.write(spec))
        self.assertEqual(done.returncode, 1)
        self.assertIn("`I` is unknown", done.stderr)

    def test_bad_command_lines(self):
        for arguments, status, message in (
                (("check", self.folder / "none.yaml"), 4, "No such file"),
                (("compile", EXAMPLE, "--dump", "tree"), 2, "tree not in"),
                (("compile",), 2, "file is required"),
                (("check", EXAMPLE, "--set", "dtt=1"), 2, "unknown key")):
            done = somafit(*arguments)
            self.assertEqual((done.returncode, done.stdout), (status, ""))
            self.assertIn(message, done.stderr)

    def test_a_file_that_is_not_utf8(self):
        path = self.folder / "fit.yaml"
        path.write_bytes(b'model: {equations: "dv/dt = -v/ms : volt # \xb5"}\n'
                         b"dt: 1*ms\n")
        done = somafit("check", path)
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertEqual(done.stderr.count("\n"), 1)
        self.assertIn("UTF-8", done.stderr)

    def test_garbage_on_stdin(self):
        for stdin, message in ((b"", b"stdin is empty"),
                               (bytes(range(256)), b"not the JSON"),
                               (b"dt: 1*ms", b"not the JSON"),
                               (b'{"dt": 1}x', b"not the JSON"),
                               (b" " * (17 << 20), b"at most 16777216")):
            for command in ("check", "compile"):
                done = worker(command, stdin=stdin)
                self.assertEqual((done.returncode, done.stdout), (2, b""))
                self.assertIn(message, done.stderr)
                self.assertEqual(done.stderr.count(b"\n"), 1)
        done = worker("check", stdin=b"{}")
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"the model has no equations", done.stderr)

    def test_output_that_cannot_be_written(self):
        with open("/dev/full", "w") as full:
            done = subprocess.run([BIN / "somafit", "check", EXAMPLE],
                                  stdout=full, stderr=subprocess.PIPE,
                                  text=True, timeout=60)
        self.assertEqual(done.returncode, 1)
        self.assertIn("cannot write the output", done.stderr)

    def test_help_of_the_worker(self):
        for arguments in ((), ("check",), ("compile",)):
            done = worker(*arguments, "--help", stdin=b"")
            self.assertEqual(done.returncode, 0)
            self.assertIn(b"Examples:\n  somafit", done.stdout)
        done = worker(stdin=b"")
        self.assertEqual(done.returncode, 2)
        self.assertIn(b"--endpoint is required", done.stderr)


if __name__ == "__main__":
    main()
