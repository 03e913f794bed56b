"""One reading of a network's outputs: what a manifest says of a task, itself or in its heads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Self, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from engines.found import KINDS, TASKS, Found
from engines.labels import SKELETONS, TABLES
from mirante.keypoints import Skeleton
from mirante.nearest import nearest

T = TypeVar("T")
Score = Annotated[float, Field(ge=0, le=1)]


class Part(BaseModel):
    """A part of a manifest: further keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _known(task: str) -> str:
    if task not in KINDS:
        raise PydanticCustomError("task", "Input should be {tasks}", {"tasks": TASKS})
    return task


class Head(Part):
    """What is read from a network's outputs, and how.

    ``task``, ``decoder`` and ``labels`` are required; a manifest with heads has them in each.
    """

    task: Annotated[str, AfterValidator(_known)] = Field(
        "",
        description="what it gives, of `engines.found.KINDS`: boxes, with masks or key points, "
        "planes, or attributes or key points of the boxes of another",
    )
    decoder: str = Field(
        "", description='name of a decoder, or "package.module:function" of your own'
    )
    options: dict[str, Any] = Field({}, description="keyword arguments of the decoder")
    network_labels: tuple[str, ...] = Field(
        (),
        alias="labels",
        description="class or plane names of the network, or a named table such as coco80",
    )
    classes: tuple[str, ...] = Field(
        (),
        description="keep only these labels, in this order: cut out of the network where its graph "
        "allows it, else when its outputs are decoded",
    )
    threshold: Score | None = Field(
        None, description="minimum score of a detection or pixel; none for argmax decoders"
    )
    thresholds: dict[str, Score] = Field({}, description="another threshold for some labels")
    keypoints: tuple[str, ...] = Field(
        (), description="names of the key points, or a named table such as coco17"
    )
    skeleton: tuple[tuple[int, int], ...] = Field(
        (), description="pairs of key points that a line joins, by their places in `keypoints`"
    )
    keypoint_threshold: Score = Field(0.3, description="a key point of a lower score is not there")
    iou: Score = Field(0.45, description="boxes of one class that overlap more are one object")

    @property
    def head_fields(self) -> list[str]:
        """The fields that are set, of those of a head."""
        return [key for key in Head.model_fields if key in self.model_fields_set]

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels of what is found: ``classes``, else all of the network."""
        return self.classes or self.network_labels

    @property
    def kept_labels(self) -> tuple[str, ...]:
        """The labels of what is found, in the order of the network."""
        return tuple(label for label in self.network_labels if label in self.labels)

    @property
    def cut(self) -> tuple[int, ...]:
        """The index of each of ``labels`` in the network's; empty where both are the same."""
        if self.labels == self.network_labels:
            return ()
        return tuple(self.network_labels.index(label) for label in self.labels)

    @property
    def kind(self) -> type[Found]:
        """The kind of findings that its decoder gives."""
        return KINDS[self.task]

    @property
    def bones(self) -> Skeleton | None:
        """The names, edges and threshold of its key points; None where it has none."""
        if not self.keypoints:
            return None
        return Skeleton(self.keypoints, self.skeleton, self.keypoint_threshold)

    @model_validator(mode="before")
    @classmethod
    def _table(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        data = dict(data)
        if isinstance(name := data.get("labels"), str):
            data["labels"] = _named("labels", name, TABLES)
        if isinstance(name := data.get("keypoints"), str):
            bones = _named("keypoints", name, SKELETONS)
            data = {"skeleton": bones.edges, **data, "keypoints": bones.names}
        return data

    @model_validator(mode="after")
    def _check_head(self) -> Self:
        self.check_reading()
        return self

    def check_reading(self) -> None:
        """Check that what is read is said, and fits together.

        Raises:
            ValueError: naming the key, its value and what was expected.
        """
        required = ["task", "decoder"]
        if not self.task or self.kind.needs_labels:
            required.append("labels")
        said = {Head.model_fields[key].alias or key for key in self.head_fields}
        if missing := [key for key in required if key not in said]:
            raise ValueError("; ".join(f"{key}: missing, and required" for key in missing))
        if self.kind.needs_labels != bool(self.network_labels):
            expected = "one name or more" if self.kind.needs_labels else "none"
            raise ValueError(
                f"labels: expected {expected} with task {self.task}, "
                f"got {list(self.network_labels)}"
            )
        for key, names in (("labels", self.network_labels), ("classes", self.classes)):
            if len(set(names)) < len(names):
                twice = [name for name, times in Counter(names).items() if times > 1]
                repeated = [name for name in twice for _ in "12"]
                raise ValueError(f"{key}: expected each name once, got {repeated[:6]}")
        self._check_classes()
        if self.kind.needs_threshold and self.threshold is None:
            raise ValueError(f"threshold: expected with task {self.task}, got none")
        check_labels("thresholds", self.thresholds, self.network_labels)
        self._check_keypoints()

    def _check_classes(self) -> None:
        check_labels("classes", self.classes, self.network_labels)
        if self.classes and not self.kind.keeps_classes:
            raise ValueError(
                f"classes: expected none with task {self.task}, as {self.kind.gives} of some "
                f"labels alone are not true; got {list(self.classes)}"
            )

    def _check_keypoints(self) -> None:
        if self.kind.has_keypoints != bool(self.keypoints):
            words = ("none with", f"got {list(self.keypoints)}")
            if self.kind.has_keypoints:
                words = ("their names with", "got none")
            raise ValueError(f"keypoints: expected {words[0]} task {self.task}, {words[1]}")
        if len(set(self.keypoints)) < len(self.keypoints):
            raise ValueError(f"keypoints: expected each name once, got {list(self.keypoints)}")
        for edge in self.skeleton:
            if not all(0 <= end < len(self.keypoints) for end in edge):
                last = len(self.keypoints) - 1
                raise ValueError(f"skeleton: expected pairs of 0 to {last}, got {list(edge)}")


def _named(key: str, name: str, tables: Mapping[str, T]) -> T:
    if name not in tables:
        known = ", ".join(tables)
        raise ValueError(f'{key}: expected a list of names or one of {known}, got "{name}"')
    return tables[name]


def check_labels(key: str, names: Iterable[str], labels: tuple[str, ...]) -> None:
    """Raises ValueError, with the nearest label, when one of ``names`` is not in ``labels``."""
    for name in names:
        if name not in labels:
            hint = nearest(name, labels, "there are")
            raise ValueError(f'{key}: no label "{name}"; {hint}')
