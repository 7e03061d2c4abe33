"""Loads a configuration from its text."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from connector.core.exceptions import SettingsError
from connector.settings import (
    Settings,
    load_settings,
)


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., Any]:
    """Write a configuration and load it."""

    def load(toml: str, environ: dict[str, Any] | None = None) -> Settings | None:
        path = tmp_path / "connector.toml"
        path.write_text(toml, encoding="utf-8")
        return load_settings(path, environ or {})

    return load


@pytest.fixture
def configuration_errors(load: Callable[..., Any]) -> Callable[..., Any]:
    """Write a configuration and return its errors."""

    def faults(toml: str, environ: dict[str, Any] | None = None) -> list[str]:
        with pytest.raises(SettingsError) as caught:
            load(toml, environ)
        return caught.value.errors

    return faults
