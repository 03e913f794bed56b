"""The configuration of one camera and of the stages that its frames pass."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, ValidationInfo

from mirante.keys import CAMERA_NAME
from pipeline.config.camera_url import CameraUrl
from pipeline.config.clips import Clips
from pipeline.config.events import Events
from pipeline.config.field_of_view import Crop, Rotation, Zone
from pipeline.config.form import Shown
from pipeline.config.onvif import Onvif
from pipeline.config.rates import FrameRate, Rates
from pipeline.config.section import Section
from pipeline.config.source_kinds import forms
from pipeline.config.stages.facts import ModelUse
from pipeline.config.stages.stage import Stage
from pipeline.config.standard import SHIPPED, WANTED
from pipeline.config.thermal import ThermalRange

CameraName = Annotated[str, Field(pattern=CAMERA_NAME)]


def _of_watchdog(value: object, info: ValidationInfo) -> object:
    """Say both forms of the option in one message."""
    if value == "auto":
        return value
    try:
        seconds = float(str(value))
    except ValueError:
        seconds = 0.0
    is_text = isinstance(value, str) and info.mode == "json"  # variables are text, JSON has numbers
    if isinstance(value, bool) or is_text or not 0.5 <= seconds <= 600:
        raise ValueError("expected auto, or a number of at least 0.5 and at most 600")
    return seconds


class Preview(Section):
    """The image for people, encoded only while somebody watches."""

    fps: float = Field(8.0, gt=0, le=60, description="maximum number of images per second")
    quality: int = Field(70, ge=1, le=100, description="JPEG quality")
    width: int = Field(
        1280,
        ge=16,
        le=7680,
        description="maximum width and height of an image from a camera's view, in pixels",
    )
    blur: list[str] = Field(
        [], description="classes made unrecognisable before an image leaves the worker, as [face]"
    )


class CameraMib(Section):
    """The memory that a camera's streams may take in Redis."""

    detections: int | None = Field(
        None, ge=1, le=65_536, description="MiB of detections; null: redis.retention.max_mib"
    )
    masks: int | None = Field(
        None, ge=1, le=65_536, description="MiB of masks; null: redis.retention.max_mib"
    )
    events: int | None = Field(
        None, ge=1, le=65_536, description="MiB of events; null: redis.retention.max_mib"
    )
    images: int | None = Field(
        None, ge=1, le=65_536, description="MiB of images of events; null: redis.retention.max_mib"
    )
    tracks: int | None = Field(
        None, ge=1, le=65_536, description="MiB of tracks; null: redis.retention.max_mib"
    )


class CameraOptions(Section):
    """The options of a camera that have a default."""

    width: int = Field(
        640, ge=16, le=7680, description="maximum width of the analysed frame in pixels"
    )
    height: int = Field(
        640, ge=16, le=4320, description="maximum height of the analysed frame, in pixels"
    )
    fps: FrameRate | None = Field(
        None,
        description="maximum frames analysed per second, or {quiet: 1, busy: 10}: one while "
        "nothing moves, the other from the first motion on; each greater than 0, at most 1000",
    )
    transport: Literal["auto", "tcp", "udp"] = Field(
        "auto",
        description="how RTP travels; auto: TCP, and UDP where TCP gives nothing (rtsp only)",
    )
    answer_s: float = Field(
        10.0, ge=1, le=120, description="seconds that a network camera may take to answer"
    )
    latency_ms: int = Field(
        150, ge=0, le=10_000, description="milliseconds of jitter buffer (rtsp, rtp, srt)"
    )
    damaged: Literal["mark", "drop", "keep"] = Field(
        "mark",
        description="frames that the decoder made up in part, before the first key frame and after "
        "losses: marked, dropped, or kept as if they were whole",
    )
    watchdog_s: Annotated[
        Annotated[float, Field(ge=0.5, le=600)] | Literal["auto"], BeforeValidator(_of_watchdog)
    ] = Field(
        "auto",
        description="seconds of silence after which a live camera has stalled: 0.5 to 600, or "
        "auto: at least 3, from the rate that it has shown",
    )
    pace: Literal["realtime", "every_frame"] = Field(
        "realtime",
        description="file: and images: only; at the clip's own pace, or every frame, none dropped",
    )
    loop: bool = Field(False, description="file: and images: only; start again at the end")
    watch: bool = Field(
        False, description="images: only; take new images as they come, and never end"
    )
    decode: Literal["auto", "software", "vaapi", "nvidia", "v4l2"] = Field(
        "auto",
        description="what decodes H.264 and its like; auto: a device that is here and gives the "
        "same frames as software in a trial, else software",
    )
    keyframes_only: bool = Field(
        False, description="decode key frames alone, for very many cameras"
    )
    rotate: Rotation = Field(
        0, description="degrees clockwise, on top of the rotation that the stream itself names"
    )
    mirror: bool = Field(False, description="swap left and right, after rotating")
    deinterlace: Literal["auto", "on", "off"] = Field(
        "auto", description="auto: frames that the stream marks as interlaced"
    )
    crop: Crop | None = Field(
        None,
        description="the part that is seen: [left, top, right, bottom] in 0..1 of the image as "
        "shown",
    )
    mask: list[Zone] = Field(
        [],
        max_length=100,
        description="areas painted black before anything sees the image: polygons [[x, y], …] in "
        "0..1 of the whole image as shown",
    )
    thermal_range: ThermalRange = Field(
        None,
        description="16-bit grey only: [low, high], the counts shown as black and white, or auto "
        "to follow the image; null: [0, 65535]",
    )
    gate: Literal["auto", "on", "off"] = Field(
        "auto",
        description="frames in which nothing moves skip the models, and are published with what "
        "was found before; auto: for live cameras whose models find boxes, without stages of your "
        "own or lanes",
    )
    sleep: Literal["auto", "on", "off"] = Field(
        "auto",
        description="while the gate of a live camera sees nothing move, only key frames are "
        "decoded; those in between are decoded when something happens; auto: all frames are "
        "decoded while somebody watches; on: viewers see only the key frames",
    )
    stages: list[Stage] | None = Field(
        None,
        max_length=32,
        description=f"what each frame passes, in order; null: {WANTED['objects']}, or {SHIPPED} "
        "where its file cannot be had, and track: bytetrack",
    )
    mask_encoding: Literal["bits", "rle", "png", "polygon"] = Field(
        "bits", description="how masks travel; all but polygon are lossless"
    )
    preview: Preview = Field(Preview(), description="the image for people")
    events: Annotated[Events, Shown("Events")] = Field(
        Events(), description="what is reported of objects that a stage tracks"
    )
    clips: Annotated[Clips | None, Shown("Clips")] = Field(
        None, description="video around moments; null keeps none, {} keeps those asked for"
    )
    onvif: Annotated[Onvif | None, Shown("ONVIF")] = Field(
        None,
        description="receive the camera's own events over ONVIF; null: none, {}: the usual ones",
    )
    max_mib: CameraMib = Field(
        CameraMib(), description="maximum memory of its results in Redis, where not that of all"
    )

    @property
    def most_fps(self) -> float | None:
        """The maximum frames analysed per second, whatever happens; None without a limit."""
        return self.fps.busy if isinstance(self.fps, Rates) else self.fps

    def models(self) -> list[ModelUse]:
        """Return the models that its stages run, in order; none where it names no stages."""
        return [use for stage in self.stages or () for use in stage.models()]


class Camera(CameraOptions):
    """One camera."""

    url: CameraUrl = Field(description=forms())
    view: CameraUrl | None = Field(
        None,
        description="address of a larger stream of the same camera, for the image for people; "
        "null: the image is that which is analysed",
    )
    onvif_url: CameraUrl | None = Field(
        None,
        description="address of its ONVIF service, with a login where it has its own; null: "
        "http://HOST/onvif/device_service at the host of url",
    )
