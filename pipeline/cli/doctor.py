"""``mirante doctor``: what this machine lacks, or what is wrong with a running installation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from engines.console import print_table
from pipeline.cli.camera import RedisOption

if TYPE_CHECKING:
    from pipeline.doctor import Finding


def doctor(
    deep: Annotated[
        bool,
        typer.Option(
            "--deep", help="Look at the running installation: Redis, workers, cameras, clocks."
        ),
    ] = False,
    json: Annotated[
        bool, typer.Option("--json", help="With --deep: a JSON object instead of a table.")
    ] = False,
    worker: Annotated[
        str | None, typer.Option(help="With --deep: this worker alone; else all of that Redis.")
    ] = None,
    redis_url: RedisOption = None,
) -> None:
    """Look for every element, library, program, driver and model of the defaults.

    Exit 1 if a required one is missing; with --deep if anything is wrong.
    """
    from engines.store.models import use_default_mirror

    use_default_mirror()
    if deep:
        is_wrong = _look_deep(redis_url, worker, json)
    elif json or worker or redis_url:
        raise typer.BadParameter("--json, --worker and --redis: expected with --deep")
    else:
        is_wrong = _look_here()
    if is_wrong:
        raise typer.Exit(1)


def _look_here() -> bool:
    """Print what this machine lacks; return whether any of it is required."""
    from pipeline.doctor import examine

    findings = examine()
    print_table(
        ["", "part", "kind", "what it is for"],
        [[_mark(f), f.need.name, f.need.kind, f.need.purpose] for f in findings],
    )
    for line in _decoders():
        typer.echo(line)
    lacking = [finding for finding in findings if finding.is_missing]
    for finding in lacking:
        word = "needed" if finding.need.required else "optional"
        typer.echo(f"{finding.need.name} ({word}, {finding.need.purpose}): {finding.need.command}")
    if any(finding.need.required for finding in lacking):
        return True
    typer.echo("all that is needed is here")
    return False


def _look_deep(redis_url: str | None, worker: str | None, as_json: bool) -> bool:
    """Print what is found of the installation; return whether something is wrong."""
    import msgspec

    from pipeline.cli.deep.look import look
    from pipeline.control.worker_file import redis_address

    found = list(look(redis_address(redis_url, worker), worker))
    wrong = [finding for finding in found if finding.level == "wrong"]
    if as_json:
        document = {"ok": not wrong, "findings": found}
        typer.echo(msgspec.json.format(msgspec.json.encode(document)).decode())
        return bool(wrong)
    print_table(
        ["", "area", "of", "how it is"],
        [["WRONG" if f in wrong else f.level, f.area, f.subject, f.words] for f in found],
    )
    for finding in found:
        if finding.mend and finding.level != "ok":
            typer.echo(f"{finding.area} {finding.subject} ({finding.level}): {finding.mend}")
    typer.echo(f"{len(wrong)} wrong" if wrong else "nothing is wrong")
    return bool(wrong)


def _decoders() -> list[str]:
    """The hardware decoders, tried; nothing where GStreamer cannot be asked."""
    try:
        from pipeline.gst.decoder_survey import decoder_lines
    except (ImportError, ValueError):
        return []
    return decoder_lines()


def _mark(finding: Finding) -> str:
    if not finding.is_missing:
        return "ok"
    return "MISSING" if finding.need.required else "absent"
