"""Where the pretrained weights of each backbone come from, and lie on this machine.

Published ones lie where Keras keeps them, under the same names, so that what either of
the two has fetched serves both. Importing this module does not import Keras.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import h5py

from tlkit.model.backbones import NANO, Backbone
from tlkit.model.published import PUBLISHED, Published

NANO_FILE = Path(__file__).with_name("nano.weights.h5")


@dataclass(frozen=True)
class Origin:
    """Where the weights of a backbone come from.

    Args:
        backbone: Row of the table.
        file: Where they lie, or would; None where there are none.
        published: What is known of a published file, None if there is none.
    """

    backbone: Backbone
    file: Path | None
    published: Published | None

    @property
    def here(self) -> bool:
        """Whether they are on this machine, and not cut short."""
        return self._lies and not self.damaged

    @property
    def damaged(self) -> bool:
        """Whether what lies in their place is a folder, no HDF5, or cut short.

        Other damage is found when they are used, or fetched.
        """
        if self.file is None or not self._lies:
            return False
        try:
            h5py.File(self.file, "r").close()
        except OSError:
            return True
        return False

    @property
    def _lies(self) -> bool:
        return self.file is not None and self.file.exists()

    @property
    def bytes(self) -> int:
        """Size of the file, an estimate by the parameters where it is not here."""
        if self.file and self.here:
            return self.file.stat().st_size
        return 4 * self.backbone.parameters if self.published else 0


def cache_folder() -> Path:
    """Returns where Keras keeps weights: KERAS_HOME/models or ~/.keras/models."""
    home = os.environ.get("KERAS_HOME")
    return (Path(home) if home else Path.home() / ".keras") / "models"


def origin(backbone: Backbone) -> Origin:
    """Where the weights of a backbone come from.

    Args:
        backbone: Row of the table.

    Returns:
        The origin.
    """
    if backbone.builder == NANO:
        return Origin(backbone, NANO_FILE, None)
    published = PUBLISHED.get(backbone.name)
    if published is None:
        return Origin(backbone, None, None)
    return Origin(backbone, cache_folder() / published.file, published)
