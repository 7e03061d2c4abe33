"""Finds the source of an object and replaces a piece of code in it, whatever its formatting."""

import ast
import inspect
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).parents[2]

TOKEN = re.compile(
    r"""
    (?P<skipped>\s+|\#[^\n]*)
    |[rbfu]{0,2}(?:\"{3}.*?\"{3}|'{3}.*?'{3}|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')
    |\w+
    |.
    """,
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)


class NotFoundOnceError(ValueError):
    """The code to replace does not occur exactly once."""


@dataclass(frozen=True, slots=True)
class Location:
    file: str  # relative to the repository
    first_line: int  # from 1
    last_line: int


def locate(target: Any) -> Location:
    """Return where a function, method, property, class or module is defined."""
    if isinstance(target, ModuleType):
        path = Path(str(target.__file__))
        return Location(str(path.relative_to(ROOT)), 1, len(path.read_text("utf-8").splitlines()))
    if isinstance(target, property):
        target = target.fget
    elif isinstance(target, cached_property):
        target = target.func
    target = inspect.unwrap(target)
    path = Path(str(inspect.getsourcefile(target)))
    node: Any = ast.parse(path.read_text("utf-8"))
    for name in target.__qualname__.split("."):
        node = next(child for child in ast.walk(node) if getattr(child, "name", None) == name and child is not node)
    first_line = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
    return Location(str(path.relative_to(ROOT)), first_line, node.end_lineno)


def replace_code(source: str, location: Location, old: str, new: str) -> str:
    """Return the file's `source` with `old` replaced by `new` within the location.

    Raises `NotFoundOnceError`.
    """
    lines = source.splitlines(keepends=True)
    start = sum(map(len, lines[: location.first_line - 1]))
    end = sum(map(len, lines[: location.last_line]))
    spans, replacement = find_code(source[start:end], old), new
    if spans:
        first = start + spans[0][0]
        line = source[source.rfind("\n", 0, first) + 1 : first]
        replacement = indented(new, line[: len(line) - len(line.lstrip())])
    else:  # a part of a string, such as an SQL text
        spans = [match.span() for match in re.finditer(re.escape(old), source[start:end])]
    if len(spans) != 1:
        raise NotFoundOnceError(f"found {len(spans)} times in {location.file}")
    first, last = (start + offset for offset in spans[0])
    return source[:first] + replacement + source[last:]


def find_code(source: str, wanted: str) -> list[tuple[int, int]]:
    """Return where the tokens of `wanted` occur in `source`."""
    tokens = tokenize(source)
    wanted_words = [word for word, _, _ in tokenize(wanted)]
    words = [word for word, _, _ in tokens]
    count = len(wanted_words)
    starts = [index for index in range(len(words) - count + 1) if words[index : index + count] == wanted_words]
    return [(tokens[index][1], tokens[index + count - 1][2]) for index in starts]


def tokenize(source: str) -> list[tuple[str, int, int]]:
    """Return each token with its start and end, without trailing commas."""
    tokens = [(match[0], match.start(), match.end()) for match in TOKEN.finditer(source) if match["skipped"] is None]
    return [
        token
        for token, following in zip(tokens, [*tokens[1:], ("", 0, 0)], strict=True)
        if not (token[0] == "," and following[0] in (")", "]", "}"))
    ]


def indented(code: str, indent: str) -> str:
    """Return `code` with its lines after the first indented relative to a first line at `indent`."""
    lines = code.strip("\n").split("\n")
    base = len(lines[0]) - len(lines[0].lstrip())
    rest = [
        indent[: max(0, len(indent) + len(line) - len(line.lstrip()) - base)].ljust(
            max(0, len(indent) + len(line) - len(line.lstrip()) - base)
        )
        + line.lstrip()
        for line in lines[1:]
    ]
    return "\n".join([lines[0].lstrip(), *rest])
