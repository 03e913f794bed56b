"""Names in configuration to Python objects: a table of lazy ``"module:Object"``, or such a name."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mirante.nearest import nearest


class UnknownNameError(ValueError):
    """A name is neither in its table nor a ``module:Object`` that can be imported."""


def resolve(kind: str, name: str, table: Mapping[str, str]) -> Any:
    """The object that ``name`` stands for.

    A module of a user's own is also found in the folder where the command was given, behind all
    other folders.

    Args:
        kind: what is looked for, in the singular, for the message ("decoder", "runtime", …).
        name: a key of ``table``, or ``"package.module:Object"`` for a user's own.
        table: names to lazy ``"package.module:Object"``.

    Raises:
        UnknownNameError: naming the kind, the name, and the nearest known name.
    """
    target = table.get(name, name)
    if ":" not in target:
        raise UnknownNameError(
            f'no {kind} "{name}"; {nearest(name, sorted(table), "known:")}, '
            'or "package.module:Object" of your own'
        )
    module_name, _, attribute = target.partition(":")
    if name not in table and (here := str(Path.cwd())) not in sys.path:
        sys.path.append(here)
    try:
        return getattr(importlib.import_module(module_name), attribute)
    except (ImportError, AttributeError) as error:
        raise UnknownNameError(f'{kind} "{name}": {error}') from error
