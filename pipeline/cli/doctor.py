"""``mirante doctor``: what this machine lacks, what for, and how to get it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from engines.console import print_table

if TYPE_CHECKING:
    from pipeline.doctor import Finding


def doctor() -> None:
    """Look for every element, library, program, driver and model of the defaults.

    Exit 1 if a required one is missing.
    """
    from engines.store.models import use_default_mirror
    from pipeline.doctor import examine

    use_default_mirror()
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
        raise typer.Exit(1)
    typer.echo("all that is needed is here")


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
