"""The configuration of what a worker takes from its fleet."""

from __future__ import annotations

from pydantic import Field

from pipeline.config.clips import Bucket
from pipeline.config.section import Section


class Fleet(Section):
    """What a worker takes from the fleet that gives it cameras."""

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
