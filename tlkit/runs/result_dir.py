"""The run directory: what a training run leaves, enough to read it and to repeat it."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.util
import json
import platform
import shlex
import shutil
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tlkit import files
from tlkit.backbones.registry import HUB_INSTALL, HUB_PACKAGE
from tlkit.config import Config, build_config, size_of
from tlkit.dataset.manifest import Manifest
from tlkit.errors import DatasetError, RunError, UsageError
from tlkit.progress import Progress
from tlkit.tasks.task import Task

if TYPE_CHECKING:
    import keras

MARKER = "run.json"
RECORDED = (
    "tlkit", "tensorflow", "keras", "keras-cv", "keras-hub", "openvino",
    "albumentations", "numpy", "pillow",
)  # fmt: skip


@dataclass(frozen=True)
class Run:
    """A run directory, open for reading.

    `state` is "training", "interrupted", "failed" or "finished"; `info` is run.json.
    """

    directory: Path
    config: Config
    labels: tuple[str, ...]
    info: dict[str, Any]

    @classmethod
    def read(cls, directory: str | Path, *, finished: bool = True) -> Run:
        """Open a run directory.

        Args:
            directory: What `finetune` wrote.
            finished: Whether to insist on a finished run.

        Returns:
            The run.

        Raises:
            RunError: No such run, or not finished, or its files are damaged.
        """
        directory = Path(directory)
        try:
            info = json.loads((directory / MARKER).read_text(encoding="utf-8"))
            text = (directory / "labels.txt").read_text(encoding="utf-8")
            config = build_config(recipe=directory / "config.yaml")
        except FileNotFoundError as error:
            raise RunError(
                f"{directory} is not a run directory: it has no "
                f"{Path(error.filename).name}.",
                hint="Name the --out folder of an earlier tlkit finetune.",
            ) from error
        except OSError as error:
            raise RunError(
                f"{directory} is not a run directory: {error}",
                hint="Name the --out folder of an earlier tlkit finetune.",
            ) from error
        except UsageError as error:
            raise RunError(
                f"The run in {directory} is damaged: {error}",
                hint="Take its config.yaml from a backup, or train again.",
            ) from error
        except ValueError as error:
            raise RunError(f"{directory / MARKER} is damaged: {error}.") from error
        if not isinstance(info, dict) or not {"labels", "state", "data"} <= info.keys():
            raise RunError(
                f"{directory / MARKER} is damaged: it lacks labels, state or data.",
                hint="Take it from a backup, or train again.",
            )
        run = cls(directory, config, tuple(text.removesuffix("\n").split("\n")), info)
        if info.get("labels") != list(run.labels):
            raise RunError(
                f"{directory}/labels.txt is not the one this run was trained with: "
                f"expected {info.get('labels')}, found {list(run.labels)}.",
                hint="Restore it; class names in another order would all be wrong.",
            )
        if finished and run.state != "finished":
            raise RunError(
                f"The run in {directory} is not finished, its state is {run.state!r}.",
                hint="Go on with it: "
                + shlex.join(("tlkit", "finetune", "--resume", str(directory))),
            )
        return run

    @property
    def state(self) -> str:
        """Where the run stands."""
        return str(self.info["state"])

    @property
    def size(self) -> int:
        """Side of the square images the network takes, pixels."""
        return size_of(self.config)

    @property
    def task(self) -> Task:
        """What its network is asked."""
        return Task(len(self.labels), bool(self.info["data"].get("multi_label")))

    def manifest(self, data: str | Path | None = None) -> Manifest:
        """The data set this run was trained on.

        Args:
            data: Where it lies now, if it was moved.

        Returns:
            Its manifest, held against the digest and labels of the run.

        Raises:
            RunError: It has changed since.
            DatasetError: It is not there.
        """
        try:
            manifest = Manifest.read(data or self.config.data)
        except DatasetError as error:
            if data is not None:
                raise
            hint = f"If it was moved, say where to with --data. {error.hint}"
            raise DatasetError(error.message, hint=hint) from error
        if manifest.labels != self.labels:
            raise RunError(
                f"The classes of {manifest.directory} are {list(manifest.labels)}, "
                f"this run was trained on {list(self.labels)}."
            )
        if manifest.checksum != self.info["data"]["checksum"]:
            raise RunError(
                f"{manifest.directory} has changed since this run was trained on it: "
                f"checksum {manifest.checksum[:8]}, not "
                f"{self.info['data']['checksum'][:8]}.",
                hint="Train again on it, or name the data set as it was.",
            )
        return manifest

    def model(self) -> keras.Model:
        """The trained network, float32: uint8 [B, size, size, 3] to probabilities.

        Returns:
            What `model.keras` holds.

        Raises:
            RunError: The file is missing or damaged.
        """
        import keras

        path = self.directory / "model.keras"
        if path.exists() and not zipfile.is_zipfile(path):
            raise RunError(
                f"{path} is damaged: it is no .keras file, or not a whole one.",
                hint="Take it from a backup, or train again.",
            )
        try:
            return keras.saving.load_model(path, compile=False)
        except (OSError, ValueError, TypeError) as error:
            if HUB_PACKAGE in str(error) and not importlib.util.find_spec(HUB_PACKAGE):
                raise RunError(
                    f"{path} has layers of KerasHub, which is not installed here.",
                    hint=f"{HUB_INSTALL}, or use what tlkit export made of the run.",
                ) from error
            raise RunError(f"{path} cannot be loaded: {error}") from error

    def metrics(self) -> dict[str, Any]:
        """What the last evaluation measured; `finetune` ends with one on val.

        Returns:
            The content of metrics.json.

        Raises:
            RunError: There is none.
        """
        path = self.directory / "metrics.json"
        try:
            found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise RunError(
                f"{path} cannot be read: {error}.",
                hint=f"Make it: tlkit evaluate {self.directory}",
            ) from error
        return found

    def update(self, **values: Any) -> Run:
        """Write values to run.json.

        Args:
            **values: Top-level entries, replaced or added.

        Returns:
            The run with them.
        """
        info = {**self.info, **values}
        files.write_json(self.directory / MARKER, info)
        return dataclasses.replace(self, info=info)


@contextlib.contextmanager
def run_place(
    path: Path,
    *,
    overwrite: bool,
    progress: Progress,
    marker: str = MARKER,
    what: str = "run directory",
    resumable: Callable[[Path], bool] | None = None,
) -> Iterator[Path]:
    """The directory a run is written to, in place, so that it can be resumed.

    A run that stood there before is set aside. It comes back if the new one fails
    before there is anything to resume; afterwards both are kept.

    Args:
        path: The run directory.
        overwrite: Whether an earlier run may be replaced.
        progress: Told where an earlier run is kept.
        marker: A file that every directory of this kind holds.
        what: What it is, for messages.
        resumable: Whether there is anything to go on with in a directory; of a run,
            a checkpoint.

    Yields:
        The path, an existing and empty directory.

    Raises:
        UsageError: It exists and must not be replaced, or cannot be made.
    """
    old: Path | None = None
    if files.is_taken(path):
        files.refuse_existing(path, marker=marker, overwrite=overwrite, what=what)
        old = files.aside(path)
        path.replace(old)
    try:
        files.make_directory(path)
        yield path
    except BaseException:
        if not (resumable or has_checkpoint)(path):
            shutil.rmtree(path, ignore_errors=True)
            if old:
                old.replace(path)
        elif old:
            kept = path.with_name(f"{path.name}{old.suffix}.previous")
            old.replace(kept)
            progress.note(f"The earlier run is kept in {kept}")
        raise
    if old:
        shutil.rmtree(old, ignore_errors=True)


def has_checkpoint(directory: Path) -> bool:
    """Whether a run can be resumed: an epoch of some phase, or fold, is safe."""
    places = ("checkpoint/*/state.json", "folds/*/checkpoint/*/state.json")
    return any(any(directory.glob(place)) for place in places)


def begin(directory: Path, config: Config, manifest: Manifest) -> Run:
    """Fill a fresh run directory with what is known before training.

    Args:
        directory: An empty directory.
        config: The resolved configuration.
        manifest: What it will be trained on.

    Returns:
        The run, in state "training".
    """
    info = settle_in(directory, config, manifest)
    return Run(directory, config, manifest.labels, {}).update(**info)


def settle_in(directory: Path, config: Config, manifest: Manifest) -> dict[str, Any]:
    """Write the settings and the class order to a fresh directory.

    Args:
        directory: An empty directory.
        config: The resolved configuration.
        manifest: What it is about.

    Returns:
        What else is known before training, for a record.
    """
    files.write_text(directory / "config.yaml", config.to_yaml())
    labels = "".join(f"{label}\n" for label in manifest.labels)
    files.write_text(directory / "labels.txt", labels)
    counts = {split: len(manifest.of(split)) for split in ("train", "val", "test")}
    return {
        "state": "training",
        "seed": config.train.seed,
        "labels": list(manifest.labels),
        "data": {
            "directory": str(manifest.directory.resolve()),
            "checksum": manifest.checksum,
            "images": counts,
            "multi_label": manifest.multi_label,
            "crops": any(example.box for example in manifest.examples),
        },
        "versions": versions(),
        "seconds": {},
    }


def versions() -> dict[str, str]:
    """The versions a result depends on.

    Returns:
        Package name, "python" and "system" to version.
    """
    found = {"python": platform.python_version(), "system": platform.platform()}
    for package in RECORDED:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = "not installed"
    return found
