"""What dataset.json has recorded in, the words of the command that made it out."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from tlkit.dataset.annotations.annotations_file import read_annotations
from tlkit.dataset.duplicates.similar import ABOVE
from tlkit.dataset.formats import ReaderOptions
from tlkit.dataset.manifest import Manifest
from tlkit.dataset.options import Options, usual_shares
from tlkit.dataset.splitting.examples import MIN_SIZE

# As tlkit.embedder calls itself.
EMBEDDER = re.compile(r"(\S+) to .*, \d+ px, (.+)", re.DOTALL)
# What networks have if nobody says.
USUAL_WEIGHTS = ("imagenet", "own")


def source_words(manifest: Manifest) -> list[str] | None:
    """Tell what `tlkit prepare` was called with.

    Args:
        manifest: A data set.

    Returns:
        The source and the options, without --out and --corrections; what is as it is by
        default is left out. None where it was made in Python of what no word names.
    """
    recorded = manifest.info["source"]
    options = dataclasses.asdict(Options()) | manifest.info["options"]
    of_frame = recorded["layout"] == "csv" and not recorded["lists"]
    of_function = options["similar"] and not EMBEDDER.fullmatch(options["similar"])
    if of_frame or of_function:
        return None
    return [
        str(_place(manifest, Path(recorded["origin"]))),
        *_plain(options),
        *_labeling(options["labeling"], manifest),
        *_reading(dataclasses.asdict(ReaderOptions()) | options["reading"]),
        *_split(options, recorded["given"]),
    ]


def _place(manifest: Manifest, origin: Path) -> Path:
    root = manifest.source
    made = manifest.directory.resolve() in root.resolve().parents
    if made or origin.is_file():
        return origin
    # Photos that were moved took the file of annotations along.
    beside = root / origin.name
    return beside if not origin.exists() and beside.is_file() else root


def _plain(options: Mapping[str, Any]) -> Iterator[str]:
    if options["source"] != "auto":
        yield from ("--from", options["source"])
    if options["keep_conflicts"]:
        yield "--keep-conflicts"
    if not options["near"]:
        yield "--no-near"
    if options["turned"]:
        yield "--rotated"
    if found := EMBEDDER.fullmatch(options["similar"]):
        backbone, weights = found.groups()
        yield from ("--similar", backbone)
        if weights not in USUAL_WEIGHTS:
            yield from ("--similar-weights", weights)
    yield from _unless(ABOVE, "--similar-above", options["similar_above"])


def _labeling(how: Mapping[str, Any], manifest: Manifest) -> Iterator[str]:
    if how["multi_label"]:
        yield "--multi-label"
    elif any(record.objects for record in read_annotations(manifest.directory)):
        # Where nothing is drawn, labels can only be those of images.
        yield from ("--label-by", how["label_by"])
    yield from _unless(0.0, "--pad", how["pad"])
    yield from _unless(MIN_SIZE, "--min-size", how["min_size"])


def _reading(how: Mapping[str, Any]) -> Iterator[str]:
    yield from _unless(None, "--attribute", how["attribute"])
    yield from _unless(None, "--separator", how["separator"])
    for role, name in how["columns"]:
        yield from ("--column", f"{role}={name}")
    yield from _unless(None, "--limit", how["limit"])
    if how["allow_outside"]:
        yield "--allow-outside"


def _split(options: Mapping[str, Any], given: Collection[str]) -> Iterator[str]:
    for side, share in usual_shares(given).items():
        # None is for a side that the source gives.
        if options[side] is not None:
            yield from _unless(share, f"--{side}", options[side])
    yield from _unless(0, "--seed", options["seed"])
    yield from _unless(None, "--group-by", options["group_by"])


def _unless(default: object, name: str, value: object) -> Iterator[str]:
    if value != default:
        yield from (name, str(value))
