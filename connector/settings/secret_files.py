"""Reads secrets from files. No error shows what a file contains."""

import os
import stat
from collections.abc import Iterable
from pathlib import Path

MAX_BYTES = 64 * 1024


class SecretFileError(Exception):
    """A file has no usable secret. The message names it, and says what is wrong."""


def read_secret(path: Path) -> str:
    """Return the text of a file, without the line break at its end. Raises `SecretFileError`."""
    try:
        with open(path, "rb", opener=open_at_once) as file:  # `Path.open` takes no opener
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise SecretFileError(f"{path} is not a file.")
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise SecretFileError(f"there is no file {path}.") from None
    except OSError as error:
        raise SecretFileError(f"{path} cannot be read: {error.strerror}.") from None
    except ValueError:
        raise SecretFileError("the path has a character that no path can have.") from None
    if len(content) > MAX_BYTES:
        raise SecretFileError(f"{path} is larger than {MAX_BYTES // 1024} KiB.")
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise SecretFileError(f"{path} is not UTF-8 text.") from None
    text = text.removesuffix("\n").removesuffix("\r")
    if not text:
        raise SecretFileError(f"{path} is empty.")
    if not text.isprintable():
        raise SecretFileError(f"{path} contains unprintable characters, such as a line break that is not its last.")
    return text


def open_at_once(path: str, flags: int) -> int:
    """Open a file for reading. A pipe would keep the process waiting for a writer."""
    return os.open(path, flags | os.O_NONBLOCK)


def find_exposed(paths: Iterable[Path]) -> list[Path]:
    """Return the files that every user of this machine can read."""
    return [path for path in dict.fromkeys(paths) if is_exposed(path)]


def is_exposed(path: Path) -> bool:
    try:
        target = path.resolve(strict=True)
        folders_are_open = all(folder.stat().st_mode & stat.S_IXOTH for folder in target.parents)
        return bool(target.stat().st_mode & stat.S_IROTH) and folders_are_open
    except OSError:
        return False
