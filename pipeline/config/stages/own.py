"""A stage of the user's own."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from pipeline.config.form import Shown
from pipeline.config.launch import quoted
from pipeline.config.messages import show
from pipeline.config.stages.base import StageKind
from pipeline.config.stages.facts import ModelFacts

if TYPE_CHECKING:
    from plugins.stage import Stage


class PythonStage(StageKind):
    """Run a stage of your own."""

    title: ClassVar[str] = "A stage of your own"
    placeholder: ClassVar[str] = "module:Class"
    example: ClassVar[Mapping[str, str]] = {"python": "package.module:Class"}
    option: ClassVar[str] = "--stage"
    refused_over_api: ClassVar[str] = (
        "expected a model; stages of your own are named in the worker's file"
    )
    hidden: ClassVar[frozenset[str]] = frozenset({"options"})
    is_gated: ClassVar[bool] = False  # nobody knows what it looks at

    python: Annotated[str, Shown("Class")] = Field(
        description='"module:Class" of a stage', pattern=r"^[\w.]+:\w+$"
    )
    options: dict[str, Any] = Field({}, description="keyword arguments of the class")

    def launch_text(self, threads: int) -> str:
        """Return ``mirstage`` with its properties."""
        return f"mirstage python={quoted(self.python)} options={quoted(json.dumps(self.options))}"

    def make(self, threads: int) -> Stage:
        """Return the stage, constructed with its options."""
        from plugins.stage import make_own

        return make_own(self.python, self.options)

    def labels_found(self, facts: Mapping[str, ModelFacts]) -> None:
        """Return None: it may find any class."""

    def check_here(self, here: str) -> Iterator[str]:
        """Yield a line where there is no such class, or it takes no such options."""
        from engines.names import UnknownNameError, resolve

        try:
            factory: Any = resolve("stage", self.python, {})
        except UnknownNameError as error:
            words = str(error).removeprefix(f'stage "{self.python}": ')
            yield f"{here}.python: {show(self.python)} — {words}"
            return
        except Exception as error:  # noqa: BLE001 - a user's module may raise anything on import
            yield f"{here}.python: {show(self.python)} — {type(error).__name__} on import: {error}"
            return
        try:
            inspect.signature(factory).bind(**self.options)
        except TypeError as error:
            yield f"{here}.options: {error} — expected {self.python}{inspect.signature(factory)}"
        except ValueError:  # a class written in C tells no signature
            return
