"""``mirante fleet models``: models that workers of the fleet fetch by what they hold."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from engines.console import print_table
from pipeline.cli.camera import RedisOption, connected

app = typer.Typer(
    help="Put models where workers of the fleet fetch them: in Redis, or in a bucket.",
    no_args_is_help=True,
)
ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", help="Configuration whose fleet.models_s3 names a bucket."),
]


@app.command()
def put(
    model: Annotated[str, typer.Argument(help="Zoo name, or path of a manifest.")],
    config: ConfigOption = None,
    redis_url: RedisOption = None,
) -> None:
    """Put a model where workers fetch it, and print the name that cameras give it."""
    from engines.store.models import use_default_mirror
    from fleet.blobs import place_by
    from pipeline.control.carried_models import carry

    use_default_mirror()
    with connected(redis_url) as client:
        typer.echo(str(carry(place_by(client, config), model)))


@app.command("list")
def list_(config: ConfigOption = None, redis_url: RedisOption = None) -> None:
    """List the models that cameras name, and whether they are there."""
    from fleet.blobs import named, place_by

    with connected(redis_url) as client:
        place = place_by(client, config)
        rows = [
            [str(pin), ", ".join(names), "yes" if place.has(pin.digest) else "no"]
            for pin, names in named(client).items()
        ]
    print_table(["model", "cameras", "stored"], rows)


@app.command()
def prune(config: ConfigOption = None, redis_url: RedisOption = None) -> None:
    """Remove what no camera names."""
    from fleet.blobs import place_by, pruned

    with connected(redis_url) as client:
        gone = pruned(place_by(client, config), client)
    typer.echo("\n".join([f"{len(gone)} removed", *sorted(gone)]))
