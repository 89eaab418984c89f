"""Many images of every class of objects and grounds, drawn once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import cv2
import numpy as np

from examples.pretrain_nano.bodies import Body
from examples.pretrain_nano.contours import Contour
from examples.pretrain_nano.fractals import Fractal
from examples.pretrain_nano.grounds import Ground
from examples.pretrain_nano.strokes import Strokes
from tlkit.workers import in_order

OBJECTS: dict[str, Any] = {
    "fractals": Fractal,
    "contours": Contour,
    "strokes": Strokes,
    "bodies": Body,
}
GROUNDS = "grounds"


@dataclass(frozen=True)
class Library:
    """All that scenes are put together from.

    Args:
        objects: uint8 [C, V, SIDE, SIDE, 2], V images of every class.
        grounds: uint8 [G, W, SIDE, SIDE, 3], RGB.
    """

    objects: np.ndarray
    grounds: np.ndarray


def draw_library(
    seed: int,
    kinds: Sequence[str],
    *,
    classes: int,
    views: int,
    grounds: int,
    ground_views: int,
    workers: int,
) -> Library:
    """Draw all images; the same ones for the same seed, by however many workers.

    Args:
        seed: Of everything.
        kinds: Names from OBJECTS.
        classes: Of each kind.
        views: Images of each of these.
        grounds: Classes of grounds.
        ground_views: Images of each of these.
        workers: Processes; 0 for none beside this one.

    Returns:
        The library.
    """
    many = dict.fromkeys(kinds, (classes, views)) | {GROUNDS: (grounds, ground_views)}
    drawn = {
        kind: np.stack(
            list(
                in_order(
                    partial(draw_class, seed, kind, each), range(n), workers=workers
                )
            )
        )
        for kind, (n, each) in many.items()
    }
    return Library(np.concatenate([drawn[kind] for kind in kinds]), drawn[GROUNDS])


def draw_class(seed: int, kind: str, views: int, number: int) -> np.ndarray:
    """The images of one class.

    Args:
        seed: Of everything.
        kind: From OBJECTS, or GROUNDS.
        views: How many.
        number: Of the class.

    Returns:
        uint8 [views, SIDE, SIDE, 2 or 3].
    """
    cv2.setNumThreads(1)
    place = [*OBJECTS, GROUNDS].index(kind)
    rng = np.random.default_rng([seed, place, number])
    shape = {**OBJECTS, GROUNDS: Ground}[kind].sample(rng)
    return np.stack([shape.image(rng) for _ in range(views)])
