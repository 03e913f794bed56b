"""The configuration of a worker that a fleet gives cameras to."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from mirante.keys import CAMERA_NAME
from pipeline.config.clips import Bucket
from pipeline.config.section import Section

Label = Annotated[str, Field(pattern=CAMERA_NAME)]


class Fleet(Section):
    """What a worker is in the fleet that gives it cameras, and takes from it."""

    join: bool = Field(False, description="whether the fleet may give it cameras")
    labels: tuple[Label, ...] = Field((), description="what cameras of the fleet may ask for")
    zone: Label | None = Field(None, description="the zone of the network that it is in")
    node: Label | None = Field(
        None, description="the machine that it is on, as the fleet calls it; null: its host name"
    )
    cores: float | None = Field(
        None,
        gt=0,
        le=4096,
        description="cores that cameras may use here; null: 80 % of those that this process has, "
        "which workers of one machine share where no limit of their container says what is theirs",
    )
    models_s3: Bucket | None = Field(
        None, description="a bucket that models of the fleet's cameras are in; null: Redis alone"
    )
    models_gib: float = Field(
        20.0,
        gt=0,
        le=100_000,
        description="maximum GiB of them on this machine; those not used for longest go first",
    )

    @property
    def max_bytes(self) -> int:
        """The maximum size of the models."""
        return int(self.models_gib * 2**30)
