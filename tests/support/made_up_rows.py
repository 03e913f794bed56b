"""The rows of the made-up stage kind and source, added as rows in the tables' files would be.

A plugin of pytest, for a process of its own: it comes before whatever imports the configuration.
"""

from __future__ import annotations

from pipeline.config.source_kinds import SOURCES
from pipeline.config.stages import KINDS

KINDS["tally"] = "tests.support.tally_stage:TallyStage"
SOURCES["made"] = "tests.support.made_source:MADE"
