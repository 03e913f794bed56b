"""The protobuf messages of ``nv.Frame``, built at run time from their fields.

Names, types and numbers are those that NVIDIA publishes: schema.proto in the documentation of
Metropolis, and the field numbers of ``nv::Frame`` in DeepStream's API reference (mega schema).
Readers of the older, shorter schema skip what it does not know.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, timestamp_pb2

PACKAGE = "nv"
VERSION = "4.0"

# A field is name:type=number; * before the type repeats it, % makes a map of strings. A message
# inside another has a dotted name.
MESSAGES = {
    "Frame": "version:string=1 id:string=2 timestamp:Timestamp=3 sensorId:string=4 "
    "objects:*Object=5 fov:*TypeMetrics=6 rois:*TypeMetrics=7 socialDistancing:SD=8 "
    "segmentation:Segmentation=9 interactions:*Interaction=10 congestions:*Congestion=11 info:%=12",
    "Object": "id:string=1 bbox:Bbox=2 type:string=3 confidence:float=4 info:%=5 "
    "embedding:Embedding=6 pose:Pose=7 gaze:Gaze=8 lipActivity:LipActivity=9 speed:float=10 "
    "dir:*float=11 coordinate:Coordinate=12 location:Location=13 bbox3d:Bbox3d=14",
    "Coordinate": "x:double=1 y:double=2 z:double=3",
    "Location": "lat:double=1 lon:double=2 alt:double=3",
    "Bbox": "leftX:float=1 topY:float=2 rightX:float=3 bottomY:float=4 embeddings:*Embedding=5 "
    "confidence:float=6 info:%=7",
    "Bbox3d": "coordinates:*double=1 embeddings:*Embedding=2 confidence:float=3 info:%=4",
    "Segmentation": "mask:*int32=1 info:%=2",
    "TypeMetrics": "id:string=1 type:string=2 count:int32=3 coordinates:*Coordinate=4 "
    "objectIds:*string=5 info:%=6",
    "Cluster": "points:*Point2D=1",
    "Point2D": "x:double=1 y:double=2",
    "SD": "threshold:double=1 proximityDetections:int32=2 clusters:*Cluster=3",
    "Interaction": "id:string=1 objectIds:*string=2 coordinates:*Coordinate=3 description:string=4 "
    "info:%=5",
    "Congestion": "id:string=1 objectIds:*string=2 amount:float=3 info:%=4",
    "Pose": "type:string=1 keypoints:*Pose.Keypoint=2 actions:*Pose.Action=3",
    "Pose.Keypoint": "name:string=1 coordinates:*float=2 quaternion:*float=3",
    "Pose.Action": "type:string=1 confidence:float=2",
    "Gaze": "x:float=1 y:float=2 z:float=3 theta:float=4 phi:float=5",
    "LipActivity": "classLabel:string=1",
    "Embedding": "vector:*float=1 info:%=2",
}

_FIELD = re.compile(r"(\w+):([*%]?)([\w.]*)=(\d+)")
_Field = descriptor_pb2.FieldDescriptorProto
_SCALARS = {
    "string": _Field.TYPE_STRING,
    "float": _Field.TYPE_FLOAT,
    "double": _Field.TYPE_DOUBLE,
    "int32": _Field.TYPE_INT32,
}


def file_descriptor() -> Any:
    """Return the ``FileDescriptorProto`` of all messages that a frame may hold."""
    made = descriptor_pb2.FileDescriptorProto(
        name="mirante/nv_frame.proto",
        package=PACKAGE,
        syntax="proto3",
        dependency=[timestamp_pb2.DESCRIPTOR.name],
    )
    messages: dict[str, Any] = {}
    for name, fields in MESSAGES.items():
        outer, _, own = name.rpartition(".")
        into = messages[outer].nested_type if outer else made.message_type
        messages[name] = into.add(name=own)
        for field, sign, kind, number in _FIELD.findall(fields):
            _add_field(messages[name], name, (field, sign, kind, int(number)))
    return made


@cache
def frame_class() -> Any:
    """Return the class of ``nv.Frame``, in a pool of its own: others may know another one."""
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(timestamp_pb2.DESCRIPTOR.serialized_pb)
    pool.Add(file_descriptor())
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{PACKAGE}.Frame"))


def _add_field(message: Any, name: str, facts: tuple[str, str, str, int]) -> None:
    field, sign, kind, number = facts
    repeated = _Field.LABEL_REPEATED if sign else _Field.LABEL_OPTIONAL
    added = message.field.add(name=field, number=number, label=repeated)
    if kind in _SCALARS:
        added.type = _SCALARS[kind]
        return
    added.type = _Field.TYPE_MESSAGE
    if sign == "%":
        entry = f"{field[0].upper()}{field[1:]}Entry"
        _add_entry(message, entry)
        added.type_name = f".{PACKAGE}.{name}.{entry}"
    else:
        is_timestamp = kind == "Timestamp"
        added.type_name = ".google.protobuf.Timestamp" if is_timestamp else f".{PACKAGE}.{kind}"


def _add_entry(message: Any, entry: str) -> None:
    """Add what a map of strings is on the wire: a repeated pair."""
    pair = message.nested_type.add(name=entry)
    pair.options.map_entry = True
    for number, name in ((1, "key"), (2, "value")):
        pair.field.add(
            name=name, number=number, label=_Field.LABEL_OPTIONAL, type=_Field.TYPE_STRING
        )
