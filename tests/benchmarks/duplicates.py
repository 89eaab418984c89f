"""Recall and precision of the duplicate search.

    python -m tests.benchmarks.duplicates [--work FOLDER] [--json FILE] [--every 6]

First against `duplicates/truth.csv` of the shared data (TLKIT_SHARED, by default
../shared): a pair of the list counts as found where both files are in one group, made
by the pairs of that way and of those above it. A pair of files that cannot be read is
found by its bytes, as prepare lists it. "merged" are pairs of the list that are no
duplicates and are in one group all the same.

Then every sixth photo of hymenoptera is changed and put among all of them, one change
at a time: the share of changed copies that are in one group with their photo, and false
pairs, reported between any two images that do not come from the same photo, over all of
the changes. Last, what the threshold of similar images costs, on these and on sets
whose images are all of one kind. Features: MobileNetV2, 224 px, shared weights.
"""

from __future__ import annotations

import argparse
import csv
import functools
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

import tlkit
from tests.benchmarks import common
from tests.benchmarks.common import ANTS, MOBILENET, SHARED, print_table, weights
from tlkit.dataset.duplicates.near import find_exact, find_near
from tlkit.dataset.duplicates.pairs import Components, Pair
from tlkit.dataset.duplicates.rotated import find_rotated
from tlkit.dataset.duplicates.similar import MIN_COSINE, find_similar
from tlkit.dataset.inspection.cache import ImageCache
from tlkit.dataset.inspection.image_info import Inspected, inspect_image
from tlkit.dataset.records import Rejected
from tlkit.workers import in_order

WAYS = ("exact", "near", "rotated", "similar")
THRESHOLDS = (0.8, 0.85, 0.9, 0.95)
ALIKE = ("bccd", "via/kudzu", "labelme/coins_v5")


def cut(image: Image.Image, share: float) -> Image.Image:
    """Without such a share of width and height, half of it at each edge."""
    width, height = image.size
    x, y = int(width * share / 2), int(height * share / 2)
    return image.crop((x, y, width - x, height - y))


CHANGES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "JPEG of quality 30": lambda image: image,
    "half the size": lambda image: image.resize((image.width // 2, image.height // 2)),
    "flipped": ImageOps.mirror,
    "rotated by 90": lambda image: image.transpose(Image.Transpose.ROTATE_270),
    "rotated by 180": lambda image: image.transpose(Image.Transpose.ROTATE_180),
    "rotated by 270": lambda image: image.transpose(Image.Transpose.ROTATE_90),
    "cropped by 5 %": lambda image: cut(image, 0.05),
    "cropped by 10 %": lambda image: cut(image, 0.1),
    "cropped by 20 %": lambda image: cut(image, 0.2),
    "tilted by 5": lambda image: image.rotate(5),
}


class Search:
    """All ways to find copies, with what they need loaded once."""

    def __init__(self) -> None:
        path = weights(MOBILENET)
        self.features = tlkit.embedder("mobilenetv2", weights=path)

    def pairs(
        self, root: Path, looked_at: Sequence[Inspected]
    ) -> dict[str, list[Pair]]:
        """The pairs of each way, and of those before it."""
        info = [one.info for one in looked_at]
        image_cache = ImageCache(Path(":memory:"))
        for one in looked_at:
            image_cache.add(one, 1, 1)
        image_cache.flush()
        exact = find_exact(info)
        near = [*exact, *find_near(info, exact, image_cache)]
        rotated = [*near, *find_rotated(info, near, image_cache)]
        more = find_similar(root, info, rotated, self.features)
        image_cache.close()
        found = (exact, near, rotated, [*rotated, *more])
        return dict(zip(WAYS, found, strict=True))

    def cosines(self, root: Path, paths: Sequence[str]) -> np.ndarray:
        """Of every image with every other."""
        rows = self.features(root, paths)
        rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        return np.asarray(rows @ rows.T)


def main() -> None:
    """Measure, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=None)
    parser.add_argument("--json", type=Path, default=None)
    parser.add_argument("--every", type=int, default=6)
    options = parser.parse_args()
    work = common.kept_in(options.work)
    search = Search()
    print_table(against_truth(search), None)
    print()
    root, copies = plant(work / "planted", options.every)
    print_table(planted(search, root, copies), options.json)
    print()
    print_table(thresholds(search, root, copies), None)


def images(root: Path) -> list[str]:
    """The paths of the photos below a folder."""
    suffixes = {".jpg", ".jpeg", ".png"}
    found = (p for p in root.rglob("*") if p.suffix.lower() in suffixes)
    return sorted(p.relative_to(root).as_posix() for p in found)


def read(root: Path, paths: Sequence[str]) -> list[Inspected | Rejected]:
    """Return the info of images."""
    return list(in_order(functools.partial(inspect_image, root), paths))


def against_truth(search: Search) -> list[dict[str, Any]]:
    """One row a way: what it finds of the list."""
    root = SHARED / "data" / "duplicates"
    with (root / "truth.csv").open() as file:
        truth = list(csv.DictReader(file))
    paths = sorted({row[name] for row in truth for name in ("file_a", "file_b")})
    results = read(root, paths)
    good = [result for result in results if isinstance(result, Inspected)]
    index = {one.info.path: i for i, one in enumerate(good)}
    sha256 = {r.file: r.sha256 for r in results if isinstance(r, Rejected)}
    total = Counter(relation(row) for row in truth)
    rows = []
    for way, pairs in search.pairs(root, good).items():
        together = Components(pairs)
        found: Counter[str] = Counter()
        for row in truth:
            first, second = index.get(row["file_a"]), index.get(row["file_b"])
            if first is None or second is None:
                one = sha256.get(row["file_a"], 1) == sha256.get(row["file_b"], 2)
            else:
                one = together[first] == together[second]
            found[relation(row)] += one
        merged = found["not_duplicate"]
        right = found.total() - merged
        rows.append({
            "way, with those above": way,
            **{n: f"{found[n]} of {total[n]}" for n in total if n != "not_duplicate"},
            "merged": f"{merged} of {total['not_duplicate']}",
            "precision": right / max(found.total(), 1),
            "recall": right / (total.total() - total["not_duplicate"]),
        })  # fmt: skip
    return rows


def relation(row: dict[str, str]) -> str:
    """As in the list, the two kinds of transformed pairs apart."""
    if row["relation"] != "transformed":
        return row["relation"]
    return "flipped" if "hflip" in row["file_a"] + row["file_b"] else "rotated by 30"


def plant(root: Path, every: int) -> tuple[Path, dict[str, dict[str, str]]]:
    """Photos, and for each change the copies with the photo of each."""
    originals = [path for path in images(ANTS) if not path.startswith(".")]
    for path in originals:
        place = root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        if not place.exists():
            place.symlink_to(ANTS / path)
    copies: dict[str, dict[str, str]] = {}
    for name, change in CHANGES.items():
        copies[name] = {}
        quality = 30 if "30" in name else 90
        for path in originals[::every]:
            copy = f"copies/{name}/{path.replace('/', '-')}"
            (root / copy).parent.mkdir(parents=True, exist_ok=True)
            with Image.open(root / path) as image:
                changed = change(ImageOps.exif_transpose(image).convert("RGB"))
            changed.save(root / copy, "JPEG", quality=quality)
            copies[name][copy] = path
    return root, copies


def planted(
    search: Search, root: Path, copies: dict[str, dict[str, str]]
) -> list[dict[str, Any]]:
    """One row a change: the share that each way finds; last, the false pairs."""
    originals = [path for path in images(root) if not path.startswith("copies/")]
    plain = [one for one in read(root, originals) if isinstance(one, Inspected)]
    rows = []
    false: dict[str, set[frozenset[str]]] = {way: set() for way in WAYS}
    for name, origin in copies.items():
        changed = [r for r in read(root, sorted(origin)) if isinstance(r, Inspected)]
        pool = [*plain, *changed]
        index = {one.info.path: i for i, one in enumerate(pool)}
        row: dict[str, Any] = {"change": name, "copies": len(origin)}
        for way, pairs in search.pairs(root, pool).items():
            together = Components(pairs)
            found = sum(
                together[index[copy]] == together[index[path]]
                for copy, path in origin.items()
            )
            row[way] = found / len(origin)
            for pair in pairs:
                both = [pool[i].info.path for i in (pair.first, pair.second)]
                if len({origin.get(path, path) for path in both}) == 2:
                    false[way].add(frozenset(both))
        rows.append(row)
    rows.append({
        "change": "false pairs",
        "copies": "",
        **{way: str(len(pairs)) for way, pairs in false.items()},
    })  # fmt: skip
    return rows


def thresholds(
    search: Search, root: Path, copies: dict[str, dict[str, str]]
) -> list[dict[str, Any]]:
    """One row a threshold: shares of copies above it, and pairs that are none."""
    rows: list[dict[str, Any]] = [
        {"cosine": f"{above:g}{' (default)' * (above == MIN_COSINE)}"}
        for above in THRESHOLDS
    ]
    for name, origin in copies.items():
        both = [*origin, *origin.values()]
        cosines = search.cosines(root, both).diagonal(len(origin))
        for row, above in zip(rows, THRESHOLDS, strict=True):
            row[name] = float((cosines >= above).mean())
    for place in (ANTS, *(SHARED / "data" / name for name in ALIKE)):
        paths = images(place)
        cosines = search.cosines(place, paths)[np.triu_indices(len(paths), 1)]
        for row, above in zip(rows, THRESHOLDS, strict=True):
            column = f"{place.name}, pairs of {len(cosines):,}"
            row[column] = int((cosines >= above).sum())
    return rows


if __name__ == "__main__":
    main()
