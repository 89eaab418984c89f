"""An artefact in a process that has never seen tlkit, its answers out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any

from tlkit.errors import RunError
from tlkit.exporting import standalone_check


class FreshProcess:
    """One that loads TensorFlow while this one does something else.

    A context manager; the process ends with it.
    """

    def __enter__(self) -> FreshProcess:
        """Start it."""
        self._scratch = tempfile.TemporaryDirectory(prefix="tlkit-fresh-")
        self._answers = Path(self._scratch.name, "answers.json")
        self._process = subprocess.Popen(
            [sys.executable, "-I", standalone_check.__file__],
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        """End it, whether it was asked or not."""
        self._process.kill()
        self._process.communicate()
        self._scratch.cleanup()

    def answers(self, artefact: Path, samples: Path) -> dict[str, Any]:
        """What an artefact says."""
        asked = json.dumps([str(artefact), str(samples), str(self._answers)])
        _, said = self._process.communicate(asked)
        if self._process.returncode:
            last = " ".join(said.strip().splitlines()[-2:])
            raise RunError(f"The artefact cannot be loaded in a fresh process: {last}")
        found: dict[str, Any] = json.loads(self._answers.read_text(encoding="utf-8"))
        return found
