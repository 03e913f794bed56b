"""Commands that are loaded when they are called or listed."""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, ClassVar, cast

import typer
from typer.core import TyperGroup

from mirante.nearest import similar

ENTRIES = "mirante.commands"


class FoundGroup(TyperGroup):
    """A group of commands, those of the entry points ``mirante.commands`` among them.

    An entry point is a function or a ``typer.Typer``. A worker must not load what only trains or
    converts models, and a command that ends at once not what all others need, so each is loaded
    only when it is called, or listed in help.
    """

    own: ClassVar[dict[str, str]] = {}  # of this package, as entry points are written
    prefix: ClassVar[str] = ""  # of the entry points' names

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of the group's own commands, then of those found."""
        own = [*super().list_commands(ctx), *self.own]
        return own + [name for name in self._found() if name not in own]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a command by name; None for an unknown one."""
        if (known := super().get_command(ctx, cmd_name)) is not None:
            return known
        if cmd_name in self.own:
            entry = EntryPoint(cmd_name, self.own[cmd_name], ENTRIES)
        elif (found := self._found().get(cmd_name)) is not None:
            entry = found
        else:
            return None
        return _built(entry, self.rich_markup_mode)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return a command's name, the command and what follows; a typing mistake is named."""
        if args and self.get_command(ctx, args[0]) is None:
            near = similar(args[0], self.list_commands(ctx), most=3)
            names = ", ".join(map(repr, near))
            ctx.fail(f"No such command {args[0]!r}." + (f" Did you mean {names}?" if near else ""))
        return super().resolve_command(ctx, args)

    def _found(self) -> dict[str, EntryPoint]:
        found = sorted(entry_points(group=ENTRIES), key=lambda entry: entry.name)
        named = {entry.name.removeprefix(self.prefix): entry for entry in found}
        return {
            name: entry
            for name, entry in named.items()
            if self.prefix + name == entry.name and "." not in name
        }


class FoundModels(FoundGroup):
    """The group ``models``: its entry points are called ``models.NAME``."""

    prefix = "models."


@cache
def _built(entry: EntryPoint, rich_markup_mode: Any) -> Any:
    around = typer.Typer(add_completion=False, rich_markup_mode=rich_markup_mode)
    around.callback()(_nothing)
    command = entry.load()
    if isinstance(command, typer.Typer):
        around.add_typer(command, name=entry.name)
    else:
        around.command(entry.name)(command)
    [built] = cast("Any", typer.main.get_command(around)).commands.values()
    return built


def _nothing() -> None:
    """Make a group even of a single command."""
