"""Files of PyTorch: what kind they are, and weights into the module that they belong to."""

from __future__ import annotations

import io
import pickletools
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from engines.convert import ConvertError, first_lines, library
from engines.names import UnknownNameError, resolve

_WRAPPERS = ("state_dict", "model_state_dict", "model", "ema", "net", "params")
_PREFIXES = ("module.", "_orig_mod.")
_NAMED = 5  # keys that an error names
# What pickles of weights alone name.
_DATA = (
    *("torch._utils.", "torch.Size", "torch.storage.", "torch.serialization.", "torch.device"),
    *(f"torch.{kind}Storage" for kind in ("Float", "Half", "BFloat16", "Double", "Bool", "Byte")),
    *(f"torch.{kind}Storage" for kind in ("Char", "Short", "Int", "Long")),
    *("torch.float", "torch.int", "torch.nn.parameter.", "numpy.", "argparse.Namespace"),
    *("collections.OrderedDict", "collections.defaultdict", "builtins.set", "__builtin__.set"),
    "_codecs.encode",
)


def kind_of(path: Path) -> str:
    """``exported``, ``script`` or ``weights``, by what is in the file."""
    if not zipfile.is_zipfile(path):
        return "weights"  # as PyTorch wrote them before 1.6
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    if path.suffix == ".pt2" or any("model_weights_config" in name for name in names):
        return "exported"
    return "script" if any("/code/" in name for name in names) else "weights"


def code_in(path: Path) -> str:
    """A class that a pickled file would import and run, as ``module.Name``; empty for weights.

    The pickle is looked through and not loaded.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if name.endswith("data.pkl")]
            pickle = archive.read(names[0]) if names else b""
    except zipfile.BadZipFile:
        pickle = path.read_bytes()  # as PyTorch wrote them before 1.6: several, one after another
    return next((each for each in _globals_of(pickle) if not each.startswith(_DATA)), "")


def _globals_of(pickle: bytes) -> Iterator[str]:
    """Every ``module.Name`` that pickles name, as far as they can be read."""
    stream = io.BytesIO(pickle)
    texts: list[str] = []
    try:
        while stream.tell() < len(pickle):
            for opcode, value, _ in pickletools.genops(stream):
                if opcode.name == "GLOBAL":
                    yield str(value).replace(" ", ".")
                elif opcode.name == "STACK_GLOBAL":
                    yield ".".join(texts[-2:])
                elif isinstance(value, str):
                    texts.append(value)
    except Exception:  # noqa: BLE001 - pickletools raises of all kinds at bytes that are no pickle
        return


def make(name: str) -> Any:
    """The module that a function makes.

    Raises:
        ValueError: there is no such function, or it gives something else.
        ConvertError: it fails.
    """
    torch = library("torch", "train")
    try:
        function = resolve("network", name, {})
    except UnknownNameError as error:
        raise ValueError(f"{error}; expected a file, or package.module:function") from None
    try:
        module = function()
    except Exception as error:  # the user's own code
        raise ConvertError(f"network {name}: it fails: {first_lines(error)}") from error
    if not isinstance(module, torch.nn.Module):
        raise ValueError(f"network {name}: expected a torch.nn.Module, got {type(module).__name__}")
    return module.cpu().eval()


def fit_weights(module: Any, path: Path) -> None:
    """Loads a file of weights into a module, every one of them.

    Raises:
        ConvertError: the file holds more than weights, or others than the module's.
    """
    torch = library("torch", "train")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # pickle's, zipfile's and torch's own
        raise ConvertError(
            f"{path}: expected weights alone, as torch.save(model.state_dict(), …) writes them; "
            f"others run code when they are read: {first_lines(error, 200)}"
        ) from error
    state = _unwrapped(state, path)
    wanted = module.state_dict()
    missing = [key for key in wanted if key not in state]
    unexpected = [key for key in state if key not in wanted]
    shapes = [
        f"{key} {tuple(state[key].shape)} where the network has {tuple(wanted[key].shape)}"
        for key in wanted
        if key in state and state[key].shape != wanted[key].shape
    ]
    # Counters of training are in newer files only, and say nothing.
    missing = [key for key in missing if not key.endswith("num_batches_tracked")]
    wrong = (("missing", missing), ("unexpected", unexpected), ("of another shape", shapes))
    if said := "; ".join(f"{what}: {_some(keys)}" for what, keys in wrong if keys):
        raise ConvertError(f"{path}: the weights are not those of the network: {said}")
    module.load_state_dict(state, strict=False)


def _unwrapped(state: Any, path: Path) -> dict[str, Any]:
    """Names to tensors, out of what training scripts put around them."""
    while isinstance(state, Mapping):
        inner = next((state[k] for k in _WRAPPERS if isinstance(state.get(k), Mapping)), None)
        if inner is None:
            break
        state = inner
    is_map = isinstance(state, Mapping)
    tensors = {k: v for k, v in state.items() if hasattr(v, "shape")} if is_map else {}
    if not tensors:
        raise ConvertError(f"{path}: expected names and tensors, got {type(state).__name__}")
    for prefix in _PREFIXES:
        if all(key.startswith(prefix) for key in tensors):
            tensors = {key.removeprefix(prefix): value for key, value in tensors.items()}
    return tensors


def _some(keys: Sequence[str]) -> str:
    more = f" and {len(keys) - _NAMED} more" if len(keys) > _NAMED else ""
    return ", ".join(keys[:_NAMED]) + more
