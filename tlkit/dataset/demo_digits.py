"""scikit-learn's handwritten digits as a photo folder with planted faults."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
SIDE = 64
# Of about 180 there are.
EACH = 120


@dataclass(frozen=True)
class Planted:
    """The images and faults written; `prepare` should find every fault."""

    images: int
    copies: int
    conflicts: int
    broken: int


def write_digits(folder: Path, *, each: int = EACH) -> Planted:
    """Write the digits (Alpaydin and Kaynak 1998) as PNG files in class folders.

    Three exact copies, one image under a second class, and one file that is no
    image are planted among them.

    Args:
        folder: Where to; made if it is not there.
        each: Images per class, at most.

    Returns:
        What was written.
    """
    from sklearn.datasets import load_digits

    digits = load_digits()
    for label, name in enumerate(NAMES):
        (folder / name).mkdir(parents=True, exist_ok=True)
        chosen = np.flatnonzero(digits.target == label)[:each]
        for i, index in enumerate(chosen):
            _save(digits.images[index], folder / name / f"{name}-{i:03d}.png")
    for i in range(3):
        shutil.copyfile(
            folder / "zero" / f"zero-{i:03d}.png", folder / "zero" / f"copy-{i}.png"
        )
    shutil.copyfile(folder / "one" / "one-000.png", folder / "seven" / "mistaken.png")
    (folder / "nine" / "broken.png").write_text("This is no image.\n")
    files = sum(1 for path in folder.glob("*/*") if path.is_file())
    return Planted(files, copies=3, conflicts=1, broken=1)


def write_new_digits(folder: Path, *, after: int = EACH) -> None:
    """Write one of each class that `write_digits` has left, named by what it is.

    Args:
        folder: Where to; made if it is not there.
        after: Images per class that were written.
    """
    from sklearn.datasets import load_digits

    digits = load_digits()
    folder.mkdir(parents=True, exist_ok=True)
    for label, name in enumerate(NAMES):
        index = np.flatnonzero(digits.target == label)[after]
        _save(digits.images[index], folder / f"a-{name}.png")


def _save(values: np.ndarray, path: Path) -> None:
    """Save a digit, 8 x 8 with values 0 to 16, as dark ink on a light ground."""
    gray = (255 - values * 15.9375).astype(np.uint8)
    image = Image.fromarray(gray).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    image.save(path)
