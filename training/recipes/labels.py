"""The masks that a recipe learns, as a folder: ``python -m training.recipes.labels road ...``.

Look at them, or measure on those that training holds out: ``mirante eval`` reads the folder.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from engines.files import read_rgb
from engines.store.models import use_default_mirror
from training.datasets import MaskPicture, MaskSet
from training.datasets.masks import LIKELY
from training.recipes.face import face_set
from training.recipes.road import road_set

SETS: dict[str, Callable[[Path, Path], MaskSet]] = {"road": road_set, "face": face_set}


def write(pictures: list[MaskPicture], out: Path) -> None:
    """Copies images and masks: ``images/<name>`` and ``masks/<plane>/<stem>.png``.

    A plane that is nowhere likely is written empty.
    """
    for picture in pictures:
        targets = {picture.path: out / "images" / picture.path.name}
        for label, path in picture.planes.items():
            targets[path] = out / "masks" / label / f"{picture.path.stem}.png"
        for source, target in targets.items():
            target.parent.mkdir(parents=True, exist_ok=True)
            if source != picture.path and _is_unlikely(source):
                cv2.imwrite(str(target), np.zeros(read_rgb(source).shape[:2], np.uint8))
            else:
                shutil.copyfile(source, target)


def _is_unlikely(plane: Path) -> bool:
    """Return whether it holds nothing but a teacher's doubt, which a person would not draw."""
    return int(read_rgb(plane).max()) < LIKELY


def main() -> None:
    """Writes the folder; teachers label what they have not labelled yet."""
    parser = argparse.ArgumentParser(prog="python -m training.recipes.labels", description=__doc__)
    parser.add_argument("recipe", choices=SETS)
    parser.add_argument("--data", type=Path, required=True, help="the collection of pictures")
    parser.add_argument("--work", type=Path, required=True, help="where teachers' answers are kept")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument("--part", help="only images of this sub-folder of the collection")
    parser.add_argument("--held-out", action="store_true", help="only what training never sees")
    asked = parser.parse_args()
    use_default_mirror()
    pictures = [
        picture
        for picture in SETS[asked.recipe](asked.data, asked.work).pictures
        if asked.part in (None, picture.path.parent.name)
        and (picture.is_held_out or not asked.held_out)
    ]
    write(pictures, asked.out)
    sys.stdout.write(f"{len(pictures)} images in {asked.out}\n")


if __name__ == "__main__":
    main()
