"""What cross-validation leaves: answers for held-out images, and how it came to them.

folds.json    state, data, draw, and a row of scores for each fold that is done
config.yaml   the settings, everything resolved
labels.txt    the class order
oof.csv       the answers for each image by a network that did not learn from it
metrics.json  the scores, once all folds are done
"""

from __future__ import annotations

import dataclasses
import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tlkit import files
from tlkit.config import Config, build_config
from tlkit.dataset.manifest import Manifest
from tlkit.errors import RunError, UsageError
from tlkit.metrics.multiclass import measure
from tlkit.runs import result_dir
from tlkit.training.splits import Round

MARKER = "folds.json"
ANSWERS = "oof.csv"
METRICS = "metrics.json"
# Of each fold, what is kept of its figures.
FIGURES = ("n", "accuracy", "macro_f1", "loss")


@dataclass(frozen=True)
class CVResult:
    """A directory that `cross_validate` writes, open for reading.

    `state` is "training", "interrupted", "failed" or "finished"; `info` is folds.json.
    """

    directory: Path
    config: Config
    labels: tuple[str, ...]
    info: dict[str, Any]

    @classmethod
    def read(cls, directory: str | Path, *, finished: bool = True) -> CVResult:
        """Open a directory.

        Args:
            directory: What `cross_validate` wrote.
            finished: Whether to insist on all folds.

        Returns:
            What it holds.

        Raises:
            RunError: It is none, damaged, or not finished.
        """
        directory = Path(directory)
        try:
            info = json.loads((directory / MARKER).read_text(encoding="utf-8"))
            config = build_config(recipe=directory / "config.yaml")
            found = cls(directory, config, tuple(info["labels"]), info)
            unfinished = found.state != "finished"
        except FileNotFoundError as error:
            raise RunError(
                f"{directory} holds no folds: it has no {Path(error.filename).name}.",
                hint="Name the --out folder of a tlkit cross-validate.",
            ) from error
        except (OSError, UsageError, ValueError, KeyError, TypeError) as error:
            raise RunError(
                f"{directory} is damaged: {type(error).__name__} {error}.",
                hint="Take it from a backup, or measure again.",
            ) from error
        if finished and unfinished:
            raise RunError(
                f"The folds in {directory} are not finished, their state is "
                f"{found.state!r}.",
                hint="Go on with them: "
                + shlex.join(("tlkit", "finetune", "--resume", str(directory))),
            )
        return found

    @property
    def state(self) -> str:
        """Where they stand."""
        return str(self.info["state"])

    def manifest(self, data: str | Path | None = None) -> Manifest:
        """The data set they were drawn from; as `Run.manifest`."""
        run = result_dir.Run(self.directory, self.config, self.labels, self.info)
        return run.manifest(data)

    def metrics(self) -> dict[str, Any]:
        """The scores; see `cross_validate`.

        Returns:
            The content of metrics.json.
        """
        text = (self.directory / METRICS).read_text(encoding="utf-8")
        found: dict[str, Any] = json.loads(text)
        return found

    def answers(self) -> pd.DataFrame:
        """The table of answers, of the folds that are done.

        Returns:
            Columns id, path, group, label, repeat, fold, predicted, and p_LABEL for
            each class; a row for each image and repeat.

        Raises:
            RunError: The file is missing or damaged.
        """
        done = {(row["repeat"], row["fold"]) for row in self.info["rounds"]}
        names = [*(f"p_{label}" for label in self.labels)]
        texts = dict.fromkeys(("id", "path", "group", "label", "predicted"), str)
        try:
            table = pd.read_csv(
                self.directory / ANSWERS,
                dtype=texts,
                keep_default_na=False,
            )
            table[names] = table[names].astype(np.float32)
            both = zip(table["repeat"], table["fold"], strict=True)
        except (OSError, ValueError, KeyError) as error:
            raise RunError(
                f"{self.directory / ANSWERS} cannot be read: {error}."
            ) from error
        return table[[pair in done for pair in both]].reset_index(drop=True)

    def scores(self, table: pd.DataFrame) -> np.ndarray:
        """The class probabilities of a table of answers, float32 [N, n]."""
        return table[[f"p_{label}" for label in self.labels]].to_numpy(np.float32)

    def truth(self, table: pd.DataFrame) -> np.ndarray:
        """The true classes of a table of answers, int [N]."""
        index = {label: i for i, label in enumerate(self.labels)}
        return np.array([index[label] for label in table["label"]])

    def update(self, **values: Any) -> CVResult:
        """Write values to folds.json.

        Args:
            **values: Top-level entries, replaced or added.

        Returns:
            The folds with them.
        """
        info = {**self.info, **values}
        files.write_json(self.directory / MARKER, info)
        return dataclasses.replace(self, info=info)

    def add(self, one: Round, scores: np.ndarray, **about: Any) -> CVResult:
        """Write down what a fold has answered.

        Args:
            one: The fold.
            scores: float32 [N, n], class probabilities of what it held out.
            **about: More to say of it in folds.json.

        Returns:
            The folds with it.
        """
        examples = one.manifest.of("test")
        truth = one.manifest.targets(examples)
        table = pd.DataFrame(
            {
                "id": [example.id for example in examples],
                "path": [example.path for example in examples],
                "group": [example.group for example in examples],
                "label": [example.label for example in examples],
                "repeat": one.repeat,
                "fold": one.fold,
                "predicted": [self.labels[i] for i in scores.argmax(axis=1)],
                **{f"p_{name}": scores[:, i] for i, name in enumerate(self.labels)},
            }
        )
        if self.info["rounds"]:
            table = pd.concat([self.answers(), table])
        # The table first: a row of folds.json says that it is complete.
        files.write_text(self.directory / ANSWERS, table.to_csv(index=False))
        figures = measure(truth, scores, [e.group for e in examples], self.labels)
        learned = len(one.manifest.examples) - len(examples)
        row = {
            "repeat": one.repeat,
            "fold": one.fold,
            "learned": learned,
            **{name: figures[name] for name in FIGURES},
            **about,
        }
        return self.update(rounds=[*self.info["rounds"], row])


def begin(
    directory: Path,
    config: Config,
    manifest: Manifest,
    rounds: Sequence[Round],
    **about: Any,
) -> CVResult:
    """Fill a fresh directory with what is known before training."""
    known = result_dir.settle_in(directory, config, manifest)
    drawn = {"folds": rounds[-1].fold, "repeats": rounds[-1].repeat, "rounds": []}
    found = CVResult(directory, config, manifest.labels, {})
    return found.update(**{**known, **drawn, **about})
