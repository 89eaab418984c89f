import dataclasses

import pytest
import yaml

from tlkit.config import Config, build_config, resolve
from tlkit.errors import UsageError
from tlkit.inputs.augment import has_flips


def test_resolving_spells_everything_out_and_survives_yaml(tmp_path):
    config = resolve(build_config(options={"backbone": "inception", "cut": "mixed7"}))
    assert config.model.backbone == "InceptionV3"
    assert (config.model.size, config.model.freeze_to) == (299, "mixed7")
    assert config.train.lr_patience == 4
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


def test_a_weights_file_is_checked_before_anything_slow(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    gone = build_config(options={"weights": "gone.h5"})  # as a run's record may have it
    with pytest.raises(UsageError, match=r"gone\.h5 is not there") as caught:
        resolve(gone)
    assert str(tmp_path / "gone.h5") in caught.value.message
    with pytest.raises(UsageError, match="is a folder"):
        resolve(build_config(options={"weights": str(tmp_path)}))
    (tmp_path / "gone.h5").write_text("damaged, which is found out later")
    assert resolve(gone).model.weights == str(tmp_path / "gone.h5")


def test_a_network_of_ones_own_is_checked_only_when_resolved(tmp_path):
    path = str(tmp_path / "gone.keras")
    config = build_config(options={"backbone": path})  # as a run's record may have it
    with pytest.raises(UsageError, match=r"gone\.keras is not there"):
        resolve(config)


def test_weights_by_default_are_those_of_imagenet():
    assert resolve(build_config()).model.weights == "imagenet"
    for backbone in ("vgg16", "lenet5"):
        options = {"backbone": backbone, "weights": "own"}
        with pytest.raises(UsageError, match="brings no weights along"):
            resolve(build_config(options=options))


def test_a_network_that_brings_weights_is_used_with_them():
    assert resolve(build_config(options={"backbone": "nano"})).model.weights == "own"
    options = {"backbone": "nano", "weights": "imagenet"}
    with pytest.raises(UsageError, match="Nano brings its own weights along"):
        resolve(build_config(options=options))


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
def test_views_are_cached_where_possible(options, views):
    assert resolve(build_config(options=options)).inputs.views == views


def test_flips_are_given_or_left_to_the_data():
    def inputs(**options):
        return resolve(build_config(options=options)).inputs

    assert inputs().hflip is None
    assert has_flips(inputs().augment)
    assert inputs(hflip=True).hflip
    without = inputs(hflip=False)
    assert without.hflip is False
    assert [list(step) for step in without.augment] == [
        ["Affine"], ["RandomBrightnessContrast"],
    ]  # fmt: skip
    # An own file stays unchanged: its flips state that flips are right.
    own = ({"HorizontalFlip": {"p": 0.3}}, {"Rotate": {"limit": 5}})
    assert inputs(augment=own).hflip is True
    assert inputs(augment=own).augment == own
    assert inputs(augment=own[1:]).hflip is None


def test_yaml_may_forbid_flips(tmp_path):
    (tmp_path / "mine.yaml").write_text("inputs: {hflip: no}\n")
    config = resolve(build_config(recipe=tmp_path / "mine.yaml"))
    assert config.inputs.hflip is False
    (tmp_path / "again.yaml").write_text(config.to_yaml())
    assert resolve(build_config(recipe=tmp_path / "again.yaml")) == config
