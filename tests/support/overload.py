"""A stage that is too slow, fails now and then, and drops now and then."""

from __future__ import annotations

import time
from typing import Any


class Slow:
    def __init__(self, seconds: float, fail: int, drop: int) -> None:
        self.seconds, self.fail, self.drop = seconds, fail, drop
        self.calls = 0

    def __call__(self, frame: Any, result: Any) -> Any:
        self.calls += 1
        time.sleep(self.seconds)
        if self.calls % self.fail == 0:
            raise RuntimeError("now and then")
        return None if self.calls % self.drop == 0 else result
