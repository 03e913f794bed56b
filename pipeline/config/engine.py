"""The configuration of how models run: on which engines, and how these are made and shared."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from pipeline.config.section import Section

AUTO = "auto"  # engine.runtime: whatever is fastest here
CAMERAS = "cameras"  # engine.calibrate: frames of the cameras
_CALIBRATED = ("int8", "fp8")  # precisions whose scales images set


class Engine(Section):
    """The settings of running models."""

    threads: int | None = Field(
        None, ge=1, le=256, description="threads per session; null: from cores and cameras"
    )
    runtime: (
        Literal["auto", "onnxruntime", "openvino", "tensorrt", "tensorrt-lean", "tensorrt-rtx"]
        | None
    ) = Field(
        "auto",
        description="build engines for it and swap them in; auto: whichever of ONNX Runtime and "
        "OpenVINO is measured to be fastest here, where mirante[openvino] is installed; null: "
        "models run as they are",
    )
    precision: Literal["fp32", "fp16", "int8", "fp8"] = Field(
        "fp32", description="of those engines; fp8 on GPUs from Ada on"
    )
    calibrate: str | None = Field(
        None,
        description="for int8 and fp8: a clip or folder of images of what the cameras see; with "
        "it, auto tries int8 too; cameras, only with auto: frames of the cameras themselves",
    )
    batch: int | None = Field(
        None, ge=1, le=256, description="maximum images per call; null: 8 on a GPU, else 1"
    )
    refit: bool = Field(
        False,
        description="engines of tensorrt and tensorrt-rtx take the weights of a model that was "
        "trained on, instead of being built again",
    )
    compatible: bool = Field(
        False, description="engines of tensorrt run on its later versions too; they may be slower"
    )
    dla: int | None = Field(
        None,
        ge=0,
        le=3,
        description="core of a Jetson's DLA that runs what it can, the GPU the rest; with tensorrt "
        "and fp16",
    )
    store: str | None = Field(
        None,
        description="folder that machines share: engines are taken from it, and left there for "
        "others with the same GPU and driver; whoever writes there can run code on them",
    )
    gpu_memory_mib: int | None = Field(
        None,
        ge=16,
        le=1 << 20,
        description="MiB that the worker may hold of each GPU for images and results on their way; "
        "engines' weights are not in it. null: what the GPU has",
    )

    @model_validator(mode="after")
    def _together(self) -> Self:
        self._check_named()
        is_calibrated = self.precision in _CALIBRATED
        if self.runtime != AUTO and is_calibrated != (self.calibrate is not None):
            raise ValueError(
                "calibrate: expected with precision int8 or fp8, or runtime auto, and with these "
                "alone"
            )
        if self.runtime != AUTO and self.calibrate == CAMERAS:
            raise ValueError(f"calibrate: expected a clip or folder, as {CAMERAS} is for auto")
        return self

    def _check_named(self) -> None:
        """What is asked of a runtime must fit it, and asks for one."""
        if self.runtime is not None and self.runtime != AUTO:
            # Here, as what reads a configuration without models, a dashboard, loads none of them.
            from engines.builder.gpu_options import check

            check(self)
            return
        plain = {"precision": "fp32", "refit": False, "compatible": False}
        keys = ("precision", "batch", "refit", "compatible", "dla", "store")
        asked = [key for key in keys if getattr(self, key) != plain.get(key)]
        if asked:
            got = self.runtime or "null"
            raise ValueError(f"runtime: expected one by name with {asked[0]}, got {got}")
