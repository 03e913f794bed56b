"""The identity of a process on its machine, by which another process can tell that it is dead.

A process number alone says nothing: in containers each counts from 1, and numbers come round. Nor
does the name of a host, which several may have.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

_PROC = Path("/proc")
_DEAD = frozenset("ZXx")  # it runs no more, though nobody has asked for its exit status yet


def own_identity() -> dict[str, str]:
    """Return the machine's boot, the name spaces that numbers and times belong to, and the start.

    Empty where the system does not tell, or tells of the processes of another name space.
    """
    with suppress(OSError, ValueError, IndexError):
        if str((_PROC / "self").readlink()) != str(os.getpid()):
            return {}
        boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
        _, started = _stat(os.getpid())
        return {"boot": boot, "spaces": _spaces(), "started": started}
    return {}


def is_alive(pid: object, identity: Mapping[str, object]) -> bool | None:
    """Return whether another process runs; None where that cannot be told from here.

    Args:
        pid: its number, as it sees itself.
        identity: as its ``own_identity`` told it.
    """
    own = own_identity()
    here = all(own.get(key) == identity.get(key) for key in ("boot", "spaces"))
    if not own or not here or not isinstance(pid, int) or pid == os.getpid():
        return None  # a process of our own number may be this one
    try:
        state, started = _stat(pid)
    except FileNotFoundError:
        return _exists(pid)
    except (OSError, ValueError, IndexError):
        return None
    return started == identity.get("started") and state not in _DEAD


def _exists(pid: int) -> bool | None:
    """False for a number that no process has; None: one has it, and is hidden."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass
    return None


def _spaces() -> str:
    folder = _PROC / "self/ns"
    names = [name for name in ("pid", "time") if (folder / name).is_symlink()]
    return " ".join(str((folder / name).readlink()) for name in names)


def _stat(pid: int) -> tuple[str, str]:
    """Return the state of a process, and its start in ticks since boot."""
    behind_name = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    return behind_name[0], behind_name[19]
