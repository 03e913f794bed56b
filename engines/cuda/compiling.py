"""Machine code of our kernels, made by NVRTC, which needs no GPU, and kept."""

from __future__ import annotations

import hashlib
import logging
import re
from pathlib import Path
from typing import Any

from engines.files import read_checked, write_checked
from engines.store.engines import locked
from mirante.home import home

log = logging.getLogger(__name__)

KERNELS = ("fill_slot", "fill_region", "pack_masks", "score_rows", "pick_rows", "copy_rows")
SOURCE = "kernels.cu"
FOLDER = Path(__file__).parent
# Each product and sum is rounded by itself, as on the host.
OPTIONS = ("--std=c++17", "--fmad=false")


class CompileError(RuntimeError):
    """NVRTC refuses a source; the message is the compiler's own."""


def shelf() -> Path:
    """Return the folder of compiled kernels: ``$MIRANTE_HOME/kernels``, or in the user's cache."""
    return home("cache") / "kernels"


def sources() -> dict[str, str]:
    """Return the texts of the kernels by the names of their files."""
    paths = sorted(FOLDER.glob("*.cu*"))
    return {path.name: path.read_text(encoding="utf-8") for path in paths}


def cubin(architecture: str) -> bytes:
    """Return the machine code of all kernels, found in the store or made.

    It is kept by the digest of sources, options, architecture and NVRTC's version.

    Args:
        architecture: of a GPU, such as ``sm89``.

    Raises:
        ImportError: cuda-bindings or NVRTC are not installed; names the extra.
        CompileError: NVRTC refuses the sources, or does not know the architecture.
    """
    compiler, texts = Compiler(), sources()
    facts = (*texts.items(), OPTIONS, architecture, compiler.version)
    key = f"{architecture}-{hashlib.sha256(repr(facts).encode()).hexdigest()}"
    path = shelf() / f"{key}.cubin"
    if (kept := read_checked(path)) is not None:
        return kept
    try:
        with locked(key, shelf()):
            if (kept := read_checked(path)) is not None:  # another process has made it
                return kept
            made = compiler.compile(SOURCE, texts, architecture)
            write_checked(path, made)
            return made
    except OSError as error:
        log.warning("%s: compiled kernels cannot be kept here: %s", shelf(), error)
        return compiler.compile(SOURCE, texts, architecture)


class Compiler:
    """NVRTC.

    Args:
        api: ``cuda.bindings.nvrtc``, or what behaves like it.

    Raises:
        ImportError: cuda-bindings or NVRTC are not installed; names the extra.

    Attributes:
        version: such as ``13.0``.
    """

    def __init__(self, api: Any = None) -> None:
        self._api = _bindings() if api is None else api
        try:
            _, major, minor = self._api.nvrtcVersion()
        except RuntimeError as error:  # the bindings load the library in their first call
            raise ImportError(f'NVRTC is missing; pip install "mirante[cuda]": {error}') from error
        self.version = f"{major}.{minor}"

    @property
    def architectures(self) -> tuple[str, ...]:
        """The architectures that it knows, such as ``sm89``."""
        _, known = self._api.nvrtcGetSupportedArchs()
        return tuple(f"sm{each}" for each in known)

    def compile(self, name: str, texts: dict[str, str], architecture: str) -> bytes:
        """Return the machine code of ``texts[name]``; the other texts are what it includes.

        Raises:
            CompileError: it does not compile, or the architecture is not known.
        """
        if architecture not in self.architectures:
            raise CompileError(
                f"{name}: NVRTC {self.version} does not know {architecture}; "
                f"it knows {', '.join(self.architectures)}"
            )
        included = {each: text.encode() for each, text in texts.items() if each != name}
        names = [each.encode() for each in included]
        program = self._call(
            "nvrtcCreateProgram",
            texts[name].encode(),
            name.encode(),
            len(included),
            [*included.values()],
            names,
        )
        try:
            options = [*OPTIONS, f"--gpu-architecture={_with_bar(architecture)}"]
            said = [option.encode() for option in options]
            success, (code,) = (
                self._api.nvrtcResult.NVRTC_SUCCESS,
                self._api.nvrtcCompileProgram(program, len(said), said),
            )
            if code != success:
                raise CompileError(f"{name} for {architecture}: {self._log(program) or code.name}")
            made = bytearray(int(self._call("nvrtcGetCUBINSize", program)))
            self._call("nvrtcGetCUBIN", program, made)
            return bytes(made)
        finally:
            self._api.nvrtcDestroyProgram(program)

    def _log(self, program: Any) -> str:
        text = bytearray(int(self._call("nvrtcGetProgramLogSize", program)))
        self._call("nvrtcGetProgramLog", program, text)
        return text.decode(errors="replace").rstrip("\0").strip()

    def _call(self, function: str, *arguments: Any) -> Any:
        code, *answers = getattr(self._api, function)(*arguments)
        if code != self._api.nvrtcResult.NVRTC_SUCCESS:
            raise CompileError(f"{function}: {code.name}")
        return answers[0] if answers else None


def _with_bar(architecture: str) -> str:
    return re.sub(r"^sm", "sm_", architecture)


def _bindings() -> Any:
    try:
        from cuda.bindings import nvrtc
    except ImportError as error:
        raise ImportError(
            f'cuda-bindings are missing; pip install "mirante[cuda]": {error}'
        ) from error
    return nvrtc
