"""The directories of trained results: enough to read, resume and repeat them."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import platform
import shlex
import shutil
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from tlkit import files
from tlkit.config import Config, build_config
from tlkit.dataset.manifest import Manifest
from tlkit.errors import DatasetError, RunError, UsageError
from tlkit.progress import Progress

if TYPE_CHECKING:
    from typing_extensions import Self

CONFIG, LABELS, METRICS = "config.yaml", "labels.txt", "metrics.json"
RECORDED = (
    "tlkit", "tensorflow", "keras", "keras-cv", "keras-hub", "openvino",
    "albumentations", "numpy", "pillow",
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class ResultDir:
    """A directory with config.yaml, labels.txt and a record of how far the work got.

    `info` is the content of the record, the file named by MARKER. Its "state" is
    "training", "interrupted", "failed" or "finished". Subclasses set the constants.
    """

    directory: Path
    config: Config
    labels: tuple[str, ...]
    info: dict[str, Any]

    # The record's name; what messages call such a directory; what makes and resumes it.
    MARKER: ClassVar[str]
    KIND: ClassVar[str]
    COMMAND: ClassVar[tuple[str, ...]]

    @classmethod
    def read(cls, directory: str | Path, *, finished: bool = True) -> Self:
        """Open a directory.

        Args:
            directory: What COMMAND wrote.
            finished: Whether to insist that it is finished.

        Returns:
            Its content.

        Raises:
            RunError: It is of another kind, damaged, or not finished.
        """
        directory = Path(directory)
        command = shlex.join(cls.COMMAND)
        try:
            info = json.loads((directory / cls.MARKER).read_text(encoding="utf-8"))
            text = (directory / LABELS).read_text(encoding="utf-8")
            config = cls.read_config(directory)
        except OSError as error:
            why = (
                f"it has no {Path(error.filename).name}."
                if isinstance(error, FileNotFoundError)
                else str(error)
            )
            raise RunError(
                f"{directory} is not a {cls.KIND}: {why}",
                hint=f"Name the --out folder of an earlier {command}.",
            ) from error
        except UsageError as error:
            raise RunError(
                f"The {cls.KIND} {directory} is damaged: {error}",
                hint=f"Take its {CONFIG} from a backup, or run {command} again.",
            ) from error
        except (ValueError, KeyError, TypeError) as error:
            raise RunError(f"{directory / cls.MARKER} is damaged: {error}.") from error
        if not isinstance(info, dict) or not {"labels", "state", "data"} <= info.keys():
            raise RunError(
                f"{directory / cls.MARKER} is damaged: it lacks labels, state or data.",
                hint=f"Take it from a backup, or run {command} again.",
            )
        found = cls(directory, config, tuple(text.removesuffix("\n").split("\n")), info)
        if info["labels"] != list(found.labels):
            raise RunError(
                f"{directory / LABELS} is not the one this was trained with: "
                f"expected {info['labels']}, found {list(found.labels)}.",
                hint="Restore it: the order of the class names matters.",
            )
        if finished and found.state != "finished":
            raise RunError(
                f"The {cls.KIND} {directory} is not finished, its state is "
                f"{found.state!r}.",
                hint=f"Resume it: {found.resume_command}",
            )
        return found

    @classmethod
    def read_config(cls, directory: Path) -> Config:
        """Read the configuration of a directory.

        Args:
            directory: Where its files are; a subclass may keep the settings elsewhere.

        Returns:
            The configuration, as it was written.
        """
        return build_config(recipe=directory / CONFIG)

    @classmethod
    @contextlib.contextmanager
    def create(
        cls, path: Path, *, overwrite: bool, progress: Progress
    ) -> Iterator[Path]:
        """Make the directory in place, so that the work can be resumed.

        An earlier one in this place is set aside. It comes back if the new one fails
        before there is anything to resume; afterwards both are kept.

        Args:
            path: The directory.
            overwrite: Whether an earlier one may be replaced.
            progress: Notes where an earlier one is kept.

        Yields:
            The path, an existing and empty directory.

        Raises:
            UsageError: It exists and must not be replaced, or cannot be made.
        """
        old: Path | None = None
        if files.is_taken(path):
            files.refuse_existing(
                path, marker=cls.MARKER, overwrite=overwrite, what=cls.KIND
            )
            old = files.aside(path)
            path.replace(old)
        try:
            files.make_directory(path)
            yield path
        except BaseException:
            if not cls.is_resumable(path):
                shutil.rmtree(path, ignore_errors=True)
                if old:
                    old.replace(path)
            elif old:
                kept = path.with_name(f"{path.name}{old.suffix}.previous")
                old.replace(kept)
                progress.note(f"The earlier {cls.KIND} is kept in {kept}")
            raise
        if old:
            shutil.rmtree(old, ignore_errors=True)

    @classmethod
    def is_resumable(cls, directory: Path) -> bool:
        """Return whether a directory holds work that can be continued."""
        raise NotImplementedError

    @classmethod
    def begin(
        cls, directory: Path, config: Config, manifest: Manifest, **more: Any
    ) -> Self:
        """Fill a fresh directory with all that is known before training.

        Args:
            directory: An empty directory.
            config: The resolved configuration.
            manifest: The data set to be trained on.
            **more: Further entries of the record.

        Returns:
            The directory, in state "training".
        """
        files.write_text(directory / CONFIG, config.to_yaml())
        text = "".join(f"{label}\n" for label in manifest.labels)
        files.write_text(directory / LABELS, text)
        counts = {split: len(manifest.of(split)) for split in ("train", "val", "test")}
        known = {
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
        return cls(directory, config, manifest.labels, {}).update(**known, **more)

    @contextlib.contextmanager
    def recorded(self, progress: Progress) -> Iterator[Self]:
        """Record the state of the work in the block, however it ends.

        Args:
            progress: Notes how to resume what was interrupted, where it can be.

        Yields:
            The directory in state "training". What the block writes to the record
            stays.

        Raises:
            KeyboardInterrupt: As the block did; any other exception likewise.
        """
        try:
            yield self.update(state="training")
        except KeyboardInterrupt:
            self._record_state("interrupted")
            if self.is_resumable(self.directory):
                progress.note(f"Resume it with: {self.resume_command}")
            raise
        except BaseException:
            self._record_state("failed")
            raise
        self._record_state("finished")

    def _record_state(self, state: str) -> None:
        """Add the state to what the work has recorded in the meantime."""
        type(self).read(self.directory, finished=False).update(state=state)

    def update(self, **values: Any) -> Self:
        """Write entries of the record.

        Args:
            **values: Top-level entries, replaced or added.

        Returns:
            The directory with them.
        """
        info = {**self.info, **values}
        files.write_json(self.directory / self.MARKER, info)
        return dataclasses.replace(self, info=info)

    def with_config(self, config: Config, **values: Any) -> Self:
        """Write a configuration that was decided on, and entries of the record.

        Args:
            config: Takes the place of the one in config.yaml.
            **values: As for `update`.

        Returns:
            The directory with both.
        """
        files.write_text(self.directory / CONFIG, config.to_yaml())
        return dataclasses.replace(self, config=config).update(**values)

    @property
    def state(self) -> str:
        """The state of the work: "training", "interrupted", "failed" or "finished"."""
        return str(self.info["state"])

    @property
    def resume_command(self) -> str:
        """The command that continues the work."""
        return shlex.join((*self.COMMAND, "--resume", str(self.directory)))

    def manifest(self, data: str | Path | None = None) -> Manifest:
        """Read the data set that this was trained on.

        Args:
            data: Its directory now, if it was moved.

        Returns:
            Its manifest.

        Raises:
            RunError: Its checksum or labels have changed since.
            DatasetError: It is not there.
        """
        try:
            manifest = Manifest.read(data or self.config.data)
        except DatasetError as error:
            if data is not None:
                raise
            hint = f"If it was moved, name its place with --data. {error.hint}"
            raise DatasetError(error.message, hint=hint) from error
        if manifest.labels != self.labels:
            raise RunError(
                f"The classes of {manifest.directory} are {list(manifest.labels)}, "
                f"{self.directory} was trained on {list(self.labels)}.",
                hint="Name the data set that it was trained on, or train again.",
            )
        expected = self.info["data"]["checksum"]
        if manifest.checksum != expected:
            raise RunError(
                f"{manifest.directory} has changed since {self.directory} was trained "
                f"on it: checksum {manifest.checksum[:8]}, not {expected[:8]}.",
                hint="Train again on it, or name the data set as it was.",
            )
        return manifest

    def metrics(self) -> dict[str, Any]:
        """Read metrics.json.

        Returns:
            Its content: of a run, the last evaluation (`finetune` ends with one of
            the validation split).

        Raises:
            RunError: It is missing or damaged.
        """
        path = self.directory / METRICS
        try:
            found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise RunError(f"{path} cannot be read: {error}.") from error
        return found


def versions() -> dict[str, str]:
    """Collect the versions that a result depends on.

    Returns:
        Versions by package name, "python" and "system" among them.
    """
    found = {"python": platform.python_version(), "system": platform.platform()}
    for package in RECORDED:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = "not installed"
    return found
