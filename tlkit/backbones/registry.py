"""The way from a name to a backbone, of the table or custom."""

from __future__ import annotations

from pathlib import Path

from tlkit.backbones.spec import Backbone, is_custom
from tlkit.backbones.table import BACKBONES, LISTED_BY
from tlkit.errors import UsageError, unknown_name

OTHER_FORMATS = {".h5", ".hdf5", ".tflite", ".pb", ".onnx", ".pt"}


def _key(name: str) -> str:
    """Return a name without what people vary: case, dashes, underscores, spaces."""
    return "".join(letter for letter in name.lower() if letter.isalnum())


_BY_KEY = {
    _key(name): row for row in BACKBONES.values() for name in (*row.aliases, row.name)
}


def find(
    name: str, *, preprocessing: str | None = None, size: int | None = None
) -> Backbone:
    """Return the backbone of a name.

    Args:
        name: Canonical name or alias; case, dashes and underscores do not matter. A
            path that ends in .keras or a KerasHub preset behind "hub:" is a custom
            backbone, which takes Keras to open.
        preprocessing: Of a custom backbone, one of PREPROCESSINGS; None if its graph or
            preset includes it.
        size: Image size of a custom backbone in pixels; None if it has only one.

    Returns:
        The row of the table, or one made for the custom backbone.

    Raises:
        UsageError: There is no such backbone; the hint names the nearest. Or a custom
            one cannot be used, or needs preprocessing or size.

    Example:
        >>> find("inception").name
        'InceptionV3'
    """
    if is_custom(name):
        # Here, for it imports Keras.
        from tlkit.backbones import custom

        return custom.find(name, preprocessing=preprocessing, size=size)
    found = _listed(name)
    if preprocessing is not None:
        raise UsageError(
            f"--preprocessing {preprocessing} goes with a custom backbone; "
            f"{found.name} has its own preprocessing ({found.preprocessing.name})."
        )
    return found


def find_graph(name: str, *, size: int | None = None) -> Backbone:
    """Return the backbone of a name, to look at its layers only.

    Args:
        name: As for `find`.
        size: As for `find`.

    Returns:
        As `find`; the preprocessing of a custom backbone is not determined.

    Raises:
        UsageError: There is no such backbone, or a custom one cannot be opened.
    """
    if is_custom(name):
        from tlkit.backbones import custom

        return custom.find_graph(name, size)
    return _listed(name)


def _listed(name: str) -> Backbone:
    found = _BY_KEY.get(_key(name))
    if found is None:
        error = unknown_name("backbone", name, BACKBONES, listed_by=LISTED_BY)
        if Path(name).suffix in OTHER_FORMATS:
            raise UsageError(
                error.message, hint="Use a .keras file, as model.save writes it."
            )
        raise error
    return found
