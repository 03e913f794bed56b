"""``${NAME}`` in the strings of a configuration: secrets stay out of the file."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

REFERENCE = re.compile(r"\$\$\{|\$\{([^}]*)\}")
Path = tuple[str | int, ...]
KEY_VARIABLE = "MIRANTE_FLEET_KEY"  # of all cameras' passwords: no address may have it sent


class UnresolvedReferenceError(ValueError):
    """A ``${…}`` stands for nothing; the message says what was looked for."""


def expand(text: str, lookup: Callable[[str], str]) -> str:
    """``text`` with each ``${NAME}`` replaced by ``lookup(NAME)``; ``$${`` gives ``${``.

    Before the ``@`` of an address the variable holds the name or the password as one types it: it
    is percent-encoded here. References in what was put in are left alone.

    Raises:
        UnresolvedReferenceError: from ``lookup``.
    """

    def put_in(match: re.Match[str]) -> str:
        if match.group(1) is None:
            return "${"
        value = lookup(match.group(1))
        before, after = text[: match.start()], text[match.end() :]
        in_credentials = "@" in after and re.search(r"://[^/]*$", before)
        return quote(value, safe=":") if in_credentials else value

    return REFERENCE.sub(put_in, text)


def from_environment(name: str) -> str:
    """The environment variable ``name``; of ``NAME:-text`` the text where it is not set.

    Raises:
        UnresolvedReferenceError: it is not set, or that is no name.
    """
    found = re.fullmatch(r"([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?", name)
    if found is None:
        raise UnresolvedReferenceError(f"expected ${{NAME}} of a variable, got ${{{name}}}")
    if found[1] == KEY_VARIABLE:
        raise UnresolvedReferenceError(f"expected another variable: {KEY_VARIABLE} is a key")
    value = os.environ.get(found[1], found[2])
    if value is None:
        raise UnresolvedReferenceError(f"expected the environment variable {found[1]} to be set")
    return value


def expand_tree(
    node: Any, lookup: Callable[[str], str], path: Path = ()
) -> tuple[Any, dict[Path, str]]:
    """A copy of nested lists and mappings with their strings expanded.

    Returns:
        the copy, in which an unresolved string stays as it is, and the words of each such failure
        by its path.
    """
    failures: dict[Path, str] = {}

    def visit(value: Any, here: Path) -> Any:
        if isinstance(value, dict):
            return {key: visit(item, (*here, key)) for key, item in value.items()}
        if isinstance(value, list):
            return [visit(item, (*here, index)) for index, item in enumerate(value)]
        if not isinstance(value, str):
            return value
        try:
            return expand(value, lookup)
        except UnresolvedReferenceError as error:
            failures[here] = str(error)
            return value

    return visit(node, path), failures
