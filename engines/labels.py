"""Named tables of class names and of key points that manifests may refer to."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count

from mirante.keypoints import Skeleton

# The 80 categories of COCO (Lin et al. 2014) in the order in which detectors number them.
COCO80 = (
    "person", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat",
    "traffic light", "fire hydrant", "stop sign", "parking meter", "bench", "bird", "cat", "dog",
    "horse", "sheep", "cow", "elephant", "bear", "zebra", "giraffe", "backpack", "umbrella",
    "handbag", "tie", "suitcase", "frisbee", "skis", "snowboard", "sports ball", "kite",
    "baseball bat", "baseball glove", "skateboard", "surfboard", "tennis racket", "bottle",
    "wine glass", "cup", "fork", "knife", "spoon", "bowl", "banana", "apple", "sandwich",
    "orange", "broccoli", "carrot", "hot dog", "pizza", "donut", "cake", "chair", "couch",
    "potted plant", "bed", "dining table", "toilet", "tv", "laptop", "mouse", "remote",
    "keyboard", "cell phone", "microwave", "oven", "toaster", "sink", "refrigerator", "book",
    "clock", "vase", "scissors", "teddy bear", "hair drier", "toothbrush",
)  # fmt: skip

# The same with the ten categories between them that have no annotations: number i is COCO's
# category id i + 1, as networks count that were trained on these ids (TensorFlow, torchvision).
_UNUSED = {
    12: "street sign", 26: "hat", 29: "shoe", 30: "eye glasses", 45: "plate", 66: "mirror",
    68: "window", 69: "desk", 71: "door", 83: "blender",
}  # fmt: skip
_used = iter(COCO80)
COCO90 = tuple(_UNUSED.get(number) or next(_used) for number in range(1, 91))

TABLES: dict[str, tuple[str, ...]] = {"coco80": COCO80, "coco90": COCO90}


def distinct(labels: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the labels, each once, and those that came more than once.

    The second "crane" becomes "crane (2)", so that thresholds, stages and readers of messages can
    tell both.
    """
    taken = set(labels)
    seen: set[str] = set()
    found, doubled = [], []
    for label in labels:
        name = label
        if label in seen:
            doubled.append(label)
            numbered = (f"{label} ({number})" for number in count(2))
            name = next(each for each in numbered if each not in taken)
        taken.add(name)
        seen.add(label)
        found.append(name)
    return tuple(found), tuple(dict.fromkeys(doubled))


# The 17 key points of COCO's persons in its order, and the lines that its authors draw, by places.
COCO17 = Skeleton(
    (
        "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder",
        "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist", "left_hip",
        "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle",
    ),
    (
        (15, 13), (13, 11), (16, 14), (14, 12), (11, 12), (5, 11), (6, 12), (5, 6), (5, 7), (6, 8),
        (7, 9), (8, 10), (1, 2), (0, 1), (0, 2), (1, 3), (2, 4), (3, 5), (4, 6),
    ),
)  # fmt: skip

# The five landmarks of faces; right and left are the person's.
FACE5 = Skeleton(
    ("right_eye", "left_eye", "nose", "right_mouth", "left_mouth"),
    ((0, 1), (0, 2), (1, 2), (2, 3), (2, 4), (3, 4)),
)

SKELETONS: dict[str, Skeleton] = {"coco17": COCO17, "face5": FACE5}
