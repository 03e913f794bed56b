"""The commands put together, and what becomes of an error: one line, and an exit status."""

from __future__ import annotations

import os
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from typing import Annotated, Any, ClassVar

import typer

from engines.console import is_fancy
from pipeline.cli.found import FoundGroup

USAGE_STATUS = 2
FAILURE_STATUS = 1
INTERRUPTED_STATUS = 130
LONGEST = 1500  # characters of an error


class Commands(FoundGroup):
    """The commands of this package, in help's order, then those of others."""

    own: ClassVar[dict[str, str]] = {
        "up": "pipeline.cli.configured:up",
        "demo": "pipeline.cli.demo:demo",
        "camera": "pipeline.cli.camera_trial:app",
        "tail": "pipeline.cli.tail:tail",
        "models": "pipeline.cli.models:app",
        "engines": "pipeline.cli.engines:app",
        "run-once": "pipeline.cli.once:run_once",
        "size": "pipeline.cli.size:size",
        "check": "pipeline.cli.configured:check",
        "doctor": "pipeline.cli.doctor:doctor",
        "bundle": "pipeline.cli.bundle:bundle",
    }


@cache
def make_command(is_fancy: bool = False) -> Any:
    """Return the command line as its parser has it; each command is built once."""
    return typer.main.get_command(make_app(is_fancy))


@cache
def make_app(is_fancy: bool = False) -> typer.Typer:
    """The command line. A command is imported when it is called or listed."""
    app = typer.Typer(
        name="mirante",
        cls=Commands,
        help="Camera streams in, detections and masks out on Redis, in real time.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich" if is_fancy else None,
    )
    app.callback()(_options)
    return app


def run(arguments: list[str]) -> int:
    """Runs one command; returns the exit status."""
    debug = "--debug" in arguments or bool(os.environ.get("MIRANTE_DEBUG"))
    try:
        make_command(is_fancy())(arguments, prog_name="mirante")
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else FAILURE_STATUS
    except KeyboardInterrupt:
        return INTERRUPTED_STATUS
    except Exception as error:
        if debug:
            raise
        return _complain(error)
    return 0


def _complain(error: Exception) -> int:
    """Print one line per error to stderr; return 2 for user errors, 1 for the rest."""
    from engines.refusal import RefusalError
    from pipeline.config.camera_url import redact
    from pipeline.config.messages import ConfigError

    if isinstance(error, ConfigError | RefusalError):
        first = "" if isinstance(error, ConfigError) else "mirante: "
        for line in (first + error.lines[0], *error.lines[1:]):
            _tell(line)
        return USAGE_STATUS
    words = redact(" ".join(_said(error).split())) or type(error).__name__
    if len(words) > LONGEST:
        words = f"{words[:LONGEST]} … (MIRANTE_DEBUG=1 shows all)"
    if isinstance(error, RuntimeError | ValueError | OSError | ImportError):
        _tell(f"mirante: {words}")
    else:
        _tell(f"mirante: unexpected {type(error).__name__}: {words} (MIRANTE_DEBUG=1 shows where)")
    return USAGE_STATUS if isinstance(error, ValueError) else FAILURE_STATUS


def _said(error: Exception) -> str:
    """An error of the file system without its number, the place first; any other as it is."""
    if isinstance(error, OSError) and isinstance(error.filename, str) and error.strerror:
        return f"{error.filename}: {error.strerror}"
    return str(error)


def _tell(line: str) -> None:
    with suppress(OSError):  # of a full disk; the exit status tells all the same
        typer.echo(line, err=True)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"mirante {version('mirante')}")
        raise typer.Exit


def _options(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
    _debug: Annotated[
        bool, typer.Option("--debug", help="Show where an error came from (MIRANTE_DEBUG=1).")
    ] = False,
) -> None:
    """Camera streams in, detections and masks out on Redis, in real time."""
