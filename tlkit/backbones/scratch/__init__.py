"""Small networks to be trained from scratch, well-known ones and our own.

Each takes float32 [B, size, size, 3] in -1..1. They have no published weights here and
show what transfer gains on the data at hand. The classification top of a paper, dense
layers and dropout, is left to the head.
"""

from __future__ import annotations

from tlkit.backbones.scratch.alexnet import alexnet_small
from tlkit.backbones.scratch.densenet import densenet_bc
from tlkit.backbones.scratch.lenet import lenet5
from tlkit.backbones.scratch.resnet import resnet20
from tlkit.backbones.scratch.small_cnn import small_cnn
from tlkit.backbones.scratch.squeezenet import squeezenet

NETWORKS = {
    "AlexNetSmall": alexnet_small,
    "DenseNet40": densenet_bc,
    "LeNet5": lenet5,
    "ResNet20": resnet20,
    "SmallCNN": small_cnn,
    "SqueezeNet": squeezenet,
}
