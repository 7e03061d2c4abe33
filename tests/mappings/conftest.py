"""Registers the longer run of the money: `--hypothesis-profile=money`, as test_money.py says."""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "money", max_examples=20_000, deadline=None, database=None, print_blob=True, suppress_health_check=list(HealthCheck)
)
