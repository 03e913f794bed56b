"""``mirante bundle``: what a machine without internet needs, in files that can be carried there."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from engines.commands import Text, command, names_in
from pipeline.cli.bundling.make import MACHINES, PYTHONS, bytes_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundling:
    """The options of ``mirante bundle``.

    Raises:
        ValueError: the target or Python is not known.
    """

    to: Annotated[Path, typer.Option(help="Folder for the bundle, new or empty.")] = Path(
        "mirante-bundle"
    )
    target: Annotated[str, typer.Option(help=f"Target machine: {' or '.join(MACHINES)}.")] = (
        MACHINES[0]
    )
    python: Annotated[str, typer.Option(help=f"Target Python: {', '.join(PYTHONS)}.")] = PYTHONS[0]
    extras: Annotated[
        tuple[str, ...],
        typer.Option(help="Extras of the package mirante, separated by commas."),
        Text(names_in, "dashboard"),
    ] = ("dashboard",)
    split: Annotated[
        int, typer.Option(help="Maximum size of a part, such as 60M."), Text(bytes_of, "60M")
    ] = 60 << 20

    def __post_init__(self) -> None:
        for option, value, known in (
            ("target", self.target, MACHINES),
            ("python", self.python, PYTHONS),
        ):
            if value not in known:
                raise ValueError(f'--{option}: expected {" or ".join(known)}, got "{value}"')


@command
def bundle(asked: Bundling) -> None:
    """Write the Python packages of another machine as parts, with an installer."""
    from pipeline.cli.bundling.make import check_extras, check_folder, download, pack

    check_extras(asked.extras)
    check_folder(asked.to)
    about = {
        "machine": asked.target,
        "python": asked.python,
        "wanted": f"mirante[{','.join(asked.extras)}]",
    }
    with tempfile.TemporaryDirectory() as wheels:
        download(Path(wheels), asked.target, asked.python, asked.extras)
        files = pack(Path(wheels), asked.to, asked.split, about)
    size = sum(path.stat().st_size for path in files)
    typer.echo(f"{asked.to}: {len(files)} files, {size / 1e6:.0f} MB")
    typer.echo("on the other machine: python3 install.py --to FOLDER")
