"""``mirstage``: runs a stage of the user's own, a Python class named by ``module:Class``."""

from __future__ import annotations

import json

from gi.repository import GObject

from plugins.element import StageElement, pad_templates
from plugins.stage import Stage, make_own


class MirStage(StageElement):
    """Calls a user's stage on each frame."""

    __gstmetadata__ = (
        "Mirante Python stage",
        "Filter/Analyzer/Video",
        "Calls a Python object with each frame and its result",
        "Mirante",
    )
    __gsttemplates__ = pad_templates()

    python = GObject.Property(
        type=str, default="", nick="Class", blurb='The stage to run, as "module:Class"'
    )
    options = GObject.Property(
        type=str,
        default="{}",
        nick="Options",
        blurb="Keyword arguments of the class, as a JSON object",
    )

    @property
    def step_name(self) -> str:
        """With the class."""
        return f"mirstage {self.python}"

    def make_stage(self) -> Stage:
        """Imports and constructs the stage."""
        if not self.python:
            raise ValueError('python: not set; expected "module:Class"')
        options = json.loads(self.options)
        if not isinstance(options, dict):
            raise ValueError(f"options: {self.options}; expected a JSON object")
        return make_own(self.python, options)
