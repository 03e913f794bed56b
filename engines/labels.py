"""Named tables of class names that manifests may refer to."""

from __future__ import annotations

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
