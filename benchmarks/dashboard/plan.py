"""The plan of ``mirante bench dashboard``, filled from its options."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from typer import Option


@dataclass(frozen=True, slots=True)
class Plan:
    """The cameras that publish, and the pages that show them."""

    cameras: Annotated[int, Option(min=1, max=64, help="how many publish")] = 16
    fps: Annotated[float, Option(min=1, max=60, help="frames/s of each")] = 10.0
    pages: Annotated[int, Option(min=1, max=100, help="maximum number of open pages")] = 10
    seconds: Annotated[float, Option(min=2, help="length of each measurement")] = 20.0
