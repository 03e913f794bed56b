"""Whether a reason is one that the table of faults, and so the documents, tell."""

from __future__ import annotations

import re

from mirante.faults import FaultCode
from pipeline.cameras.state import Fault


def reads_as(fault: Fault) -> bool:
    """The reason is as the table of faults, which is in the documents, says."""
    if fault.code in {FaultCode.INVALID, FaultCode.OTHER}:
        return True  # words of others
    patterns = (re.escape(each).replace("…", ".*") for each in fault.code.words.split(" / "))
    return any(re.fullmatch(pattern, fault.reason) for pattern in patterns)
