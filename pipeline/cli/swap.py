"""``mirante models swap`` and ``rollback``: another model in a running worker."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.camera import RedisOption, connected

Model = Annotated[
    str, typer.Argument(metavar="MODEL", help="As the cameras' stages name it: zoo name or path.")
]
Worker = Annotated[str, typer.Option(help="Name of the worker.")]
Timeout = Annotated[float, typer.Option(help="Seconds to wait for the worker.", min=1)]


def swap(
    model: Model,
    to: Annotated[
        str, typer.Argument(metavar="TO", help="Zoo name, or path of a manifest, of an engine too.")
    ],
    redis_url: RedisOption = None,
    worker: Worker = "main",
    timeout: Timeout = 60.0,
) -> None:
    """Put another model in MODEL's place, between two frames, and keep it after a restart."""
    from engines.manifest import find

    manifest = find(to)  # a mistake is said here already
    if manifest.folder is not None and to.endswith((".yaml", ".yml")):
        to = str(Path(to).resolve())
    _ask(model, to, redis_url, worker, timeout)
    typer.echo(f"undo: mirante models rollback {model}")


def rollback(
    model: Model, redis_url: RedisOption = None, worker: Worker = "main", timeout: Timeout = 60.0
) -> None:
    """Undo the last swap of MODEL."""
    _ask(model, None, redis_url, worker, timeout)


def _ask(model: str, to: str | None, redis_url: str | None, worker: str, timeout: float) -> None:
    from pipeline.control.audit import by_command
    from pipeline.control.rpc import RefusedError
    from pipeline.control.swaps import ask_swap

    back = f"to {to}" if to is not None else "to what ran before"
    about = {"model": model, "worker": worker, "detail": back}
    with connected(redis_url) as client, by_command("swap model", client, **about):
        try:
            words = ask_swap(client, worker, model, to, timeout)
        except RefusedError as error:
            raise RuntimeError(f"{error}; the running model stays") from None
    typer.echo(f"{model}: {words}")
