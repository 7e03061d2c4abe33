"""Where the configuration is read from: a path, CONNECTOR_TOML, CONNECTOR_CONFIG or ./connector.toml."""

from pathlib import Path

import pytest

from connector.core.exceptions import SettingsError
from connector.settings import has_configuration, load_environment, load_settings
from connector.settings.table_editor import find_table_location, list_table_locations
from tests.support.configuration import SMALLEST

OTHER = SMALLEST.replace("tienda-mx", "otra")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def errors_of(environ: dict[str, str], path: Path | None = None) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load_settings(path, environ)
    return caught.value.errors


def test_text_in_the_environment_wins_over_the_default_file(folder: Path) -> None:
    (folder / "connector.toml").write_text(OTHER, encoding="utf-8")
    settings = load_settings(environ={"CONNECTOR_TOML": SMALLEST})
    assert list(settings.stores) == ["tienda-mx"]
    assert settings.directory == folder


def test_empty_text_counts_as_unset(folder: Path) -> None:
    (folder / "connector.toml").write_text(OTHER, encoding="utf-8")
    assert list(load_settings(environ={"CONNECTOR_TOML": ""}).stores) == ["otra"]


def test_path_of_a_command_wins_over_the_environment(folder: Path) -> None:
    path = folder / "other.toml"
    path.write_text(OTHER, encoding="utf-8")
    environ = {"CONNECTOR_TOML": SMALLEST, "CONNECTOR_CONFIG": "nowhere.toml"}
    assert list(load_settings(path, environ).stores) == ["otra"]


def test_two_configurations_in_the_environment_are_an_error(folder: Path) -> None:
    environ = {"CONNECTOR_TOML": SMALLEST, "CONNECTOR_CONFIG": "connector.toml", "PORT": "x"}
    assert errors_of(environ) == [
        "PORT: must be a whole number from 1 to 65535.",
        "CONNECTOR_TOML: is set, and CONNECTOR_CONFIG is too: only one of them may be.",
    ]


def test_variables_are_substituted_in_the_text() -> None:
    settings = load_settings(environ={"CONNECTOR_TOML": SMALLEST.replace("secreto", "${CLAVE}"), "CLAVE": "a$b'c"})
    assert settings.stores["tienda-mx"].secrets == ["a$b'c"]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('[stores.tienda]\nstorefront = "shopify\n', "is not TOML: Illegal character '\\n' (at line 2, column 22)."),
        (
            '[stores.tienda] storefront = "shopify"',
            "is not TOML: Expected newline or end of document after a statement (at line 1, column 17). "
            'It has only one line; set it from a file: CONNECTOR_TOML="$(cat connector.toml)".',
        ),
        ("# Env\udced", "is not UTF-8 text."),
    ],
)
def test_errors_in_the_text_name_the_variable(text: str, fault: str) -> None:
    assert errors_of({"CONNECTOR_TOML": text}) == [f"CONNECTOR_TOML: {fault}"]


def test_csv_tables_of_the_text_are_in_the_current_directory(folder: Path) -> None:
    (folder / "filas.csv").write_text("key,value\nP-1,barra\n", encoding="utf-8")
    text = SMALLEST.replace("api_key", 'identifiers = "filas.csv"\napi_key')
    settings = load_settings(environ={"CONNECTOR_TOML": text})
    assert [file.path for file in settings.table_files] == [folder / "filas.csv"]


def test_table_commands_read_the_text(folder: Path) -> None:
    text = SMALLEST.replace("api_key", 'identifiers = { P-1 = "barra" }\napi_key')
    location = find_table_location(list_table_locations(None, {"CONNECTOR_TOML": text}), "bodega", "identifiers")
    assert (location.source, [cells for _, cells in location.read().lines]) == ("CONNECTOR_TOML", [["P-1", "barra"]])


def test_environment_is_loaded_without_a_configuration(folder: Path) -> None:
    assert not has_configuration({})
    assert load_environment({"PORT": "81", "HOST": ""}).port == 81
    with pytest.raises(SettingsError, match="PORT: must be a whole number"):
        load_environment({"PORT": "x"})


@pytest.mark.parametrize("environ", [{"CONNECTOR_TOML": "x"}, {"CONNECTOR_CONFIG": "nowhere.toml"}])
def test_a_named_configuration_is_one_even_if_it_cannot_be_read(folder: Path, environ: dict[str, str]) -> None:
    assert has_configuration(environ)
