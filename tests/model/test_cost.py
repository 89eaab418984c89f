import keras
import pytest

from tlkit.backbones.graph import build_backbone, symbolic
from tlkit.backbones.registry import find
from tlkit.model.cost import flops


def test_operations_worked_out_by_hand():
    image = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(4, 3, padding="same")(image)  # 8 * 8 * 4 * 27 products
    x = keras.layers.DepthwiseConv2D(3, strides=2, padding="same")(x)  # 4 * 4 * 4 * 9
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.SeparableConv2D(5, 3, padding="same")(x)  # 16 * (36 + 20)
    x = keras.layers.Conv2D(6, 1, groups=1)(x)  # 16 * 5 * 6
    x = keras.layers.Flatten()(x)
    model = keras.Model(image, keras.layers.Dense(7)(x))  # 96 * 7
    products = 64 * 4 * 27 + 16 * 4 * 9 + 16 * 56 + 16 * 30 + 96 * 7
    assert flops(model) == 2 * products


@pytest.mark.parametrize(
    ("name", "published"),
    [("VGG16", 30.7e9), ("ResNet50", 7.75e9), ("MobileNetV2", 0.61e9)],
)
def test_the_known_networks_cost_what_is_known(name, published):
    with symbolic():
        network = build_backbone(find(name), 224)
    assert flops(network) == pytest.approx(published, rel=0.02)
