"""``/api/v1/reasons``: what the counters of frames mean."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import ConfigDict, Field

from dashboard.access.rights import Viewer
from dashboard.api.shapes import Shape
from mirante.reasons import Counter, Reason

router = APIRouter(prefix="/api/v1", tags=["cameras"])


class ReasonShape(Shape):
    """Why frames are in a counter other than ``published``."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "reason": "rate",
                    "counter": "dropped",
                    "words": "above the requested rate",
                    "advice": "Nothing is wrong. A higher fps analyses more frames.",
                }
            ]
        }
    )

    reason: str = Field(description="a key of `counts.dropped` or `counts.skipped`, or a counter")
    counter: Counter = Field(
        description="the field of `counts`; frames that are damaged may be dropped as such, too"
    )
    words: str
    advice: str = Field(description="what to do about many of them")


@router.get("/reasons", summary="Why frames are not published", response_model=list[ReasonShape])
async def list_reasons(_who: Viewer) -> list[ReasonShape]:
    """Return what each reason means: words for the keys of a camera's `counts`."""
    return [
        ReasonShape(reason=each, counter=each.counter, words=each.words, advice=each.advice)
        for each in Reason
    ]
