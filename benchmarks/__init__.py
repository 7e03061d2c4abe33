"""Measures the connector against alternatives, in one run on one machine. It is not part of the service.

`python -m benchmarks.accept`, `.forward`, `.whole`, `.growth`, `.start` and so on: each has a `--help`, and
docs/performance.md explains the results.
"""
