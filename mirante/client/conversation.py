"""The state of a reader. Everything but I/O is shared with the async client."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mirante.client.group import GroupReader
from mirante.client.plan import Plan
from mirante.client.reader import Reader, SubscribeError
from mirante.client.steps import Ask, Interrupted, Scan, Step


class Conversation:
    """A reader and its next step.

    Attributes:
        reader: has the items.
        step: what is to be done next.
        over: nothing came for ``timeout_s``, or Redis refuses.
        refusal: why.
    """

    def __init__(self, plan: Plan) -> None:
        self.reader = GroupReader(plan) if plan.group else Reader(plan)
        self.over = False
        self.refusal: SubscribeError | None = None
        self.step: Step = None
        self._steps = self.reader.steps()

    @property
    def hungry(self) -> bool:
        """True when the next step is due before an item is handed out."""
        return not self.reader.ready or self.reader.overdue

    def answered(self, reply: list[Any] | None) -> None:
        """The step has been carried out."""
        self._resume(self._steps.send, reply)

    def failed(self, error: Exception) -> None:
        """The step failed."""
        self._resume(self._steps.throw, error)

    def interrupted(self) -> None:
        """Somebody lost patience in the middle of the step; its reply is lost. A pause is over."""
        if isinstance(self.step, Ask | Scan):
            self._resume(self._steps.throw, Interrupted())
        else:
            self._resume(self._steps.send, None)

    def _resume(self, resume: Callable[[Any], Step], value: Any) -> None:
        try:
            self.step = resume(value)
        except StopIteration:
            self.over = True
        except SubscribeError as error:
            self.over, self.refusal = True, error
