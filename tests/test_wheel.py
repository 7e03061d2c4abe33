"""The wheel, installed without the repository."""

import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from connector import __version__

ROOT = Path(__file__).parent.parent


def run(*command: str | Path, directory: Path = ROOT) -> str:
    """Run a command, which must succeed. Returns what it printed."""
    return subprocess.run(command, cwd=directory, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder)
    return folder / f"connector-{__version__}-py3-none-any.whl"


def test_wheel_has_every_file_of_the_packages(wheel: Path) -> None:
    """Templates, assets, translations, samples, contracts and migrations too."""
    tracked = run("git", "ls-files", "--cached", "--others", "--exclude-standard", "connector", "mappings").splitlines()
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert packed == {name for name in tracked if (ROOT / name).exists()}


def test_wheel_runs_the_demo_from_an_empty_directory(wheel: Path, tmp_path: Path) -> None:
    environment, empty = tmp_path / "environment", tmp_path / "empty"
    empty.mkdir()
    run(sys.executable, "-m", "venv", "--without-pip", environment)
    python = environment / "bin" / "python"
    run(sys.executable, "-m", "pip", "--python", python, "install", "--no-index", "--no-deps", wheel)
    # The dependencies are those of this environment. A path in a .pth file brings no editable installation along.
    packages = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))")
    Path(packages, "dependencies.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
    locate = "import connector, mappings; print(connector.__file__, mappings.__file__)"
    assert run(python, "-c", locate, directory=empty).split() == [
        f"{packages}/connector/__init__.py",
        f"{packages}/mappings/__init__.py",
    ]

    demo = subprocess.run(
        [environment / "bin" / "connector", "demo", "--once"], cwd=empty, capture_output=True, text=True, check=False
    )
    assert demo.returncode == 0, demo.stdout + demo.stderr
    assert list(empty.iterdir()) == []
