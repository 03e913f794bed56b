"""``mirante bundle``: what a machine without internet needs, in files that can be carried there."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from engines.commands import Text, command, names_in
from pipeline.cli.bundling.debian import RELEASES
from pipeline.cli.bundling.make import bytes_of
from pipeline.cli.bundling.wheels import CUDAS, GLIBC, MACHINES, PYTHONS
from pipeline.config.standard import WANTED

_NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundling:
    """The options of ``mirante bundle``.

    Raises:
        ValueError: one is of none that is known, or they contradict each other.
    """

    to: Annotated[Path, typer.Option(help="Folder for the bundle, new or empty.")] = Path(
        "mirante-bundle"
    )
    target: Annotated[str, typer.Option(help=f"Target machine: {' or '.join(MACHINES)}.")] = (
        MACHINES[0]
    )
    system: Annotated[
        str,
        typer.Option(
            help=f"Whose GStreamer, Python and Redis travel: {', '.join(RELEASES)}; {_NONE} where "
            "the target has its own."
        ),
    ] = next(iter(RELEASES))
    python: Annotated[
        str | None,
        typer.Option(help=f"With --system none: the target's Python, {', '.join(PYTHONS)}."),
    ] = None
    cuda: Annotated[
        str | None,
        typer.Option(help=f"Also what compiles for NVIDIA GPUs, of CUDA {' or '.join(CUDAS)}."),
    ] = None
    extras: Annotated[
        tuple[str, ...],
        typer.Option(help="Extras of the package mirante, separated by commas."),
        Text(names_in, "dashboard"),
    ] = ("dashboard",)
    models: Annotated[
        tuple[str, ...],
        typer.Option(help="Models whose files travel, separated by commas; '' for none."),
        Text(names_in, ",".join(WANTED.values())),
    ] = tuple(WANTED.values())
    split: Annotated[
        int, typer.Option(help="Maximum size of a part, such as 60M."), Text(bytes_of, "60M")
    ] = 60 << 20
    mirror: Annotated[
        str | None,
        typer.Option(help="Of Debian: where debian and debian-security are; else this system's."),
    ] = None

    def __post_init__(self) -> None:
        for option, value, known in (
            ("target", self.target, MACHINES),
            ("system", self.system, (*RELEASES, _NONE)),
            ("python", self.python, (*PYTHONS, None)),
            ("cuda", self.cuda, (*CUDAS, None)),
        ):
            if value not in known:
                expected = " or ".join(each for each in known if each)
                raise ValueError(f'--{option}: expected {expected}, got "{value}"')
        if self.python and self.system != _NONE:
            brought = RELEASES[self.system].python
            raise ValueError(
                f"--python: expected with --system none, as {self.system} brings Python {brought}"
            )

    @property
    def all_extras(self) -> tuple[str, ...]:
        """The extras, with what ``cuda`` adds."""
        return (*self.extras, *(("cuda",) if self.cuda else ()))


@command
def bundle(asked: Bundling) -> None:
    """Write all that another machine needs as parts, with an installer that needs no network."""
    from pipeline.cli.bundling.make import check_folder, pack
    from pipeline.cli.bundling.wheels import check_extras, download

    check_extras(asked.all_extras)
    check_folder(asked.to)
    release = RELEASES.get(asked.system)
    python = release.python if release else asked.python or PYTHONS[0]
    with tempfile.TemporaryDirectory() as work:
        tree = Path(work)
        models = _put_models(asked.models, tree / "models")
        system = _put_system(asked, tree) if release else {"system": None}
        glibc = release.glibc if release else GLIBC
        (tree / "wheels").mkdir()
        download(tree / "wheels", asked.target, python, asked.all_extras, glibc)
        about = {
            "machine": asked.target,
            "python": python,
            "wanted": f"mirante[{','.join(asked.all_extras)}]",
            "models": models,
            **system,
        }
        files = pack(tree, asked.to, asked.split, about)
    size = sum(path.stat().st_size for path in files)
    typer.echo(f"{asked.to}: {len(files)} files, {size / 1e6:.0f} MB")
    typer.echo("on the other machine: python3 install.py --to FOLDER")


def _put_models(names: tuple[str, ...], folder: Path) -> list[str]:
    """Copy models' files into a folder, and return their names."""
    from engines.manifest import find
    from engines.store.models import resolve_file, use_default_mirror

    use_default_mirror()
    for name in names:
        path = resolve_file(find(name))
        folder.mkdir(exist_ok=True)
        shutil.copyfile(path, folder / Path(find(name).file).name)
    return list(names)


def _put_system(asked: Bundling, tree: Path) -> dict[str, Any]:
    """Unpack a release's packages below ``tree``, and return what bundle.json says of them."""
    from pipeline.cli.bundling import debian

    with tempfile.TemporaryDirectory() as work:
        release = RELEASES[asked.system]
        packages = debian.put(tree / "system", asked.target, release, asked.mirror, Path(work))
    return {
        "system": asked.system,
        "programs": debian.programs(tree / "system"),
        "libraries": debian.library_folders(tree / "system"),
        "packages": packages,
    }
