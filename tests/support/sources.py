"""What a source file imports and breaks, found in one reading of it."""

from __future__ import annotations

import ast
import gc
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

LONGEST_FUNCTION = 60  # lines without its docstring
PLAIN = {"dict", "dict[str, Any]", "tuple[list[list[int]], float]"}


@dataclass(frozen=True)
class Source:
    """What is asked of a file.

    Attributes:
        imports: each module that it imports, wherever in it, with the line.
        names: modules from which it takes names, with those.
        long: functions that are longer than allowed, with their lengths.
        unready: lines that decode a class for which no decoder is made at import.
    """

    imports: list[tuple[str, int]]
    names: list[tuple[str, set[str]]]
    long: list[str]
    unready: list[int]


def read_source(path: Path, text: str) -> Source:
    """Parse a file once, and go through no more of it than has to be."""
    with nothing_collected():
        return _read(path, text)


@contextmanager
def nothing_collected() -> Iterator[None]:
    """Keep the garbage collector from trees, which have no cycles: it takes a third of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _read(path: Path, text: str) -> Source:
    tree = ast.parse(text)
    told = list(statements(tree))
    if "import_module(" in text or "__import__(" in text:
        told += [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    taken = [node for node in told if isinstance(node, ast.ImportFrom)]
    return Source(
        [*_imports_of(path, told)],
        [(str(node.module), {alias.name for alias in node.names}) for node in taken],
        too_long(told),
        decoded_unready(tree) if ".decode(" in text else [],
    )


def statements(tree: ast.AST) -> Iterator[ast.AST]:
    """Every statement of a file, however deep, without what it is made of."""
    for field in ("body", "orelse", "finalbody", "handlers", "cases"):
        for node in getattr(tree, field, ()):
            yield node
            yield from statements(node)


def _imports_of(path: Path, nodes: Iterable[ast.AST]) -> Iterator[tuple[str, int]]:
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: a relative import"
            yield str(node.module), node.lineno
        elif _is_dynamic_import(node):
            yield node.args[0].value, node.lineno  # type: ignore[attr-defined]


def _is_dynamic_import(node: ast.AST) -> bool:
    """``import_module("…")`` and ``__import__("…")`` with a name written out."""
    if not isinstance(node, ast.Call) or not node.args:
        return False
    called = (
        node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    )
    first = node.args[0]
    named = isinstance(first, ast.Constant) and isinstance(first.value, str)
    return called in {"import_module", "__import__"} and named


def too_long(nodes: Iterable[ast.AST]) -> list[str]:
    """Return the functions that are longer than allowed, with their lengths."""
    return [
        f"{node.name}: {length}"
        for node in nodes
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (length := _length(node)) > LONGEST_FUNCTION
    ]


def _length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function without its decorators and docstring."""
    assert node.end_lineno is not None
    lines = node.end_lineno - node.lineno + 1
    first = node.body[0]
    if ast.get_docstring(node, clean=False) is not None and first.end_lineno is not None:
        lines -= first.end_lineno - first.lineno + 1
    return lines


def decoded_unready(tree: ast.Module) -> list[int]:
    """Return the lines that decode a class for which no ``Decoder`` was made while its module was
    imported: msgspec crashes where two threads decode such a class for the first time.
    """
    return [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "decode"
        and ast.unparse(node.func).startswith("msgspec.")
        and any(
            word.arg == "type" and ast.unparse(word.value) not in PLAIN for word in node.keywords
        )
    ]
