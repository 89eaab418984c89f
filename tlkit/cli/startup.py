"""The start of a command: options checked first, then TensorFlow and the workers."""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.control import Control
from rich.segment import ControlType

from tlkit.backbones.spec import is_custom
from tlkit.cli.terminal import ERR
from tlkit.config import Config, build_config, resolve


def check_options(
    options: Mapping[str, Any], recipe: str | None, overrides: Sequence[str] | None
) -> Config:
    """Return the resolved configuration; an error before anything slow begins."""
    config = build_config(recipe=recipe, options=options, overrides=overrides or ())
    if is_custom(config.model.backbone):
        load_tensorflow()
    return resolve(config)


def start_workers(config: Config) -> None:
    """Let the workers import while TensorFlow loads, if images will be read."""
    from tlkit.cache_root import cache_root
    from tlkit.features.cache import holds
    from tlkit.inputs.views import get_ready
    from tlkit.workers import warm_up

    model, inputs = config.model, config.inputs
    cached = config.train.cache and isinstance(inputs.views, int)
    if not (cached and holds(cache_root(), model.row.identity, model.size)):
        warm_up(get_ready, inputs.workers)


def load_tensorflow() -> None:
    """Import TensorFlow without the lines that it writes while it loads."""
    if ERR.is_terminal:
        ERR.print("Loading TensorFlow ...", style="dim", end="\r")
    with _silent_stderr():
        importlib.import_module("tensorflow")
        importlib.import_module("keras")
    # A million objects that stay: the garbage collector need not look at them.
    gc.freeze()
    if ERR.is_terminal:
        ERR.control(Control((ControlType.ERASE_IN_LINE, 2)))


@contextlib.contextmanager
def _silent_stderr() -> Iterator[None]:
    """Redirect standard error, and show what was written only after a failure.

    C++ writes to the file descriptor itself, before any log level applies.
    """
    sys.stderr.flush()
    shown = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            held.seek(0)
            os.write(shown, held.read())
            raise
        finally:
            os.dup2(shown, 2)
            os.close(shown)
