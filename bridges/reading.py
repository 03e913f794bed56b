"""Options that every bridge has: the items it reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from engines.commands import Texts
from mirante.keys import bridge_key

if TYPE_CHECKING:
    from mirante.client.plan import Options, Plan, SubscribedKind

_BLOCK_S = 0.5  # within which a bridge notices that it is to stop


@dataclass(frozen=True, kw_only=True)
class Reading:
    """Which cameras' items a bridge carries, and under which name it remembers how far it is.

    Attributes:
        where: a filter of events; other kinds pass.
        name: of the bridge; None for its kind. Two bridges of one kind have two names.
        group: of consumers; None for ``bridge-NAME``.
    """

    cameras: Annotated[
        tuple[str, ...],
        typer.Option(
            "--camera", metavar="NAME", help="Name or pattern ('gate-*'); repeatable; default: all."
        ),
        Texts(tuple),
    ] = ("*",)
    where: Annotated[
        str | None,
        typer.Option(help='Filter of events, such as "label = person and zone = gate".'),
    ] = None
    since_s: Annotated[
        float | None,
        typer.Option("--since", help="The first time, begin N seconds ago.", min=0),
    ] = None
    name: Annotated[
        str | None, typer.Option(help="Name on the page and in Redis; default: the bridge's kind.")
    ] = None
    group: Annotated[
        str | None, typer.Option(help="Consumer group to read in; default: bridge-NAME.")
    ] = None
    redis: Annotated[
        str | None,
        typer.Option(
            help="Redis address; default: MIRANTE_REDIS_URL, the running worker's, "
            "redis://127.0.0.1:6379."
        ),
    ] = None

    def named(self, kind: str) -> str:
        """Return the bridge's name.

        Raises:
            ValueError: no bridge can have it.
        """
        name = self.name or kind
        try:
            bridge_key(name, "report")
        except ValueError as error:
            raise ValueError(f"--{error}") from None
        return name

    def address(self) -> str:
        """Return the address of Redis, with its secrets."""
        from pipeline.config.settings import Settings
        from pipeline.control.worker_file import redis_address

        return redis_address(self.redis or Settings().redis.address())

    def plan(self, kind: str, kinds: Sequence[SubscribedKind]) -> Plan:
        """Return what is read, durably: the same consumer each time finds what it held.

        Args:
            kind: of the bridge.
            kinds: of items.

        Raises:
            ValueError: an option is not as it should be.
        """
        from mirante.client.plan import make_plan

        name = self.named(kind)
        where = self.where if "events" in kinds else None
        if self.where is not None and where is None:
            raise ValueError(f"--where: expected a bridge that carries events, got {kind}")
        rest: Options = {"redis": self.address(), "consumer": name, "where": where}
        rest["block_s"] = _BLOCK_S
        return make_plan(self.cameras, kinds, self.group or f"bridge-{name}", self.since_s, rest)
