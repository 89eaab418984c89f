"""A finished run and any images in, class names with probabilities out."""

from __future__ import annotations

import functools
import glob
import itertools
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import keras
import numpy as np
from natsort import natsorted, ns

from tlkit.errors import UsageError
from tlkit.evaluation.decision import Decision, decision_of
from tlkit.evaluation.evaluate import predict_views
from tlkit.evaluation.familiarity import Familiarity, remember
from tlkit.evaluation.tta import choose_views, describe, view_maker
from tlkit.progress import Progress, Silent, track
from tlkit.runs.result_dir import Run
from tlkit.workers import arrays_in_order

SILENT = Silent()
BATCH = 32


@dataclass(frozen=True)
class Prediction:
    """What the network says of one image, or why it could say nothing.

    `probability` is that of `label`; `probabilities` has every class, in the order of
    labels.txt. Where an image may have several labels, `labels` are those it has,
    `label` is the same in one text ("" for none), and `probability` is None. For an
    unreadable file all of it is None or empty, and `error` says why. Where the run was
    told what is unknown, `label` may be "unknown"; `guess` then is the likeliest class
    in any case, and `probability` is its own.
    """

    path: str
    label: str | None = None
    probability: float | None = None
    probabilities: dict[str, float] = field(default_factory=dict)
    labels: tuple[str, ...] = ()
    guess: str | None = None
    error: str | None = None


def predict(
    run: Run | str | Path,
    inputs: Iterable[str | Path],
    *,
    tta: int | None = None,
    workers: int | None = None,
    progress: Progress = SILENT,
) -> list[Prediction]:
    """Classify images.

    Args:
        run: A finished run, or its directory.
        inputs: Files, folders (with all below them) and glob patterns.
        tta: How many views of each image to average answers over, the plain image
            among them; 2 adds its horizontal flip. None takes the plain image alone, as
            an exported model does.
        workers: Number of processes that read images; None is one a processor.
        progress: Told of all long work.

    Returns:
        One prediction a file, in the order of the inputs; within folders and patterns
        in natural order. A file that cannot be read is among them, with its error.

    Raises:
        UsageError: A pattern matches no file, or there is no file at all, or no such
            views.
    """
    inputs = list(inputs)
    if any(str(each) == "" for each in inputs):
        raise UsageError(
            "Expected files, folders or patterns. Received: an empty text.",
            hint="Is a variable of the shell not set? The current folder is '.'.",
        )
    paths = find_images(inputs)
    run = run if isinstance(run, Run) else Run.read(run)
    if run.info["data"]["crops"]:
        progress.warn(
            "This run was trained on crops of shapes; predict takes images whole."
        )
    model, decision = run.model(), decision_of(run)
    familiar = remember(run, model) if decision.by_distance else None
    views = choose_views(run, tta)
    if tta:
        progress.note(
            f"Answers are averages over {tta} views, {describe(views)}; an exported "
            "model takes the plain image alone"
        )
    read = functools.partial(view_maker(run, Path()).read, views=views)
    shape = (len(views), run.size, run.size, 3)
    made = track(
        arrays_in_order(read, paths, shape, workers=workers),
        progress,
        "Predicting",
        len(paths),
    )
    predictions: list[Prediction] = []
    for start in range(0, len(paths), BATCH):
        names = [str(path) for path in paths[start : start + BATCH]]
        predictions += _answers(
            model, names, made, shape, run.labels, decision, familiar
        )
    return predictions


def _answers(
    model: keras.Model,
    names: Sequence[str],
    made: Iterator[tuple[np.ndarray, str]],
    shape: tuple[int, int, int, int],
    labels: Sequence[str],
    decision: Decision,
    familiar: Familiarity | None,
) -> Iterator[Prediction]:
    """Classify one batch of files, the readable ones of them together."""
    pixels = np.empty((len(names), *shape), np.uint8)
    faults = []
    for i, (read, fault) in enumerate(itertools.islice(made, len(names))):
        pixels[i] = read
        faults.append(fault)
    readable = np.array([not fault for fault in faults])
    scores = np.empty((0, len(labels)))
    distances = np.empty(0) if familiar else None
    if readable.any():
        scores = predict_views(model, pixels[readable]).mean(axis=1)
        if familiar:
            distances = familiar.distances(pixels[readable, 0])
    said = zip(decision.answers(scores, distances), scores, strict=True)
    for name, fault in zip(names, faults, strict=True):
        if fault:
            yield Prediction(name, error=fault)
            continue
        answer, row = next(said)
        every = {label: float(p) for label, p in zip(labels, row, strict=True)}
        yield Prediction(
            name, answer.label, answer.probability, every, answer.labels, answer.guess
        )


def find_images(inputs: Iterable[str | Path]) -> list[Path]:
    """The files that are meant."""
    found: list[Path] = []
    for name in inputs:
        path = Path(name)
        if path.is_dir():
            found.extend(_below(path))
        elif glob.has_magic(str(name)) and not path.exists():
            found.extend(_matching(str(name)))
        else:
            found.append(path)
    if not found:
        raise UsageError("No images there: the folders are empty.")
    return found


def _matching(pattern: str) -> list[Path]:
    matches = natsorted(glob.glob(pattern, recursive=True))  # noqa: PTH207 - may be absolute
    files = [Path(match) for match in matches if Path(match).is_file()]
    if not files:
        hint = f"Looked for from {Path.cwd()}."
        raise UsageError(
            f"The pattern {pattern!r} matches no file.",
            hint="" if Path(pattern).is_absolute() else hint,
        )
    return files


def _below(folder: Path) -> Iterator[Path]:
    for here, folders, names in os.walk(folder):
        folders[:] = natsorted(f for f in folders if not f.startswith("."))
        for name in natsorted(names, alg=ns.IGNORECASE):
            if not name.startswith("."):
                yield Path(here, name)
