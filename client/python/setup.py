"""Builds the package from the repository: `pip install client/python`. The wire is
generated from ../../proto by protoc and gRPC's plugin (Debian: protobuf-compiler,
protobuf-compiler-grpc), or by grpcio-tools where that is installed."""

import pathlib
import shutil
import subprocess
import sys

from setuptools import setup
from setuptools.command.build_py import build_py

PROTO = pathlib.Path(__file__).resolve().parents[2] / "proto"
FILES = [f"somafit/v1/{name}.proto"
         for name in ("model", "inference", "traces", "fit", "fit_service",
                      "inference_service", "posterior_file", "endpoint")]


class BuildWithStubs(build_py):
    def run(self):
        super().run()
        if not (PROTO / FILES[0]).is_file():
            sys.exit(f"{PROTO} is missing: build the package in its repository")
        out = [f"--proto_path={PROTO}", f"--python_out={self.build_lib}",
               f"--grpc_python_out={self.build_lib}"]
        protoc, plugin = shutil.which("protoc"), shutil.which("grpc_python_plugin")
        if protoc and plugin:
            command = [protoc, f"--plugin=protoc-gen-grpc_python={plugin}"]
        else:
            command = [sys.executable, "-m", "grpc_tools.protoc"]
        try:
            subprocess.run([*command, *out, *FILES], check=True)
        except (OSError, subprocess.CalledProcessError) as error:
            sys.exit(f"{error}; install protobuf-compiler and "
                     "protobuf-compiler-grpc, or grpcio-tools")


setup(cmdclass={"build_py": BuildWithStubs})
