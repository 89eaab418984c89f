"""Predictions of a finished run for new images."""

from __future__ import annotations

import dataclasses
import functools
import glob
import itertools
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import keras
import numpy as np
from natsort import natsorted, ns

from tlkit.errors import UsageError
from tlkit.evaluation.postprocessing import postprocessing_of
from tlkit.evaluation.tta import choose_views, describe, view_maker
from tlkit.progress import SILENT, Progress, track
from tlkit.runs.run import Run
from tlkit.tasks.postprocessing import Postprocessing
from tlkit.tasks.prediction import Prediction
from tlkit.tasks.task import probabilities
from tlkit.workers import arrays_in_order

BATCH = 32


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
        tta: Number of views of each image to average probabilities over, the plain
            image included; 2 adds its horizontal flip. None takes the plain image
            alone, as an exported model does.
        workers: Number of processes that read images; None is one per processor.
        progress: Receiver of reports on long work.

    Returns:
        One prediction per file, in the order of the inputs; within folders and patterns
        in natural order. A file that cannot be read is among them, with its error.

    Raises:
        UsageError: A pattern matches no file, there is no file at all, or the number of
            views is invalid.
    """
    inputs = list(inputs)
    if any(str(each) == "" for each in inputs):
        raise UsageError(
            "Inputs must be files, folders or patterns, got an empty text.",
            hint="Check the shell variable; the current folder is '.'.",
        )
    paths = find_images(inputs)
    run = run if isinstance(run, Run) else Run.read(run)
    if run.info["data"]["crops"]:
        progress.warn(
            "This run was trained on crops of shapes; predict takes images whole."
        )
    return predict_files(
        run, run.model(), paths, tta=tta, workers=workers, progress=progress
    )


def predict_files(
    run: Run,
    model: keras.Model,
    paths: Sequence[Path],
    *,
    tta: int | None = None,
    workers: int | None = None,
    progress: Progress = SILENT,
) -> list[Prediction]:
    """Classify image files with a run's model that is loaded already.

    Args:
        run: A finished run.
        model: Its `model()`.
        paths: Files.
        tta: As for `predict`.
        workers: As for `predict`.
        progress: Receiver of reports on long work.

    Returns:
        One prediction per file, in order.

    Raises:
        UsageError: Invalid number of views.
    """
    postprocessing, views = postprocessing_of(run), choose_views(run, tta)
    if tta:
        progress.note(
            f"Predictions are averages over {tta} views, {describe(views)}; an "
            "exported model takes the plain image alone"
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
        # The arrays are in memory that workers write to again.
        batch = [(each.copy(), error) for each, error in itertools.islice(made, BATCH)]
        predictions += _predict_batch(model, names, batch, postprocessing)
    return predictions


def _predict_batch(
    model: keras.Model,
    names: Sequence[str],
    batch: Sequence[tuple[np.ndarray, str]],
    postprocessing: Postprocessing,
) -> Iterator[Prediction]:
    """Classify one batch of files, all readable ones together."""
    readable = [pixels for pixels, error in batch if not error]
    found: Iterator[Prediction] = iter(())
    if readable:
        scores = predict_views(model, np.stack(readable)).mean(axis=1)
        found = iter(postprocessing.predictions(scores))
    for name, (_, error) in zip(names, batch, strict=True):
        if error:
            yield Prediction(name, error=error)
        else:
            yield dataclasses.replace(next(found), path=name)


def predict_pixels(
    model: keras.Model, images: np.ndarray, batch: int = BATCH
) -> np.ndarray:
    """Compute class probabilities for resized images.

    Args:
        model: Takes uint8 [B, S, S, 3].
        images: uint8 [N, S, S, 3].
        batch: Images per step.

    Returns:
        float32 [N, n]; rows sum to 1 where each image has one label.
    """
    steps = range(0, len(images), batch)
    outputs = [np.asarray(model(images[i : i + batch], training=False)) for i in steps]
    return probabilities(np.concatenate(outputs))


def predict_views(model: keras.Model, pixels: np.ndarray) -> np.ndarray:
    """Compute class probabilities of uint8 [N, K, S, S, 3] views, [N, K, n]."""
    images, views = pixels.shape[:2]
    scores = predict_pixels(model, pixels.reshape(-1, *pixels.shape[2:]))
    return scores.reshape(images, views, -1)


def find_images(inputs: Iterable[str | Path]) -> list[Path]:
    """List the files of the inputs."""
    found: list[Path] = []
    inputs = list(inputs)
    for name in inputs:
        path = Path(name)
        if path.is_dir():
            found.extend(_below(path))
        elif glob.has_magic(str(name)) and not path.exists():
            found.extend(_matching(str(name)))
        else:
            found.append(path)
    if not found:
        folders = ", ".join(map(str, inputs)) or "none"
        raise UsageError(
            f"Expected image files, got empty folders: {folders}.",
            hint="Name images, folders of images, or patterns.",
        )
    return found


def _matching(pattern: str) -> list[Path]:
    matches = natsorted(glob.glob(pattern, recursive=True))  # noqa: PTH207 - may be absolute
    files = [Path(match) for match in matches if Path(match).is_file()]
    if not files:
        hint = f"Check the pattern: files were looked for from {Path.cwd()}."
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
