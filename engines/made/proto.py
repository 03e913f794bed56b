"""ONNX files read and written by protobuf alone, which ONNX Runtime brings.

The library onnx would add 55 MB to what runs cameras, to change a few constants once. The table
below has the fields of onnx.proto that are read here (https://github.com/onnx/onnx, field numbers
never change); what it does not name stays in the messages as it is.
"""

from __future__ import annotations

from functools import cache
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

_FIELDS: dict[str, dict[str, tuple[int, str]]] = {
    "ModelProto": {"graph": (7, "GraphProto"), "opset_import": (8, "OperatorSetId*")},
    "OperatorSetId": {"domain": (1, "string"), "version": (2, "int64")},
    "GraphProto": {
        "node": (1, "NodeProto*"),
        "initializer": (5, "TensorProto*"),
        "input": (11, "ValueInfo*"),
        "output": (12, "ValueInfo*"),
        "value_info": (13, "ValueInfo*"),
    },
    "NodeProto": {
        "input": (1, "string*"),
        "output": (2, "string*"),
        "name": (3, "string"),
        "op_type": (4, "string"),
        "attribute": (5, "Attribute*"),
        "domain": (7, "string"),
    },
    "Attribute": {
        "name": (1, "string"),
        "i": (3, "int64"),
        "t": (5, "TensorProto"),
        "g": (6, "GraphProto"),
        "ints": (8, "int64*"),
        "type": (20, "int32"),
    },
    "TensorProto": {
        "dims": (1, "int64*"),
        "data_type": (2, "int32"),
        "float_data": (4, "float*"),
        "int32_data": (5, "int32*"),
        "int64_data": (7, "int64*"),
        "name": (8, "string"),
        "raw_data": (9, "bytes"),
        "double_data": (10, "double*"),
        "data_location": (14, "int32"),
    },
    "ValueInfo": {"name": (1, "string"), "type": (2, "TypeProto")},
    "TypeProto": {"tensor_type": (1, "TensorType")},
    "TensorType": {"elem_type": (1, "int32"), "shape": (2, "Shape")},
    "Shape": {"dim": (1, "Dim*")},
    "Dim": {"dim_value": (1, "int64"), "dim_param": (2, "string")},
}
Shape = tuple[int | None, ...]  # None where an axis is free
INT = 2  # AttributeProto.AttributeType
INTS = 7

# TensorProto.DataType of what constants are here, and the field that holds it where it is not raw.
_KINDS: dict[int, tuple[type[np.generic], str]] = {
    1: (np.float32, "float_data"),
    6: (np.int32, "int32_data"),
    7: (np.int64, "int64_data"),
    10: (np.float16, "int32_data"),
    11: (np.float64, "double_data"),
}


_making = Lock()


class ProtoError(ValueError):
    """A file is no ONNX file, or holds a constant that is not read here."""


def _classes() -> dict[str, Any]:
    """Return the classes of the messages by name, the same to every thread.

    A message of one set of classes refuses those of another, and ``cache`` alone lets two threads
    make a set each.
    """
    with _making:
        return _made()


@cache
def _made() -> dict[str, Any]:
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    file = descriptor_pb2.FileDescriptorProto(name="mirante.onnx", package="mirante.onnx")
    scalar = descriptor_pb2.FieldDescriptorProto
    for message, fields in _FIELDS.items():
        described = file.message_type.add(name=message)
        for field, (number, said) in fields.items():
            each = described.field.add(name=field, number=number)
            each.label = scalar.LABEL_REPEATED if said[-1] == "*" else scalar.LABEL_OPTIONAL
            kind = said.rstrip("*")
            if kind in _FIELDS:
                each.type, each.type_name = scalar.TYPE_MESSAGE, f".mirante.onnx.{kind}"
            else:
                each.type = scalar.Type.Value(f"TYPE_{kind.upper()}")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"mirante.onnx.{name}"))
        for name in _FIELDS
    }


def parse(content: bytes) -> Any:
    """Return the ``ModelProto`` of an ONNX file.

    Raises:
        ProtoError: it is none.
    """
    from google.protobuf.message import DecodeError

    model = _classes()["ModelProto"]()
    try:
        model.ParseFromString(content)
    except DecodeError as error:
        raise ProtoError(f"expected an ONNX file: {error}") from error
    if not model.graph.node:
        raise ProtoError("expected an ONNX file, found no node in it")
    return model


def new(message: str, /, **fields: Any) -> Any:
    """Return a message, such as ``NodeProto``, with these fields."""
    return _classes()[message](**fields)


def tensor(array: NDArray[Any], name: str) -> Any:
    """Return a constant as a ``TensorProto``."""
    kind = next(kind for kind, (dtype, _) in _KINDS.items() if dtype == array.dtype)
    raw = np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<"), copy=False).tobytes()
    return new("TensorProto", dims=array.shape, data_type=kind, name=name, raw_data=raw)


def array_of(each: Any) -> NDArray[Any]:
    """Return the numbers of a ``TensorProto``.

    Raises:
        ProtoError: they are of a type that is not read here, or lie in another file.
    """
    if each.data_type not in _KINDS or each.data_location:
        raise ProtoError(f"constant {each.name}: expected numbers in the file itself")
    dtype, field = _KINDS[each.data_type]
    if each.raw_data:
        flat = np.frombuffer(each.raw_data, np.dtype(dtype).newbyteorder("<")).astype(dtype)
    elif dtype is np.float16:
        flat = np.array(each.int32_data, np.uint16).view(np.float16)
    else:
        flat = np.array(getattr(each, field), dtype)
    return flat.reshape(tuple(each.dims))


def attribute(node: Any, name: str, default: Any = None) -> Any:
    """Return an attribute of a node that is a whole number, or a list of them."""
    for each in node.attribute:
        if each.name == name:
            return list(each.ints) if each.type == INTS or each.ints else each.i
    return default


def set_attribute(node: Any, name: str, value: int | list[int]) -> None:
    """Set an attribute of a node."""
    kept = [each for each in node.attribute if each.name != name]
    made = (
        new("Attribute", name=name, i=value, type=INT)
        if isinstance(value, int)
        else new("Attribute", name=name, ints=value, type=INTS)
    )
    del node.attribute[:]
    node.attribute.extend([*kept, made])


def input_of(model: Any, name: str) -> Any:
    """Return what a model declares of an input, None where it has no such input."""
    return next((each for each in model.graph.input if each.name == name), None)


def declared(info: Any) -> Shape:
    """Return the shape that a model declares of an input."""
    return tuple(
        dim.dim_value if dim.HasField("dim_value") and dim.dim_value > 0 else None
        for dim in info.type.tensor_type.shape.dim
    )
