"""Measures the connector against what it is compared with, in one run on one machine; it is no part of the service.

`python -m benchmarks.accept`, `.forward`, `.whole`, `.growth`, `.start`: each has a `--help`, and docs/performance.md
says what each one shows.
"""
