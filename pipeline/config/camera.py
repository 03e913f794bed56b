"""What a configuration says about one camera and the stages its frames pass."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationInfo,
    field_validator,
)

from mirante.keys import CAMERA_NAME
from pipeline.urls import CameraUrl

CameraName = Annotated[str, Field(pattern=CAMERA_NAME)]


class Section(BaseModel):
    """A part of the configuration: frozen, and a key that is not known is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    @field_validator("*", mode="before")
    @classmethod
    def _no_truth_as_number(cls, value: object, info: ValidationInfo) -> object:
        """YAML reads ``fps: on`` as true, and true is 1 to Python."""
        if isinstance(value, bool) and info.field_name:
            wanted = cls.model_fields[info.field_name].annotation
            if wanted in {int, float} or wanted in (int | None, float | None):
                raise ValueError("expected a number")
        return value


Score = Annotated[float, Field(ge=0, le=1)]
Threshold = Annotated[
    Annotated[Score, Tag("<one>")] | Annotated[dict[str, Score], Tag("<per class>")],
    Discriminator(lambda value: "<per class>" if isinstance(value, dict) else "<one>"),
]


class ModelStage(Section):
    """Run a model on each frame, or on the crops of one class that earlier stages found."""

    model: str = Field(description="zoo name, or path of a manifest")
    on: str | None = Field(None, description="run on the boxes of this class instead of the frame")
    threshold: Threshold | None = Field(
        None, description="least score of a detection, 0 to 1; one number, or one per class"
    )


class PythonStage(Section):
    """Run a stage of your own."""

    python: str = Field(description='"module:Class" of a stage', pattern=r"^[\w.]+:\w+$")
    options: dict[str, Any] = Field({}, description="keyword arguments of the class")


def _kind_of_stage(value: object) -> str | None:
    """The tag of a stage: by the key that names it, misspelled or not."""
    if isinstance(value, ModelStage | PythonStage):
        return "<model>" if isinstance(value, ModelStage) else "<python>"
    if not isinstance(value, dict):
        return None
    for kind in ("model", "python"):
        if kind in value:
            return f"<{kind}>"
    near = [kind for key in value for kind in get_close_matches(str(key), ("model", "python"))]
    return f"<{near[0]}>" if near else None


Stage = Annotated[
    Annotated[ModelStage, Tag("<model>")] | Annotated[PythonStage, Tag("<python>")],
    Discriminator(_kind_of_stage),
]


class Preview(Section):
    """The picture for people, encoded only while somebody watches."""

    fps: float = Field(8.0, gt=0, le=60, description="most pictures per second")
    quality: int = Field(70, ge=1, le=100, description="JPEG quality")
    blur: list[str] = Field(
        [], description="classes made unrecognisable before a picture leaves the worker, as [face]"
    )


class CameraOptions(Section):
    """All that has a default about a camera."""

    width: int = Field(640, ge=16, le=7680, description="most pixels of the analysed frame's width")
    height: int = Field(
        640, ge=16, le=4320, description="most pixels of the analysed frame's height"
    )
    fps: float | None = Field(None, gt=0, le=1000, description="most frames analysed per second")
    transport: Literal["tcp", "udp"] = Field("tcp", description="how RTP travels (rtsp only)")
    latency_ms: int = Field(
        150, ge=0, le=10_000, description="milliseconds of jitter buffer (rtsp only)"
    )
    watchdog_s: float = Field(
        3.0, ge=0.5, le=600, description="a live camera silent for so many seconds has stalled"
    )
    pace: Literal["realtime", "every_frame"] = Field(
        "realtime", description="file: only; at the clip's own pace, or every frame, none dropped"
    )
    loop: bool = Field(False, description="file: only; start again at the end")
    keyframes_only: bool = Field(
        False, description="decode key frames alone, for very many cameras"
    )
    stages: list[Stage] = Field(
        [ModelStage(model="street")],  # type: ignore[call-arg]
        max_length=32,
        description="what each frame passes, in order",
    )
    mask_encoding: Literal["bits", "rle", "png", "polygon"] = Field(
        "bits", description="how masks travel; all but polygon are lossless"
    )
    preview: Preview = Field(Preview(), description="the picture for people")  # type: ignore[call-arg]


class Camera(CameraOptions):
    """One camera."""

    url: CameraUrl = Field(
        description="rtsp[s]://, http[s]:// (MJPEG), file:PATH, /dev/videoN or test://"
    )
