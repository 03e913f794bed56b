"""What works, architecture by framework by runtime by precision: a table told by the tests.

A test that ran something calls ``record``. The row must be the one in ``support_table.json``, from
which docs/engines.md is made, so the table cannot say what no test has shown. After a change:

    MIRANTE_RECORD=1 ./run test tests/engines && python -m tests.support.support_table
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from tests.support import ROOT

ROWS = Path(__file__).with_name("support_table.json")
DOCUMENT = ROOT / "docs" / "engines.md"
BEGIN, END = "<!-- support: made by tests/support/support_table.py -->", "<!-- support: end -->"
COLUMNS = ("architecture", "from", "runtime", "precision", "works")


def record(
    architecture: str, framework: str, runtime: str, precision: str, refusal: str = ""
) -> None:
    """Says that a test has seen it work, or seen it refused for the reason given in a few words.

    Args:
        architecture: of the network, such as ``YOLOX`` or ``U-Net``.
        framework: what it came from: ``ONNX``, ``PyTorch``, ``Keras``, ``TensorFlow``, ``TF Lite``.
        runtime: name in ``engines.runtimes.names.RUNTIMES``, or the format exported to.
        precision: ``fp32``, ``fp16``, ``int8`` or ``fp8``.
        refusal: why not; empty where it works.
    """
    key = " | ".join((architecture, framework, runtime, precision))
    rows = read()
    if os.environ.get("MIRANTE_RECORD"):
        rows[key] = refusal
        ROWS.write_text(json.dumps(dict(sorted(rows.items())), indent=1) + "\n", encoding="utf-8")
        return
    assert key in rows, f"{key}: not in {ROWS.name}; {__doc__}"
    assert rows[key] == refusal, f"{key}: the table says {rows[key]!r}, the test {refusal!r}"


def read() -> dict[str, str]:
    """Refusal (or nothing) by key."""
    return json.loads(ROWS.read_text(encoding="utf-8")) if ROWS.exists() else {}


def table() -> str:
    """The rows as Markdown; what differs in precision alone is one row."""
    grouped: dict[tuple[str, str, str, str], list[str]] = {}
    for key, refusal in read().items():
        architecture, framework, runtime, precision = key.split(" | ")
        grouped.setdefault((architecture, framework, runtime, refusal), []).append(precision)
    lines = [f"| {' | '.join(COLUMNS)} |", "|" + "---|" * len(COLUMNS)]
    for (architecture, framework, runtime, refusal), precisions in sorted(grouped.items()):
        cells = [architecture, framework, f"`{runtime}`", ", ".join(sorted(precisions))]
        lines.append(f"| {' | '.join([*cells, f'no: {refusal}' if refusal else 'yes'])} |")
    return "\n".join(lines)


def rendered() -> str:
    """The document with the table of now."""
    before, _, rest = DOCUMENT.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    return f"{before}{BEGIN}\n\n{table()}\n\n{END}{after}"


if __name__ == "__main__":
    DOCUMENT.write_text(rendered(), encoding="utf-8")
