"""Check a session's inputs against what its model declares."""

from __future__ import annotations

from collections.abc import Mapping

from engines.runtimes import FeedError, TensorInfo, Tensors


def check_feeds(inputs: Mapping[str, TensorInfo], feeds: Tensors) -> None:
    """Compares ``feeds`` with the inputs of a model; a few microseconds.

    Raises:
        FeedError: naming the first input that is missing, unknown, or of another shape or type.
    """
    if feeds.keys() != inputs.keys():
        for name in inputs.keys() - feeds.keys():
            raise FeedError(f"input {name}: missing; the model has {', '.join(inputs)}")
        extra = ", ".join(feeds.keys() - inputs.keys())
        raise FeedError(f"input {extra}: unknown input; the model has {', '.join(inputs)}")
    for name, info in inputs.items():
        array = feeds[name]
        if array.dtype != info.dtype:
            raise FeedError(f"input {name}: expected {info.dtype}, got {array.dtype}")
        if not info.fits(array.shape):
            raise FeedError(f"input {name}: expected {_words(info)}, got {_axes(array.shape)}")


def _words(info: TensorInfo) -> str:
    return _axes(tuple("any" if axis is None else axis for axis in info.shape))


def _axes(shape: tuple[int | str, ...]) -> str:
    return f"({', '.join(str(axis) for axis in shape)})"
