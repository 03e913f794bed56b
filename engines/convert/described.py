"""A file that runs, described: the manifest beside it, and what that rests on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from engines.builder.frames import Rgb
from engines.convert import origins
from engines.convert.describe import Reading, reading, write_manifest
from engines.convert.heads import of_heads
from engines.convert.metadata import Told
from engines.convert.origins import Known
from engines.convert.shown import feeds_of
from engines.convert.tidy import Picture
from engines.manifest import Input, Manifest, ManifestError, explain
from engines.runtimes import Session, Tensors


@dataclass(frozen=True, slots=True)
class Facts:
    """The facts that are known before a file is read.

    Attributes:
        known: the request, with what the source says of itself.
        told: what it says.
        framework: the source's.
        where: the images come from.
        pictures: they; none for noise.
    """

    known: Known
    told: Told
    framework: str
    where: str
    pictures: list[Rgb]

    def source(self) -> str:
        """For the manifest: names, no paths of this machine."""
        asked = self.known.asked
        name = Path(asked.source).name if Path(asked.source).exists() else asked.source
        made = f" in {asked.network}" if asked.network else ""
        by = f" by {self.told.author:.80}" if self.told.author else ""
        return f"{name}{made}{by} ({self.framework}); mirante models import"


@dataclass(frozen=True, slots=True)
class Described:
    """A file with its manifest.

    Attributes:
        manifest: beside the file.
        how: its decoder, and why.
        fed, origins: the manifest's ``input``, and where its keys and the labels came from.
        feeds: what the network is fed for each image.
    """

    manifest: Manifest
    how: Reading
    fed: Mapping[str, Any]
    origins: Mapping[str, str]
    feeds: list[Tensors]


def described(
    file: Path,
    session: Session,
    ops: Mapping[str, str],
    picture: Picture,
    facts: Facts,
    shown: list[Rgb],
) -> Described:
    """Write the manifest of a file, with its decoder found.

    Args:
        file: the network.
        session: the same, loaded.
        ops: the operator that makes each output, where that is known.
        picture: its input.
        facts: what is known.
        shown: the images.

    Raises:
        ValueError: no decoder fits, or what is asked does not fit it.
    """
    asked = facts.known.asked
    fed, _ = origins.fed(picture, asked, facts.told)
    feeds = feeds_of(read_input(fed), session, shown)[0]
    how = of_heads(session, ops, picture, facts.known, feeds)
    how = how or reading(session, ops, picture, facts.known, feeds)
    fed, sources = origins.fed(picture, asked, facts.told, how.family)
    sources |= {"labels": how.origin}
    manifest = write_manifest(file, asked, fed, how, facts.source(), sources)
    return Described(manifest, how, fed, sources, feeds_of(manifest.input, session, shown))


def read_input(keys: Mapping[str, Any]) -> Input:
    """The manifest's ``input`` as it will be read.

    Raises:
        ManifestError: naming key, value and what was expected.
    """
    try:
        return Input.model_validate(keys)
    except ValidationError as error:
        raise ManifestError(f"input: {explain(error)}") from None
