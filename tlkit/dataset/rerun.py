"""The command that makes a data set again."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tlkit.dataset.annotations.annotations_file import read_annotations
from tlkit.dataset.manifest import Manifest
from tlkit.dataset.options import Options, default_shares

# Options of prepare whose command line option has another name.
NAMES = {"format": "from", "columns": "column", "similar_backbone": "similar"}
# What networks have if nobody asks for others.
DEFAULT_WEIGHTS = ("", "imagenet", "own")


def source_words(manifest: Manifest) -> list[str] | None:
    """Return the arguments that `tlkit prepare` was called with.

    Args:
        manifest: A data set.

    Returns:
        The source and the options that are not the default, without --out and
        --corrections; None where it was made in Python of what no option names.
    """
    source, options = manifest.info["source"], manifest.info["options"]
    of_frame = source["format"] == "csv" and not source["annotation_files"]
    if of_frame or (options["similar"] and not options["similar_backbone"]):
        return None
    given = _flat(options)
    # Default shares depend on the source, and are None for a split that it gives.
    default = _flat(dataclasses.asdict(Options())) | default_shares(source["splits"])
    left_out = {"similar", "corrections"}
    left_out |= {split for split in ("val", "test") if given[split] is None}
    if given["multi_label"] or not _anything_drawn(manifest):
        left_out.add("label_by")  # labels can only be those of images
    if given["similar_weights"] in DEFAULT_WEIGHTS:
        left_out.add("similar_weights")
    words = [str(_place(manifest, Path(source["origin"])))]
    for name in default:
        if name not in left_out and given[name] != default[name]:
            words += _words(name, given[name])
    return words


def _flat(options: Mapping[str, Any]) -> dict[str, Any]:
    rest = {k: v for k, v in options.items() if k not in {"labeling", "reading"}}
    return {**rest, **options["labeling"], **options["reading"]}


def _words(name: str, value: Any) -> Iterator[str]:
    option = NAMES.get(name, name).replace("_", "-")
    if isinstance(value, bool):
        yield f"--{option}" if value else f"--no-{option}"
    elif name == "columns":
        for role, column in value:
            yield from (f"--{option}", f"{role}={column}")
    else:
        yield from (f"--{option}", str(value))


def _anything_drawn(manifest: Manifest) -> bool:
    return any(record.objects for record in read_annotations(manifest.directory))


def _place(manifest: Manifest, origin: Path) -> Path:
    root = manifest.source
    made = manifest.directory.resolve() in root.resolve().parents
    if made or origin.is_file():
        return origin
    # Photos that were moved took the file of annotations along.
    moved = root / origin.name
    return moved if not origin.exists() and moved.is_file() else root
