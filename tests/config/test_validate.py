import pytest

from tlkit.config import build_config
from tlkit.errors import ConfigError


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"optimizer": "adam", "momentum": 0.9}, "takes no momentum"),
        ({"optimizer": "rmsprop", "nesterov": True}, "takes no nesterov"),
        ({"warmup": 0.1}, "warmup goes with schedule cosine"),
        ({"schedule": "cosine", "lr_patience": 2}, "schedule 'cosine'"),
        ({"patience": 3, "lr_patience": 3}, "never come to pass"),
        ({"head": "dense:3"}, "flatten"),
        ({"views": "many"}, "fresh"),
        ({"views": 0}, "1 to 1000"),
        ({"views": 3, "mix": "mixup"}, "views fresh or mix none"),
        ({"views": 3, "augment": "none"}, "every view is the same"),
        ({"views": "fresh", "augment": "none"}, "every view is the same"),
        ({"preprocessing": "tf"}, "MobileNetV2 has its own preprocessing"),
        ({"preprocessing": "vgg", "backbone": "x.keras"}, "caffe | torch"),
        ({"backbone": "my.h5"}, "has to be a .keras one"),
        ({"engine": "onnx"}, "auto | openvino | keras"),
        ({"augment": "strog"}, "strong"),
        ({"hflip": False, "augment": ({"D4": {}},)}, "by D4"),
        ({"sampling": "even"}, "as-is | balanced"),
        ({"sampling": "balanced", "class_weights": "balanced"}, "one of both"),
        ({"hflip": "maybe"}, "true or false"),
        ({"epochs": True}, "a whole number"),
    ],
)
def test_what_does_not_go_together_is_a_fault(options, word):
    with pytest.raises(ConfigError, match=word):
        build_config(options=options)
