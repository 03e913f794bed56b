"""Commands of other rooms and packages, loaded when they are called or listed."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from typing import Any, ClassVar

import typer
from typer.core import TyperGroup


class FoundGroup(TyperGroup):
    """A group of commands, those of the entry points ``mirante.commands`` among them.

    An entry point is a function or a ``typer.Typer``. A worker must not load what only trains or
    converts models, so each is loaded only when it is called, or listed in help.
    """

    prefix: ClassVar[str] = ""  # of the entry points' names

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of the group's own commands, then of those found."""
        own = super().list_commands(ctx)
        return own + [name for name in self._found() if name not in own]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a command by name; None for an unknown one."""
        if (own := super().get_command(ctx, cmd_name)) is not None:
            return own
        if (entry := self._found().get(cmd_name)) is None:
            return None
        around = typer.Typer(add_completion=False, rich_markup_mode=self.rich_markup_mode)
        around.callback()(_nothing)
        command = entry.load()
        if isinstance(command, typer.Typer):
            around.add_typer(command, name=cmd_name)
        else:
            around.command(cmd_name)(command)
        group: Any = typer.main.get_command(around)
        return group.commands[cmd_name]

    def _found(self) -> dict[str, EntryPoint]:
        found = sorted(entry_points(group="mirante.commands"), key=lambda entry: entry.name)
        named = {entry.name.removeprefix(self.prefix): entry for entry in found}
        return {
            name: entry
            for name, entry in named.items()
            if self.prefix + name == entry.name and "." not in name
        }


class FoundModels(FoundGroup):
    """The group ``models``: its entry points are called ``models.NAME``."""

    prefix = "models."


def _nothing() -> None:
    """Make a group even of a single command."""
