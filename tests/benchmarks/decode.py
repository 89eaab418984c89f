"""Reduced-scale decoding: how much faster, and how far the fitted pixels change.

    python -m tests.benchmarks.decode [--json FILE] [--repeats 5]

Speed is of bytes to fitted pixels in one process, decoded whole and by the rule, on
photos of the shared hymenoptera set (TLKIT_SHARED, by default ../shared), as they are
and enlarged to 4000 x 3000 with grain; then on all shared photos that are large enough
as they come. Change is against the image decoded whole, in the last table at the
worst size that a reduction is allowed for. Prints Markdown tables.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import io
import json
import os
import statistics
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from tlkit.imaging.decode import decode
from tlkit.imaging.resize import REDUCTIONS, SPARE, decode_resized, fit, reduction

SHARED = Path(os.environ.get("TLKIT_SHARED", Path(__file__).parents[3] / "shared"))
LARGE = (4000, 3000)


def main() -> None:
    """Measure, print the tables, and write the figures where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, default=None)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    photos = [
        decode(path.read_bytes()).pixels
        for path in sorted((SHARED / "data" / "hymenoptera").glob("*/*/*.jpg"))
    ]
    figures = {
        "speed": speeds(photos, options.repeats),
        "as they come": [as_they_come(size, options.repeats) for size in (224, 150)],
        "change": changes(photos),
    }
    for rows in figures.values():
        print(table(rows), end="\n\n")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def speeds(photos: Sequence[np.ndarray], repeats: int) -> list[dict[str, object]]:
    """Images a second, decoded whole and by the rule."""
    middling = [p for p in photos if p.shape == (375, 500, 3)][:16]
    large = [enlarged(photo, seed) for seed, photo in enumerate(middling[:4])]
    kinds = {
        "500 x 375": [jpeg(p) for p in middling],
        "4000 x 3000": [jpeg(p) for p in large],
        "4000 x 3000, progressive": [jpeg(p, progressive=True) for p in large],
    }
    rows: list[dict[str, object]] = []
    for kind, files in kinds.items():
        with Image.open(io.BytesIO(files[0])) as image:
            sides = image.size
        for size in (224, 150):
            plain, by_rule = side_by_side(files, size, repeats)
            rows.append(
                {
                    "JPEG": kind,
                    "size": size,
                    "scale": f"1/{reduction(*sides, size, 'squash')}",
                    "whole, images/s": round(plain, 1),
                    "reduced, images/s": round(by_rule, 1),
                    "ratio": round(by_rule / plain, 2),
                }
            )
    return rows


def as_they_come(size: int, repeats: int) -> dict[str, object]:
    """Speed and change on the shared JPEGs that the rule reduces."""
    files = []
    for path in sorted((SHARED / "data").rglob("*.[jJ][pP]*[gG]")):
        with contextlib.suppress(UnidentifiedImageError), Image.open(path) as image:
            is_jpeg = image.format in {"JPEG", "MPO"}
            if is_jpeg and reduction(*image.size, size, "squash") > 1:
                files.append(path.read_bytes())
    plain, by_rule = side_by_side(files, size, repeats)
    fitted = np.stack([decode_resized(data, size, "squash") for data in files])
    whole = np.stack([decode_whole(data, size) for data in files])
    return {
        "photos": len(files),
        "size": size,
        "ratio": round(by_rule / plain, 2),
        **summary(np.abs(fitted.astype(int) - whole)),
    }


def side_by_side(
    files: Sequence[bytes], size: int, repeats: int
) -> tuple[float, float]:
    """Files a second whole and by the rule, medians of rounds by turns."""
    ways = (
        functools.partial(decode_whole, size=size),
        functools.partial(decode_resized, size=size, resize="squash"),
    )
    seconds: tuple[list[float], list[float]] = ([], [])
    for _ in range(repeats):
        for way, taken in zip(ways, seconds, strict=True):
            began = time.perf_counter()
            for data in files:
                way(data)
            taken.append(time.perf_counter() - began)
    plain, other = (len(files) / statistics.median(taken) for taken in seconds)
    return plain, other


def changes(photos: Sequence[np.ndarray]) -> list[dict[str, object]]:
    """Levels of 255 by which fitted values change, photos and the hardest patterns."""
    photos = [p for p in photos if min(p.shape[:2]) >= 240]
    subjects = [(f"{len(photos)} photos", spare, photos) for spare in (2, 3, 4)]
    subjects += [(name, SPARE, [pattern]) for name, pattern in patterns().items()]
    rows: list[dict[str, object]] = []
    for name, spare, images in subjects:
        files = [jpeg(p[: len(p) // 8 * 8, : p.shape[1] // 8 * 8]) for p in images]
        for by in REDUCTIONS:
            change = np.concatenate([change_of(data, by, spare) for data in files])
            rows.append(
                {
                    "image": name,
                    "spare": spare,
                    "scale": f"1/{by}",
                    **summary(change),
                }
            )
    return rows


def summary(change: np.ndarray) -> dict[str, object]:
    """Of absolute differences, in levels of 255."""
    return {
        "mean": round(float(change.mean()), 2),
        "99 %": int(np.percentile(change, 99)),
        "largest": int(change.max()),
    }


def change_of(data: bytes, by: int, spare: int) -> np.ndarray:
    """Absolute differences, flat, at the largest size for which that much is spare."""
    with Image.open(io.BytesIO(data)) as image:
        size = min(image.size) // (spare * by)
    reduced = decode(data, reduce=lambda width, height: by).pixels
    fitted = fit(reduced, size, "squash").astype(int)
    return np.asarray(np.abs(fitted - decode_whole(data, size))).ravel()


def decode_whole(data: bytes, size: int) -> np.ndarray:
    """As it was before there was a rule."""
    return fit(decode(data).pixels, size, "squash")


def patterns(side: int = 960) -> dict[str, np.ndarray]:
    """uint8 [side, side, 3] of frequencies that a photo seldom has."""
    yy, xx = np.mgrid[:side, :side]
    rings = 127.5 + 127.5 * np.cos(
        np.pi * ((xx - side / 2) ** 2 + (yy - side / 2) ** 2) / side
    )
    gray = {
        "stripes of 3 pixels": np.where(xx % 3 < 1, 255, 0),
        "hard edges": np.where(np.sin(xx * 0.031 + yy * 0.017) > 0, 255, 0),
        "zone plate": rings,
    }
    noise = np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8)
    return {"white noise": noise} | {
        name: np.repeat(plane[..., None], 3, axis=2).astype(np.uint8)
        for name, plane in gray.items()
    }


def enlarged(photo: np.ndarray, seed: int) -> np.ndarray:
    """A photo as from a camera of 12 megapixels: large, and with grain."""
    image = Image.fromarray(photo).resize(LARGE, Image.Resampling.BICUBIC)
    grain = np.random.default_rng(seed).normal(0, 4, (*LARGE[::-1], 1)).round()
    return np.clip(np.asarray(image) + grain, 0, 255).astype(np.uint8)


def jpeg(pixels: np.ndarray, *, progressive: bool = False) -> bytes:
    """Encoded at quality 92, 4:2:0."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=92, progressive=progressive)
    return buffer.getvalue()


def table(rows: Sequence[dict[str, object]]) -> str:
    """Rows with the same keys as Markdown."""
    head = list(rows[0])
    lines = [head, ["---"] * len(head), *(map(str, row.values()) for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    main()
