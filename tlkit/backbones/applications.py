"""The networks of keras.applications."""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras

from tlkit.backbones.graph import renumber

if TYPE_CHECKING:
    from tlkit.backbones.registry import Backbone


def build(backbone: Backbone, pixels: keras.KerasTensor) -> keras.Model:
    """A network of the table whose builder is this module."""
    body = getattr(keras.applications, backbone.name)(
        include_top=False, weights=None, input_tensor=pixels
    )
    renumber(body)
    return body
