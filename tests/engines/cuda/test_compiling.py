"""NVRTC: every kernel for every kind of GPU, which needs none; what is compiled is kept."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from engines.cuda import compiling
from engines.cuda.compiling import KERNELS, SOURCE, CompileError, Compiler, cubin, sources

TARGETS = ("sm75", "sm80", "sm86", "sm87", "sm89", "sm90", "sm100", "sm120")
OLDEST = TARGETS[0]  # no kernel asks for which of them it is compiled, and this one has least


@pytest.fixture(scope="module")
def compiler() -> Compiler:
    try:
        return Compiler()
    except ImportError as error:
        pytest.skip(str(error))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MIRANTE_HOME", str(tmp_path))
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize(
    "target",
    [pytest.param(each, marks=() if each == OLDEST else pytest.mark.full) for each in TARGETS],
)
def test_every_kernel_compiles(compiler: Compiler, target: str) -> None:
    if target not in compiler.architectures:
        pytest.skip(f"NVRTC {compiler.version} does not know {target}")
    made = compiler.compile(SOURCE, sources(), target)
    assert made.startswith(b"\x7fELF")
    assert {f".text.{kernel}".encode() in made for kernel in KERNELS} == {True}


def test_every_kernel_has_its_name_in_the_list() -> None:
    text = "".join(sources().values())
    assert re.findall(r'extern "C" __global__ void (\w+)', text) != []
    assert {*re.findall(r'extern "C" __global__ void (\w+)', text)} == {*KERNELS}


def test_it_is_compiled_once_and_again_when_damaged(
    compiler: Compiler, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled: list[str] = []

    def noted(self: Compiler, name: str, texts: dict[str, str], architecture: str) -> bytes:
        compiled.append(f"{name} {architecture}")
        return b"\x7fELF of " + architecture.encode()

    monkeypatch.setattr(Compiler, "compile", noted)
    first = cubin("sm89")
    assert cubin("sm89") == first
    assert cubin("sm90") != first
    assert compiled == ["kernels.cu sm89", "kernels.cu sm90"]
    (kept,) = (home / "kernels").glob("sm89-*.cubin")
    kept.write_bytes(kept.read_bytes()[:-1])
    assert cubin("sm89") == first
    assert len(compiled) == 3
    monkeypatch.setattr(compiling, "OPTIONS", ())  # what it is made of, and how, is its name
    cubin("sm89")
    monkeypatch.setattr(compiling, "sources", lambda: {SOURCE: "//"})
    cubin("sm89")
    assert len(compiled) == 5


def test_where_nothing_can_be_kept_it_is_compiled_and_said(
    compiler: Compiler,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(Compiler, "compile", lambda *_: b"made")
    (home / "kernels").write_text("a file")
    assert cubin("sm89") == b"made"
    assert "cannot be kept here" in caplog.text


def test_errors_are_the_compilers_own(compiler: Compiler) -> None:
    with pytest.raises(CompileError, match=r'(?s)bad.cu for sm90: bad.cu\(2\): .*"nothing"'):
        compiler.compile("bad.cu", {"bad.cu": "\nint a = nothing;"}, "sm90")
    with pytest.raises(CompileError, match="does not know sm35; it knows sm75, "):
        compiler.compile("bad.cu", {"bad.cu": ""}, "sm35")


def test_without_the_library_the_extra_is_named() -> None:
    class Missing:
        def nvrtcVersion(self) -> Any:  # noqa: N802
            raise RuntimeError("libnvrtc.so.13: not found")

    with pytest.raises(ImportError, match=r'pip install "mirante\[cuda\]": libnvrtc'):
        Compiler(Missing())


def test_a_compiler_that_says_nothing_is_told_by_its_code() -> None:
    """An empty log is a byte, 0, which must not be written into Python's own one-byte texts."""

    class Silent:
        nvrtcResult = SimpleNamespace(NVRTC_SUCCESS=0)  # noqa: N815
        failed = SimpleNamespace(name="NVRTC_ERROR_OUT_OF_MEMORY")

        def __getattr__(self, name: str) -> Any:
            answers: dict[str, tuple[Any, ...]] = {
                "nvrtcVersion": (13, 0),
                "nvrtcGetProgramLogSize": (1,),
            }
            answers |= {"nvrtcGetSupportedArchs": ([90],), "nvrtcCreateProgram": ("program",)}
            return lambda *_: (0, *answers.get(name, ()))

        def nvrtcCompileProgram(self, *_: Any) -> Any:  # noqa: N802
            return (self.failed,)

        def nvrtcGetProgramLog(self, _program: str, room: bytearray) -> Any:  # noqa: N802
            room[0] = 0
            return (0,)

    with pytest.raises(CompileError, match=r"a\.cu for sm90: NVRTC_ERROR_OUT_OF_MEMORY"):
        Compiler(Silent()).compile("a.cu", {"a.cu": ""}, "sm90")
