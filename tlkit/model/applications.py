"""The networks of keras.applications."""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras

from tlkit.model.body import renumber

if TYPE_CHECKING:
    from tlkit.model.backbones import Backbone


def build(backbone: Backbone, pixels: keras.KerasTensor) -> keras.Model:
    """A network of the table whose builder is this module.

    Args:
        backbone: Row of the table.
        pixels: As the network expects them, float32 [B, size, size, 3].

    Returns:
        The body, on the pixels.
    """
    body = getattr(keras.applications, backbone.name)(
        include_top=False, weights=None, input_tensor=pixels
    )
    renumber(body)
    return body
