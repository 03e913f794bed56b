"""``mirante fleet``: more cameras than one machine."""

from __future__ import annotations

from typing import Annotated

import typer

from fleet import models_cli
from pipeline.cli.camera import RedisOption

app = typer.Typer(no_args_is_help=True, help="Run more cameras than one machine holds.")
app.add_typer(models_cli.app, name="models")


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


@app.command()
def key(
    rotate: Annotated[
        bool, typer.Option("--rotate", help="Put a new key before those in the file.")
    ] = False,
    reseal: Annotated[
        bool, typer.Option("--reseal", help="Seal all cameras' passwords with the newest key.")
    ] = False,
    drop_old: Annotated[
        bool, typer.Option("--drop-old", help="Keep the newest key alone; refused while in use.")
    ] = False,
    redis_url: RedisOption = None,
) -> None:
    """Make this installation's key, or change it: --rotate, copy the file to every machine of the
    fleet, --reseal, --drop-old. The key itself is shown by nothing.
    """
    from fleet.secrets import Step, change

    asked: dict[Step, bool] = {"rotate": rotate, "reseal": reseal, "drop-old": drop_old}
    steps = [step for step, is_asked in asked.items() if is_asked]
    if len(steps) > 1:
        raise typer.BadParameter("expected one of --rotate, --reseal and --drop-old at a time")
    typer.echo(change(steps[0] if steps else None, redis_url))
