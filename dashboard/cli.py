"""``mirante dashboard``: the web page on its own, and who may log in."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dashboard.access.commands import add_access_commands

if TYPE_CHECKING:
    from pipeline.config.settings import Settings

app = typer.Typer(help="Serve the web page and its API; manage users and tokens.")
add_access_commands(app)


@app.callback(invoke_without_command=True)
def dashboard(
    context: typer.Context,
    config: Annotated[
        Path | None,
        typer.Option(metavar="CONFIG", help="Configuration file with keys dashboard and redis."),
    ] = None,
    redis_url: Annotated[
        str | None,
        typer.Option(
            "--redis",
            help="Redis address; else CONFIG's, MIRANTE_REDIS_URL, the running worker's, "
            "redis://127.0.0.1:6379.",
        ),
    ] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 takes a free one.")] = None,
    first_admin: Annotated[
        bool,
        typer.Option(
            "--first-admin",
            help="Where nobody may log in yet: make a user admin and print the password, once.",
        ),
    ] = False,
) -> None:
    """Serve the web page and its API until Ctrl-C or SIGTERM."""
    if context.invoked_subcommand is not None:
        return
    from dashboard.access import Access
    from dashboard.access.commands import make_first_admin
    from dashboard.app import make_services
    from dashboard.server import serve
    from pipeline.config.dashboard import Dashboard
    from pipeline.control.worker_file import redis_address
    from pipeline.listening import bind, shown_url
    from pipeline.logs import configure_logs

    settings = _settings(config)
    asked: dict[str, Any] = {"host": host, "port": port}
    changes = {key: value for key, value in asked.items() if value is not None}
    page = Dashboard.model_validate(settings.dashboard.model_dump() | changes)
    configure_logs(settings.log)
    access = Access(page)
    if first_admin and (password := make_first_admin(access)):
        typer.echo(f"user admin, password {password} (shown this once)")
    access.check_binding(page.host)
    with bind(page) as listening:
        address = redis_address(redis_url or settings.redis.address())
        services = make_services(address, page, access, clips=settings.clips)
        url = shown_url(listening)
        serve(services, listening, lambda: _serving(f"{url} shows {services.url}"))


@app.command(
    hidden=True,
    add_help_option=False,
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)
def bench(context: typer.Context) -> None:
    """Run ``mirante bench dashboard``, of which this is the old name."""
    from benchmarks.cli import app as benchmarks

    typer.echo("mirante dashboard bench: now called mirante bench dashboard", err=True)
    benchmarks(["dashboard", *context.args], prog_name="mirante bench")


def _serving(words: str) -> None:
    from pipeline.service import READY, tell

    tell(READY)
    with suppress(OSError):  # standard output on a full disk
        typer.echo(words)


def _settings(config: Path | None) -> Settings:
    from pipeline.config.load import load_settings
    from pipeline.config.settings import Settings

    return load_settings(config) if config else Settings()
