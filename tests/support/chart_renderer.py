"""Render a Helm chart with Helm's own engine: a program of its own, as that is written in Go.

A process that has loaded the library has Go's threads and signal handlers, which tests are spared.
Reads ``{"chart": PATH, "cases": {NAME: VALUES}}`` and writes ``{NAME: {"rendered": {FILE: TEXT}}}``
or ``{NAME: {"refused": WORDS}}``, and under ``""`` what ``helm lint`` says.
"""

from __future__ import annotations

import json
import sys
from typing import Any


def main() -> None:
    """Answer the question on standard input."""
    import helm_python as helm

    asked = json.load(sys.stdin)
    answers: dict[str, Any] = {"": helm.lint(asked["chart"], strict=True)}
    with helm.Chart.load(asked["chart"]) as chart:
        for name, values in asked["cases"].items():
            try:
                chart.validate_schema(values)
                rendered = chart.render(values, name="cams", namespace="video")
            except helm.HelmError as error:
                answers[name] = {"refused": str(error)}
            else:
                answers[name] = {"rendered": rendered}
    json.dump(answers, sys.stdout)


if __name__ == "__main__":
    main()
