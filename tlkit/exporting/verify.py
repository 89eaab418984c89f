"""A fresh process that runs an exported model without tlkit."""

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
    """A process that loads TensorFlow while this one exports; a context manager."""

    def __enter__(self) -> FreshProcess:
        """Start the process."""
        self._scratch = tempfile.TemporaryDirectory(prefix="tlkit-fresh-")
        self._result = Path(self._scratch.name, "result.json")
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
        """End the process."""
        self._process.kill()
        self._process.communicate()
        self._scratch.cleanup()

    def outputs(self, exported: Path, samples: Path) -> dict[str, Any]:
        """Run an exported model on samples; see `standalone_check`."""
        arguments = json.dumps([str(exported), str(samples), str(self._result)])
        _, errors = self._process.communicate(arguments)
        if self._process.returncode:
            last = " ".join(errors.strip().splitlines()[-2:])
            raise RunError(
                f"The exported model cannot be loaded in a fresh process: {last}"
            )
        found: dict[str, Any] = json.loads(self._result.read_text(encoding="utf-8"))
        return found
