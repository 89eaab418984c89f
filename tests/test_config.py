import dataclasses

import pytest
import yaml

from tlkit.config import (
    SECTIONS,
    Config,
    TrainConfig,
    build_config,
    resolve,
)
from tlkit.errors import ConfigError, UsageError
from tlkit.inputs.augment import mirrors
from tlkit.recipe import recipe_folder, recipe_names


def test_option_names_are_unique_over_the_sections():
    names = [f.name for kind in SECTIONS.values() for f in dataclasses.fields(kind)]
    assert len(names) == len(set(names)) > 20


def test_later_layers_win(tmp_path):
    recipe = tmp_path / "mine.yaml"
    recipe.write_text("model: {backbone: vgg16}\ntrain: {lr: 1e-4, epochs: 7}\n")
    config = build_config(
        recipe=recipe, options={"epochs": 8}, assignments=["train.epochs=9"]
    )
    assert config.model.backbone == "vgg16"
    assert config.train.lr == 1e-4  # which YAML 1.1 reads as a text
    assert config.train.epochs == 9
    assert config.train.optimizer == TrainConfig.optimizer


def test_all_faults_are_shown_at_once():
    with pytest.raises(ConfigError) as caught:
        build_config(
            options={"backbone": "resnet51", "resize": "stretch", "lr": -1.0},
            assignments=["train.epoch=3", "model.size=big", "nope.x=1"],
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
        ({"warmup": 0.1}, "warmup goes with schedule cosine"),
        ({"schedule": "cosine", "plateau": 2}, "schedule 'cosine'"),
        ({"patience": 3, "plateau": 3}, "never come to pass"),
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
        ({"mirror": False, "augment": ({"D4": {}},)}, "by D4"),
        ({"sampling": "even"}, "as-is | balanced"),
        ({"sampling": "balanced", "class_weights": "balanced"}, "one of both"),
        ({"mirror": "maybe"}, "true or false"),
        ({"epochs": True}, "a whole number"),
    ],
)
def test_what_does_not_go_together_is_a_fault(options, word):
    with pytest.raises(ConfigError, match=word):
        build_config(options=options)


def test_an_unknown_option_of_the_api_is_a_fault():
    with pytest.raises(ConfigError, match="batch"):
        build_config(options={"batch_size": 3})


@pytest.mark.parametrize(
    ("content", "word"),
    [("- a", "section"), ("a: [", "not YAML"), ("model: 3", "options below it")],
)
def test_a_recipe_that_is_none(tmp_path, content, word):
    path = tmp_path / "x.yaml"
    path.write_text(content)
    with pytest.raises(ConfigError, match=word):
        build_config(recipe=path)


def test_faults_say_where_they_may_be(tmp_path):
    recipe = tmp_path / "mine.yaml"
    recipe.write_text("train: {epochs: 0}\n")
    with pytest.raises(ConfigError) as caught:
        build_config(recipe=recipe)
    assert caught.value.message.startswith(f"1 fault in {recipe}:\n")
    with pytest.raises(ConfigError) as caught:
        build_config(recipe=recipe, assignments=["train.lr=0"])
    assert caught.value.message.startswith(f"2 faults in {recipe} and the options:\n")
    with pytest.raises(ConfigError) as caught:
        build_config(options={"epochs": 0})
    assert caught.value.message.startswith("1 fault in the options:\n")


@pytest.mark.parametrize("text", ["train.lr", "lr=3", "=3", ".=1"])
def test_an_assignment_of_another_form(text):
    with pytest.raises(UsageError, match=r"section\.option=value"):
        build_config(assignments=[text])


def test_resolving_spells_everything_out_and_survives_yaml(tmp_path):
    config = resolve(build_config(options={"backbone": "inception", "cut": "mixed7"}))
    assert config.model.backbone == "InceptionV3"
    assert (config.model.size, config.model.freeze_to) == (299, "mixed7")
    assert config.train.plateau == 4
    assert not isinstance(config.inputs.augment, str)
    path = tmp_path / "config.yaml"
    path.write_text(config.to_yaml())
    again = resolve(build_config(recipe=path))
    assert again == config
    loaded = yaml.safe_load(config.to_yaml())
    assert set(loaded) == {f.name for f in dataclasses.fields(Config)}


def test_random_weights_are_not_frozen_unless_asked():
    config = resolve(build_config(options={"weights": "none"}))
    assert config.model.freeze_to == "none"


def test_a_size_below_the_least_is_refused():
    with pytest.raises(UsageError, match="75"):
        resolve(build_config(options={"backbone": "inception", "size": 64}))


def test_a_weights_file_is_looked_for_before_anything_slow(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    gone = build_config(options={"weights": "gone.h5"})  # a run's record may say so
    with pytest.raises(UsageError, match=r"gone\.h5 is not there") as caught:
        resolve(gone)
    assert str(tmp_path / "gone.h5") in caught.value.message
    with pytest.raises(UsageError, match="is a folder"):
        resolve(build_config(options={"weights": str(tmp_path)}))
    (tmp_path / "gone.h5").write_text("damaged, which is found out later")
    assert resolve(gone).model.weights == str(tmp_path / "gone.h5")


def test_a_network_of_ones_own_is_looked_for_only_when_resolved(tmp_path):
    path = str(tmp_path / "gone.keras")
    config = build_config(options={"backbone": path})  # a run's record may say so
    with pytest.raises(UsageError, match=r"gone\.keras is not there"):
        resolve(config)


def test_weights_by_default_are_those_of_imagenet():
    assert resolve(build_config()).model.weights == "imagenet"
    for backbone in ("vgg16", "lenet5"):
        options = {"backbone": backbone, "weights": "own"}
        with pytest.raises(UsageError, match="brings no weights along"):
            resolve(build_config(options=options))


def test_every_recipe_can_be_meant():
    paths = list(recipe_folder().glob("**/*.yaml"))
    assert len(paths) == len(recipe_names()) >= 4
    for path in paths:
        config = resolve(build_config(recipe=path))
        assert not config.data, "a recipe is for anybody's data"
        assert len(path.read_text().splitlines()) < 40


@pytest.mark.parametrize(
    ("options", "views"),
    [
        ({}, 4),
        ({"augment": "none"}, 1),
        ({"augment": "none", "mix": "cutmix"}, "fresh"),
        ({"mix": "mixup"}, "fresh"),
        ({"freeze_to": "none"}, "fresh"),
        ({"weights": "none"}, "fresh"),
        ({"weights": "none", "augment": "none"}, 1),
        ({"weights": "none", "freeze_to": "block_1_expand"}, 4),
        ({"views": 2, "freeze_to": "none"}, 2),
        ({"views": "fresh"}, "fresh"),
    ],
)
def test_views_that_can_be_kept_are_kept(options, views):
    assert resolve(build_config(options=options)).inputs.views == views


def test_mirror_images_are_said_or_left_to_the_data():
    def inputs(**options):
        return resolve(build_config(options=options)).inputs

    assert inputs().mirror is None
    assert mirrors(inputs().augment)
    assert inputs(mirror=True).mirror
    without = inputs(mirror=False)
    assert without.mirror is False
    assert [list(step) for step in without.augment] == [
        ["Affine"], ["RandomBrightnessContrast"],
    ]  # fmt: skip
    # A file of one's own is left as it is: with flips it says that these are right.
    own = ({"HorizontalFlip": {"p": 0.3}}, {"Rotate": {"limit": 5}})
    assert inputs(augment=own).mirror is True
    assert inputs(augment=own).augment == own
    assert inputs(augment=own[1:]).mirror is None


def test_yaml_may_say_no_to_mirror_images(tmp_path):
    (tmp_path / "mine.yaml").write_text("inputs: {mirror: no}\n")
    config = resolve(build_config(recipe=tmp_path / "mine.yaml"))
    assert config.inputs.mirror is False
    (tmp_path / "again.yaml").write_text(config.to_yaml())
    assert resolve(build_config(recipe=tmp_path / "again.yaml")) == config
