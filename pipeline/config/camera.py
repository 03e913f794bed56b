"""What a configuration says about one camera and the stages its frames pass."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from pipeline.urls import CameraUrl

CAMERA_NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"
CameraName = Annotated[str, Field(pattern=CAMERA_NAME)]


class Section(BaseModel):
    """A part of the configuration: frozen, and a key that is not known is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class ModelStage(Section):
    """Run a model on each frame, or on the crops of one class that earlier stages found."""

    model: str = Field(description="zoo name, or path of a manifest")
    on: str | None = Field(None, description="run on the boxes of this class instead of the frame")
    threshold: float | dict[str, float] | None = Field(
        None, description="least score of a detection, 0 to 1; one number, or one per class"
    )


class PythonStage(Section):
    """Run a stage of your own."""

    python: str = Field(description='"module:Class" of a stage', pattern=r"^[\w.]+:\w+$")
    options: dict[str, Any] = Field({}, description="keyword arguments of the class")


class Preview(Section):
    """The picture for people, encoded only while somebody watches."""

    fps: float = Field(8.0, gt=0, le=60, description="most pictures per second")
    quality: int = Field(70, ge=1, le=100, description="JPEG quality")


class Camera(Section):
    """One camera."""

    url: CameraUrl = Field(
        description="rtsp[s]://, http[s]:// (MJPEG), file:PATH, /dev/videoN or test://"
    )
    width: int = Field(640, ge=16, le=7680, description="most pixels of the analysed frame's width")
    height: int = Field(
        640, ge=16, le=4320, description="most pixels of the analysed frame's height"
    )
    fps: float | None = Field(None, gt=0, le=1000, description="most frames analysed per second")
    transport: Literal["tcp", "udp"] = Field("tcp", description="how RTP travels (rtsp only)")
    latency_ms: int = Field(150, ge=0, le=10_000, description="jitter buffer (rtsp only)")
    watchdog_s: float = Field(
        3.0, ge=0.5, le=600, description="a live camera silent this long has stalled"
    )
    pace: Literal["realtime", "every_frame"] = Field(
        "realtime", description="file: only; at the clip's own pace, or every frame, none dropped"
    )
    loop: bool = Field(False, description="file: only; start again at the end")
    keyframes_only: bool = Field(
        False, description="decode key frames alone, for very many cameras"
    )
    stages: list[ModelStage | PythonStage] = Field(
        [], description="what each frame passes, in order"
    )
    mask_encoding: Literal["bits", "rle", "png", "polygon"] = Field(
        "bits", description="how masks travel; all but polygon are lossless"
    )
    preview: Preview = Preview()  # type: ignore[call-arg]
