"""Where a user's files lie: ``$MIRANTE_HOME``, or folders of the user's own."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

Kind = Literal["config", "cache", "data"]
_PLACES: dict[Kind, str] = {"config": ".config", "cache": ".cache", "data": ".local/share"}
NOWHERE = Path("/nonexistent")  # what Debian calls the home of users who have none


def home(kind: Kind) -> Path:
    """Return ``$MIRANTE_HOME``, or ``own_folder``."""
    named = os.environ.get("MIRANTE_HOME")
    return Path(named) if named else own_folder(kind)


def own_folder(kind: Kind) -> Path:
    """Return ``~/.config/mirante``, ``~/.cache/mirante`` or ``~/.local/share/mirante``.

    Of a user without a home it is one that cannot be made: whoever writes there says so.
    """
    try:
        folder = Path.home()
    except RuntimeError:
        folder = NOWHERE
    return folder / _PLACES[kind] / "mirante"
