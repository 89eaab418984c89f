"""Small networks of the field's history and our own, to be trained from scratch.

One module a network: float32 [B, size, size, 3] in -1..1 in, the body out. They have no
published weights here and show what transfer is worth on the data at hand. What a
classification top has in the paper, dense layers and dropout, is left to the head.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras

from tlkit.backbones.graph import renumber
from tlkit.backbones.scratch.alexnet import alexnet_small
from tlkit.backbones.scratch.densenet import densenet_bc
from tlkit.backbones.scratch.lenet import lenet5
from tlkit.backbones.scratch.resnet import resnet20
from tlkit.backbones.scratch.small_cnn import small_cnn
from tlkit.backbones.scratch.squeezenet import squeezenet

if TYPE_CHECKING:
    from tlkit.backbones.registry import Backbone

NETWORKS = {
    "AlexNetSmall": alexnet_small,
    "DenseNet40": densenet_bc,
    "LeNet5": lenet5,
    "ResNet20": resnet20,
    "SmallCNN": small_cnn,
    "SqueezeNet": squeezenet,
}


def build(backbone: Backbone, pixels: keras.KerasTensor) -> keras.Model:
    """A network of the table whose builder is this package."""
    features = NETWORKS[backbone.name](pixels)
    body = keras.Model(keras.utils.get_source_inputs(pixels), features)
    renumber(body)
    return body
