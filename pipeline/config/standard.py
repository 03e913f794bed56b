"""The stages of a camera that names none: what they are, and what runs where a file is missing."""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated, Literal

import msgspec

Finds = Literal["objects", "faces"]
WANTED: dict[Finds, str] = {"objects": "yolox-street", "faces": "yunet"}
SHIPPED = "street"  # finds both, fewer of each; its file is in the repository
FACE = "face"
TRACKER = {"track": "bytetrack"}


def _told(description: str) -> msgspec.Meta:
    return msgspec.Meta(description=description)


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """The model that finds objects or faces on one machine, for cameras that name no stages.

    Attributes:
        finds: what it is for.
        wanted: what runs where its file can be had.
        runs: what runs here: ``wanted``, or the shipped model.
        file: the name of the file of ``wanted``.
        folder: where that file may be put.
        host: where it is fetched from; empty where it is not published.
        tried: a line for each place where it is not; empty where ``wanted`` runs.
    """

    finds: Finds
    wanted: Annotated[str, _told("what runs where its file can be had")]
    runs: Annotated[str, _told("what runs here")]
    file: Annotated[str, _told("the file of the model that is wanted")]
    folder: Annotated[str, _told("where that file may be put")]
    host: Annotated[str, _told("where it is fetched from; empty: it is not published")]
    tried: Annotated[tuple[str, ...], _told("a line for each place where it is not")] = ()

    @property
    def is_less(self) -> bool:
        """True if the shipped model runs, which finds fewer."""
        return self.runs != self.wanted

    def words(self) -> str:
        """Return what is lost and how to mend it, in a line; empty where ``wanted`` runs."""
        if not self.is_less:
            return ""
        allow = f" or allow {self.host}" if self.host else ""
        return (
            f"{self.runs}: fewer {self.finds} found than with {self.wanted}; "
            f"put {self.file} into {self.folder}{allow}, then restart"
        )

    def account(self) -> str:
        """Return those words, and below them a line for each place where the file is not."""
        return "\n  - ".join([self.words(), *self.tried])


class Standard(msgspec.Struct, frozen=True, kw_only=True):
    """The models that a machine runs for cameras that name no stages.

    Attributes:
        objects, faces: None until a camera needed it: then ``wanted`` is expected to run.
    """

    objects: Choice | None = None
    faces: Choice | None = None

    def stages(self, blur: Collection[str] = ()) -> list[dict[str, str]]:
        """Return the stages of such a camera, as a configuration says them.

        Args:
            blur: classes that are blurred: faces need a model that finds them.
        """
        if (less := self.less(blur)) is not None:
            return [{"model": less.runs}, TRACKER]
        # Faces come after it: they are found to be blurred, and no objects of their own.
        faces = [{"model": WANTED["faces"]}] if FACE in blur else []
        return [{"model": WANTED["objects"]}, TRACKER, *faces]

    def less(self, blur: Collection[str] = ()) -> Choice | None:
        """Return the choice for which the shipped model runs in such a camera, if any."""
        needed = (self.objects, self.faces) if FACE in blur else (self.objects,)
        return next((choice for choice in needed if choice and choice.is_less), None)
