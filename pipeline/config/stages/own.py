"""A stage of the user's own."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from pipeline.config.section import Section


class PythonStage(Section):
    """Run a stage of your own."""

    python: str = Field(description='"module:Class" of a stage', pattern=r"^[\w.]+:\w+$")
    options: dict[str, Any] = Field({}, description="keyword arguments of the class")
