"""The wire, generated from proto/somafit/v1 when the package is built."""
