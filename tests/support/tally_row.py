"""The row of the made-up stage kind, added as a row in the table's file would be.

A plugin of pytest, for a process of its own: it comes before whatever imports the configuration.
"""

from __future__ import annotations

from pipeline.config.stages import KINDS

KINDS["tally"] = "tests.support.tally_stage:TallyStage"
