"""The demonstration's cameras: their clips, and their configuration."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.config.settings import Settings
from pipeline.config.standard import FACE, TRACKER, Finds

CACHE = Path(".cache/demo")
DRAWN_ROAD, DRAWN_YARD = CACHE / "road.mp4", CACHE / "yard.mp4"
CLIPS = {"folder": CACHE / "clips", "max_gib": 0.25, "days": 1}
LANES = {"lanes": "auto"}


@dataclass(frozen=True, slots=True)
class Scene:
    """One camera of the demo.

    Attributes:
        clips: what it sees, the first that is here; the synthetic camera where none is.
        fps: frames analysed per second on two cores; more cores, more frames.
        model: its first stage: a zoo model, or what finds objects or faces here.
        stages: those behind it.
        keys: further keys of the camera.
    """

    name: str
    clips: tuple[Path, ...]
    fps: float
    model: str
    stages: tuple[Mapping[str, Any], ...]
    keys: Mapping[str, Any]

    def clip(self) -> Path | None:
        """The clip that is shown."""
        return next((clip for clip in self.clips if clip.exists()), None)


SCENES = (
    Scene(
        "street",
        (CACHE / "vtest.avi",),
        10,
        "objects",
        (
            TRACKER,
            {
                "zones": {
                    "junction": {
                        "polygon": [[0.58, 0.4], [0.92, 0.45], [0.98, 0.78], [0.62, 0.58]],
                        "classes": ["person"],
                    }
                },
                "lines": {
                    "path": {"from": [0.48, 0.34], "to": [0.44, 0.62], "classes": ["person"]}
                },
            },
        ),
        {"clips": {"before_s": 3, "after_s": 4, "max_s": 30, "on": ["line-crossed"]}},
    ),
    Scene(
        "face",
        (CACHE / "carphone.mp4",),
        10,
        "faces",
        (TRACKER, {"model": "face", "on": FACE}),
        {},
    ),
    Scene(
        "yard",  # nothing happens: the wall shows what that costs
        (DRAWN_YARD,),
        10,
        "objects",
        (TRACKER,),
        {"sleep": "on"},
    ),
    Scene(
        "road",
        (Path("../shared/clips/lanes.mp4"), DRAWN_ROAD),
        10,
        "road",
        (LANES,),
        {},
    ),
)
SYNTHETIC: tuple[Mapping[str, Any], ...] = (
    {"model": "test-boxes"},
    TRACKER,
    {
        "zones": {"left": {"polygon": [[0, 0.2], [0.5, 0.2], [0.5, 0.7], [0, 0.7]]}},
        "lines": {"middle": {"from": [0.5, 0.2], "to": [0.5, 0.7]}},
    },
    {"model": "test-lane"},
    LANES,
)


def demo_settings(
    urls: Mapping[str, str], models: Mapping[Finds, str], port: int | None
) -> Settings:
    """The demo's configuration.

    Args:
        urls: addresses of the scenes whose clips are here.
        models: those that find objects and faces here.
        port: that of the dashboard, 0 for a free one, None for no dashboard.
    """
    cameras = {scene.name: _camera(scene, urls.get(scene.name), models) for scene in SCENES}
    return Settings.model_validate(
        {
            "worker": "demo",
            "metrics": {"port": None},
            "dashboard": {"port": port, "local_targets": True},  # its own cameras are there
            "log": {"level": "warning"},
            "clips": CLIPS,
            "cameras": cameras,
        }
    )


def _camera(scene: Scene, url: str | None, models: Mapping[Finds, str]) -> dict[str, Any]:
    if url is None:
        return {"url": "test://?fps=10", "stages": SYNTHETIC}
    here = {str(finds): model for finds, model in models.items()}
    first = {"model": here.get(scene.model, scene.model)}
    share = max(1.0, (os.cpu_count() or 1) / 2)
    return {"url": url, "fps": scene.fps * share, "stages": (first, *scene.stages), **scene.keys}
