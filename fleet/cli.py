"""``mirante fleet``: more cameras than one machine."""

from __future__ import annotations

from typing import Annotated

import typer

from pipeline.cli.camera import RedisOption

app = typer.Typer(no_args_is_help=True, help="Run more cameras than one machine holds.")


@app.callback()
def _fleet() -> None:
    """Run more cameras than one machine holds."""


@app.command()
def status(
    like: Annotated[
        str | None,
        typer.Option(metavar="CAMERA", help="Say how many more fit that cost what this one does."),
    ] = None,
    redis_url: RedisOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print what the keeper said.")] = False,
) -> None:
    """Show machines, workers, moves, and how many more cameras fit; exit 1 without a keeper."""
    from fleet.status import show
    from pipeline.control.worker_file import redis_address

    if not show(redis_address(redis_url), like, as_json=as_json):
        raise typer.Exit(1)
