import pytest

from tlkit.config import TrainConfig, build_config, resolve
from tlkit.errors import ConfigError, UsageError
from tlkit.recipe import recipe_folder, recipe_names


def test_later_layers_win(tmp_path):
    recipe = tmp_path / "mine.yaml"
    recipe.write_text("model: {backbone: vgg16}\ntrain: {lr: 1e-4, epochs: 7}\n")
    config = build_config(
        recipe=recipe, options={"epochs": 8}, overrides=["train.epochs=9"]
    )
    assert config.model.backbone == "vgg16"
    assert config.train.lr == 1e-4  # which YAML 1.1 reads as a text
    assert config.train.epochs == 9
    assert config.train.optimizer == TrainConfig.optimizer


def test_all_faults_are_shown_at_once():
    with pytest.raises(ConfigError) as caught:
        build_config(
            options={"backbone": "resnet51", "resize": "stretch", "lr": -1.0},
            overrides=["train.epoch=3", "model.size=big", "nope.x=1"],
        )
    assert len(caught.value.faults) == 6
    text = str(caught.value)
    for word in ("ResNet50", "squash | crop | pad", "epochs", "whole number", "nope"):
        assert word in text
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"optimizer": "adam", "momentum": 0.9}, "takes no momentum"),
        ({"optimizer": "rmsprop", "nesterov": True}, "takes no nesterov"),
        ({"warmup": 0.1}, "warmup needs schedule cosine"),
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
        ({"backbone": "my.h5"}, "Use a .keras file"),
        ({"engine": "onnx"}, "auto | openvino | keras"),
        ({"augment": "strog"}, "strong"),
        ({"hflip": False, "augment": ({"D4": {}},)}, "augmentation has D4"),
        ({"sampling": "even"}, "as-is | balanced"),
        ({"sampling": "balanced", "class_weights": "balanced"}, "one of the two"),
        ({"hflip": "maybe"}, "true or false"),
        ({"epochs": True}, "a whole number"),
        ({"augment": [3]}, "a text or a list, each item a mapping, got"),
    ],
)
def test_conflicting_options_are_a_fault(options, word):
    with pytest.raises(ConfigError, match=word):
        build_config(options=options)


def test_layers_in_a_recipe_belong_to_its_network(tmp_path):
    recipe = tmp_path / "mine.yaml"
    recipe.write_text("model: {backbone: vgg16, cut: block5_pool, freeze_to: none}\n")
    with pytest.raises(ConfigError) as caught:
        build_config(recipe=recipe, overrides=["model.backbone=nano"])
    (fault,) = caught.value.faults
    for word in ("cut: 'block5_pool'", "of VGG16", "--cut", "of Nano, such as stage4"):
        assert word in fault
    asked = {"backbone": "nano", "cut": "stage3"}
    assert build_config(recipe=recipe, options=asked).model.cut == "stage3"
    # What both networks have in common may stand, and what is no layer.
    for options in ({"backbone": "VGG_16"}, {"backbone": "vgg19"}, {}):
        assert build_config(recipe=recipe, options=options).model.cut == "block5_pool"


def test_an_unknown_option_of_the_api_is_a_fault():
    with pytest.raises(ConfigError, match="batch"):
        build_config(options={"batch_size": 3})


@pytest.mark.parametrize(
    ("content", "word"),
    [("- a", "section"), ("a: [", "not YAML"), ("model: 3", "options below it")],
)
def test_a_file_that_is_not_a_recipe(tmp_path, content, word):
    path = tmp_path / "x.yaml"
    path.write_text(content)
    with pytest.raises(ConfigError, match=word):
        build_config(recipe=path)


def test_faults_name_their_source(tmp_path):
    recipe = tmp_path / "mine.yaml"
    recipe.write_text("train: {epochs: 0}\n")
    with pytest.raises(ConfigError) as caught:
        build_config(recipe=recipe)
    assert caught.value.message.startswith(f"1 fault in {recipe}:\n")
    with pytest.raises(ConfigError) as caught:
        build_config(recipe=recipe, overrides=["train.lr=0"])
    assert caught.value.message.startswith(f"2 faults in {recipe} and the options:\n")
    with pytest.raises(ConfigError) as caught:
        build_config(options={"epochs": 0})
    assert caught.value.message.startswith("1 fault in the options:\n")


@pytest.mark.parametrize("text", ["train.lr", "lr=3", "=3", ".=1"])
def test_an_override_of_another_form(text):
    with pytest.raises(UsageError, match=r"section\.option=value"):
        build_config(overrides=[text])


def test_every_packaged_recipe_resolves():
    paths = list(recipe_folder().glob("**/*.yaml"))
    assert len(paths) == len(recipe_names()) >= 4
    for path in paths:
        config = resolve(build_config(recipe=path))
        assert not config.data, "a recipe is for anybody's data"
        assert len(path.read_text().splitlines()) < 40
