"""Scenes: an object in some color, size and place on a ground."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from examples.pretrain_nano import objects
from examples.pretrain_nano.library import Library
from tlkit.workers import in_order

HUES = 12
LAYERS = [field.name for field in fields(Library)]
# An object differs from its ground by so much in some color, or nobody could see it.
CONTRAST = 45


@dataclass(frozen=True)
class Scenes:
    """A batch of them.

    Args:
        pixels: uint8 [B, side, side, 3], RGB.
        objects: int64 [B], the class of the object.
        grounds: int64 [B], that of the ground.
        hues: int64 [B], the color of the object, HUES for none.
    """

    pixels: np.ndarray
    objects: np.ndarray
    grounds: np.ndarray
    hues: np.ndarray


def stream(
    library: Library, seed: int, batch: int, sides: Sequence[int], *, workers: int
) -> Iterator[Scenes]:
    """Batches in their order, drawn by workers ahead of time.

    Args:
        library: What they are put together from.
        seed: Of all batches.
        batch: Scenes in each.
        sides: In pixels, one a batch.
        workers: Processes that draw; 0 for none beside this one.

    Yields:
        The batches.
    """
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        for name in LAYERS:
            np.save(place / f"{name}.npy", getattr(library, name))
        draw = partial(_draw, place, seed, batch)
        yield from in_order(draw, enumerate(sides), workers=workers)


def _draw(place: Path, seed: int, batch: int, asked: tuple[int, int]) -> Scenes:
    number, side = asked
    return draw_scenes(_opened(place), seed, number, batch, side)


@functools.cache
def _opened(place: Path) -> Library:
    cv2.setNumThreads(1)
    return Library(*(np.load(place / f"{name}.npy", mmap_mode="r") for name in LAYERS))


def draw_scenes(
    library: Library, seed: int, number: int, batch: int, side: int
) -> Scenes:
    """The scenes of one batch, the same whoever draws them and when.

    Args:
        library: What they are put together from.
        seed: Of all batches.
        number: Of the batch.
        batch: How many.
        side: In pixels.

    Returns:
        The scenes.
    """
    rng = np.random.default_rng([seed, number])
    classes = rng.integers(len(library.objects), size=batch)
    grounds = rng.integers(len(library.grounds), size=batch)
    hues = rng.integers(HUES + 1, size=batch)
    pixels = np.stack(
        [
            _scene(library, rng, int(obj), int(ground), int(hue), side)
            for obj, ground, hue in zip(classes, grounds, hues, strict=True)
        ]
    )
    return Scenes(pixels, classes, grounds, hues)


def _scene(
    library: Library,
    rng: np.random.Generator,
    obj: int,
    ground: int,
    hue: int,
    side: int,
) -> np.ndarray:
    below = _patch(_any(library.grounds[ground], rng), rng, side)
    gray, cover = _placed(_any(library.objects[obj], rng), rng, side)
    dark, light = _colors(hue, rng)
    above = dark + (light - dark) * gray
    if rng.random() < 0.35:
        relief = _any(library.grounds[rng.integers(len(library.grounds))], rng)
        tone = cv2.cvtColor(_patch(relief, rng, side), cv2.COLOR_RGB2GRAY)[..., None]
        above *= 0.45 + 0.55 * tone / max(1.0, tone.max())
    mean = _mean(above, cover)
    if np.abs(mean - _mean(below)).max() < CONTRAST:
        below = (0.5 * below + (150 if mean.mean() < 110 else -20)).clip(0, 255)
    return _photo(below + (above - below) * cover, rng)


def _any(views: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    view: np.ndarray = views[rng.integers(len(views))]
    return view


def _mean(pixels: np.ndarray, cover: np.ndarray | None = None) -> np.ndarray:
    """The mean color, float [3], where half or more is covered."""
    mask = None if cover is None else (cover > 0.5).astype("uint8")
    return np.array(cv2.mean(pixels, mask)[:3])


def _patch(ground: np.ndarray, rng: np.random.Generator, side: int) -> np.ndarray:
    """A piece of a ground, nearer or farther: float32 [side, side, 3]."""
    size = min(len(ground), int(side * rng.uniform(0.7, 1.5)))
    y, x = rng.integers(0, len(ground) - size + 1, 2)
    piece = ground[y : y + size, x : x + size, :]
    if rng.random() < 0.5:
        piece = piece[:, ::-1]
    way = cv2.INTER_AREA if size > side else cv2.INTER_LINEAR
    return cv2.resize(piece, (side, side), interpolation=way).astype("float32")


def _placed(
    obj: np.ndarray, rng: np.random.Generator, side: int
) -> tuple[np.ndarray, np.ndarray]:
    """Gray and cover, float32 [side, side, 1] each, 0..1, rotated, scaled and moved."""
    share = rng.uniform(0.55, 1.15)
    middle = objects.SIDE / 2
    turn = cv2.getRotationMatrix2D(
        (middle, middle), rng.normal(0, 20), share * side / objects.SIDE
    )
    room = max(2.0, side * (1.1 - share) / 2)
    moved = side / 2 - middle + 0.6 * rng.uniform(-room, room, 2)
    turn = np.column_stack([turn[:, :2], turn[:, 2] + moved])
    placed = cv2.warpAffine(obj, turn, (side, side)).astype("float32") / 255
    return placed[..., :1], placed[..., 1:]


def _colors(hue: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Two tones of a hue, for what is dark and what is light: float32 [3], 0..255."""
    saturation = 0.0 if hue == HUES else rng.uniform(0.35, 1)
    low = rng.uniform(0, 0.6)
    tones = [low, rng.uniform(max(0.45, low + 0.1), 1)]
    if rng.random() < 0.5:
        tones.reverse()
    hsv = np.array(
        [
            [360 * ((hue + rng.uniform(-0.4, 0.4)) / HUES % 1), saturation, tone]
            for tone in tones
        ],
        "float32",
    )
    dark, light = 255 * cv2.cvtColor(hsv[None], cv2.COLOR_HSV2RGB)[0]
    return dark, light


def _photo(scene: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """As a camera would take it: contrast, brightness, blur or noise; uint8."""
    photo: np.ndarray = (
        (scene - 128) * rng.uniform(0.6, 1.15) + 128 + rng.uniform(-25, 25)
    )
    fault = rng.random()
    if fault < 0.2:
        photo = cv2.GaussianBlur(photo, (0, 0), rng.uniform(0.4, 1.3))
    elif fault < 0.4:
        noise = rng.standard_normal(photo.shape, "float32")
        photo = photo + rng.uniform(2, 14) * noise
    taken: np.ndarray = photo.clip(0, 255).astype("uint8")
    return taken
