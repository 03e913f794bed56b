"""The GPU memory that a camera uses, in its worker's report."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta


class HeldReport(msgspec.Struct, frozen=True, kw_only=True):
    """The decoded frames of a camera that lie in a GPU's memory and are in use."""

    surfaces: Annotated[int, Meta(description="decoded frames that are in use now")] = 0
    bytes: Annotated[int, Meta(description="of the GPU's memory, that they take")] = 0
    most: Annotated[int, Meta(description="the most at once since it was started")] = 0
