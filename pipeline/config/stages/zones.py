"""A stage that counts objects in zones and across lines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Self

from mirante.nearest import nearest
from pipeline.config.launch import quoted
from pipeline.config.messages import show
from pipeline.config.stages.base import StageKind
from pipeline.config.stages.facts import Earlier, ModelFacts
from pipeline.config.zones import LineRule, ZoneRule, ZoneRules

if TYPE_CHECKING:
    from plugins.stage import Stage


class ZonesStage(ZoneRules, StageKind):
    """Count tracked objects in zones and across lines."""

    title: ClassVar[str] = "Zones and lines"
    placeholder: ClassVar[str] = "{NAME: …}"
    example: ClassVar[Mapping[str, Any]] = {
        "zones": {"door": {"polygon": [[0.4, 0.5], [0.6, 0.5], [0.6, 1], [0.4, 1]]}},
        "lines": {"gate": {"from": [0.2, 0.8], "to": [0.8, 0.8]}},
    }

    @property
    def name(self) -> str:
        """The stage's name where its time is shown."""
        return self.key()

    @property
    def happens(self) -> Mapping[str, Any]:
        """That objects have tracks."""
        return {"tracked": True}

    @property
    def live(self) -> dict[str, str]:
        """All of it: zones and lines change while the camera runs."""
        return {self.key(): self.rules}

    def fixed(self) -> Self:
        """Return a stage that counts nothing."""
        return self.model_copy(update={"zones": {}, "lines": {}, "ground": None})

    def launch_text(self, threads: int) -> str:
        """Return ``mirzones`` with its properties."""
        return f"mirzones name=zones rules={quoted(self.rules)}"

    def make(self, threads: int) -> Stage:
        """Return the stage with a memory of its own."""
        from plugins.zones.stage import ZonesStage as Counting

        return Counting(self.rules)

    def check(self, here: str, earlier: Earlier, facts: Mapping[str, ModelFacts]) -> Iterator[str]:
        """Yield a line where nothing tracks before it, or finds what it counts."""
        if not {"track", "python"} & set(earlier.kinds):
            yield f"{here}.zones: nothing tracks objects — expected a stage track before it"
        if self.key() in earlier.kinds:
            yield f"{here}.zones: a second one — expected all zones and lines in one stage"
        rules: Mapping[str, ZoneRule | LineRule] = {
            **{f"{here}.zones.{name}": zone for name, zone in self.zones.items()},
            **{f"{here}.lines.{name}": line for name, line in self.lines.items()},
        }
        for place, rule in rules.items():
            yield from _check_names(place, rule, earlier)


def _check_names(place: str, rule: ZoneRule | LineRule, earlier: Earlier) -> Iterator[str]:
    """Yield a line for each class and mask that no earlier stage finds."""
    for index, label in enumerate(rule.classes):
        if earlier.boxes is not None and label not in earlier.boxes:
            hint = nearest(label, earlier.boxes) if earlier.boxes else "none finds boxes"
            words = f"expected a class that an earlier stage finds; {hint}"
            yield f"{place}.classes[{index}]: {show(label)} — {words}"
    plane = rule.mask if isinstance(rule, ZoneRule) else None
    if plane is not None and earlier.masks is not None:
        planes = list(dict.fromkeys(each for found in earlier.masks.values() for each in found))
        if plane not in planes:
            hint = nearest(plane, planes) if planes else "none finds masks"
            words = f"expected a mask that an earlier stage finds; {hint}"
            yield f"{place}.mask: {show(plane)} — {words}"
    if rule.anchor == "mask" and not earlier.owned:
        words = "expected an earlier stage that finds a mask for each object; none does"
        yield f'{place}.anchor: "mask" — {words}'
