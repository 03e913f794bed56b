"""A bare system in a folder, without a network: what a machine is that a bundle is carried to."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

USER = 1000
# Run as a process of its own: a network of itself alone, the kernel's folders, another root.
_INSIDE = """
import ctypes, fcntl, os, socket, struct, subprocess, sys
root, user, command = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
with socket.socket() as any_socket:  # a machine without a network still reaches itself
    fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh14x", b"lo", 0x41))
for kind, place in (("proc", "proc"), ("tmpfs", "dev/shm"), ("tmpfs", "tmp")):
    os.makedirs(f"{root}/{place}", exist_ok=True)
    subprocess.run(["mount", "-t", kind, kind, f"{root}/{place}"], check=True)
for name in ("null", "zero", "random", "urandom"):
    with open(f"{root}/dev/{name}", "a"):
        subprocess.run(["mount", "--bind", f"/dev/{name}", f"{root}/dev/{name}"], check=True)
os.chroot(root)
os.chdir("/home/user")
os.setgroups([])
os.setgid(user)
os.setuid(user)
environment = {"HOME": "/home/user", "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
os.execvpe(command[0], command, environment)
"""


class BareMachine:
    """Debian with its Python and nothing else; made by debootstrap, which needs to be root.

    Args:
        root: the folder, not there yet.
        codename: of the release.
        mirror: URL of its packages.

    Attributes:
        home: the folder of its user, who is nobody special.
    """

    def __init__(self, root: Path, codename: str, mirror: str) -> None:
        if os.geteuid() != 0 or shutil.which("debootstrap") is None:
            pytest.skip("a bare system is made by root, with debootstrap (apt: debootstrap)")
        options = ["--variant=minbase", "--include=python3"]
        command = ["debootstrap", *options, codename, str(root), mirror]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"debootstrap: {done.stdout.strip().splitlines()[-1]}")
        self._root = root
        self.home = root / "home" / "user"
        self.home.mkdir()
        os.chown(self.home, USER, USER)

    def run(self, *command: str, timeout_s: float) -> subprocess.CompletedProcess[str]:
        """Run a command there as its user, without a network."""
        apart = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child"]
        inside = ["/usr/bin/python3", "-c", _INSIDE, str(self._root), str(USER), *command]
        return subprocess.run(
            [*apart, *inside],
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
