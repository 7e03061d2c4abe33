"""`keep_days` and `keep_parked_days` in the configuration."""

from collections.abc import Callable
from pathlib import Path

import pytest

from connector.core.exceptions import SettingsError
from connector.settings import Retention, load_settings
from tests.support.service import CONFIGURATION

pytestmark = pytest.mark.sqlite


def load(configure: Callable[..., Path], lines: str, **variables: str) -> Retention:
    return load_settings(configure(text=f"{lines}\n{CONFIGURATION}"), variables).retention


def test_defaults(configure: Callable[..., Path]) -> None:
    assert load(configure, "") == Retention(keep_days=90, keep_parked_days=365, keep_audit_days=365)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("keep_days = 1\nkeep_parked_days = 30", Retention(keep_days=1, keep_parked_days=30)),
        ('keep_days = "forever"\nkeep_parked_days = "forever"', Retention(keep_days=None, keep_parked_days=None)),
        ("keep_audit_days = 30", Retention(keep_audit_days=30)),
        ('keep_audit_days = "forever"', Retention(keep_audit_days=None)),
        ('keep_days = "$VARIABLE"', Retention(keep_days=7, keep_parked_days=365)),
    ],
)
def test_days_and_forever(configure: Callable[..., Path], lines: str, expected: Retention) -> None:
    lines = lines.replace("$VARIABLE", "${{DAYS}}")
    assert load(configure, lines, DAYS="7") == expected


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("keep_days = 0", 'keep_days: must be from 1 to 36500 days; to delete nothing, write "forever".'),
        (
            "keep_parked_days = 29",
            'keep_parked_days: must be from 30 to 36500 days; to delete nothing, write "forever".',
        ),
        ("keep_days = 1.5", 'keep_days: must be a whole number of days, or "forever".'),
        ("keep_days = true", 'keep_days: must be a whole number of days, or "forever".'),
        ('keep_days = "never"', 'keep_days: must be a whole number of days, or "forever".'),
    ],
)
def test_impossible_values_are_errors(configure: Callable[..., Path], line: str, error: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(configure, line)
    assert caught.value.errors == [error]
