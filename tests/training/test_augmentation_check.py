import json

import numpy as np
import pytest
import yaml
from PIL import Image, ImageDraw

import tlkit
from tests.conftest import SMALL
from tlkit.features.cache import contents
from tlkit.features.flip_features import sample
from tlkit.inputs.augment import POLICIES, has_flips, load_policy
from tlkit.model.phases import ONE
from tlkit.progress import Silent
from tlkit.training.augmentation_check import verdict_by_names, verdict_by_probe
from tlkit.training.finetune import resume

pytestmark = pytest.mark.usefixtures("plain_plots")


class Listener(Silent):
    def __init__(self):
        self.notes = []

    def note(self, message):
        self.notes.append(message)


@pytest.mark.parametrize(
    ("labels", "word"),
    [
        (("turn_left", "turn_right"), "'turn_left' flipped would be 'turn_right'"),
        (("LeftHand", "RightHand", "foot"), "'LeftHand'"),
        (("L", "R"), "'L' flipped would be 'R'"),
        (("a left b", "a right b"), "flipped"),
        (("0", "1", "2"), "numbers"),
        (("1", "2", "5", "10"), "numbers"),
        (("A", "B", "z"), "letters"),
        (("ж", "ш", "я"), "letters"),
    ],
)
def test_names_that_forbid_flipping(labels, word):
    verdict = verdict_by_names(labels)
    assert verdict is not None
    assert not verdict.harmless
    assert word in verdict.reason


@pytest.mark.parametrize(
    "labels",
    [
        ("ants", "bees"),
        ("0", "1"),  # as often a no and a yes as a nought and a one
        ("left", "straight"),
        ("bright", "leftover"),
        ("1 cent", "2 cents", "5 cents"),
        ("a", "b"),
        ("left_left", "Left Left"),
    ],
)
def test_names_that_allow_flips(labels):
    assert verdict_by_names(labels) is None


LABELS = ("ants", "bees")


def rows(n, *, swapped, seed=0):
    """Two classes by the sign of one number, which a flip inverts or not."""
    rng = np.random.default_rng(seed)
    targets = np.arange(n) % 2
    plain = rng.normal(size=(n, 6)).astype(np.float32)
    plain[:, 0] += 4.0 * (2 * targets - 1)
    flipped = plain + 0.1 * rng.normal(size=plain.shape).astype(np.float32)
    if swapped:
        flipped[:, 0] *= -1
    return plain, flipped, targets


def test_a_sign_that_changes_is_harm_and_one_that_stays_is_not():
    for swapped in (True, False):
        plain, flipped, targets = rows(60, swapped=swapped)
        verdict = verdict_by_probe(plain, flipped, targets, np.arange(60), LABELS)
        numbers = verdict.numbers
        assert verdict.harmless is not swapped
        assert numbers["accuracy"] > 0.95
        assert (numbers["flipped_accuracy"] < 0.05) is swapped
        assert numbers["images"] == 60
        if swapped:
            # All lost, none gained: the exact test is a coin that falls one way.
            assert numbers["gained"] == 0
            assert numbers["p"] == pytest.approx(0.5 ** numbers["lost"])


def test_a_class_that_is_recognized_both_ways_is_reported():
    """One class loses its flipped images; the other is correct either way."""
    plain, flipped, targets = rows(60, swapped=True)
    flipped[targets == 0] = plain[targets == 0]
    verdict = verdict_by_probe(plain, flipped, targets, np.arange(60), LABELS)
    classes = verdict.numbers["per_class"]
    assert classes["ants"]["both_correct"] > 25
    assert classes["ants"]["lost"] == 0
    assert classes["bees"]["lost"] > 25
    assert "Most are lost in 'bees'" in verdict.reason
    same = verdict_by_probe(plain, plain, targets, np.arange(60), LABELS)
    assert same.harmless
    assert "recognized both ways may still change" in same.reason
    assert "Most are lost" not in same.reason


def test_groups_are_not_parted():
    """Where only an image's own group shows its class, nothing can be learned."""
    rng = np.random.default_rng(0)
    base = rng.normal(size=(20, 40)).astype(np.float32)
    plain = np.repeat(base, 4, axis=0)
    targets, groups = np.repeat(np.arange(20) % 2, 4), np.repeat(np.arange(20), 4)
    parted = verdict_by_probe(plain, plain, targets, np.arange(80), LABELS)
    together = verdict_by_probe(plain, plain, targets, groups, LABELS)
    assert parted.numbers["accuracy"] == 1
    assert together.numbers["accuracy"] < 0.8


def test_too_few_images_are_harmless():
    plain, flipped, targets = rows(3, swapped=True)
    verdict = verdict_by_probe(plain, flipped, targets, np.arange(3), LABELS)
    assert verdict.harmless
    assert "too few" in verdict.reason
    assert not verdict.numbers


def test_the_sample_has_as_many_of_each_class(prepared, monkeypatch):
    monkeypatch.setattr("tlkit.features.flip_features.IMAGES", 12)
    chosen = sample(prepared, seed=1)
    assert [e.label for e in chosen].count("disc") == 4
    assert len({e.id for e in chosen}) == 12
    assert {e.split for e in chosen} == {"train"}
    assert chosen == sample(prepared, seed=1) != sample(prepared, seed=2)


@pytest.fixture(scope="module")
def arrows(tmp_path_factory):
    """Arrows that point east or west, large and always in the same place."""
    root = tmp_path_factory.mktemp("arrows")
    for direction, name in ((1, "east"), (-1, "west")):
        (root / "photos" / name).mkdir(parents=True)
        for i in range(20):
            rng = np.random.default_rng([direction + 1, i])
            ground = rng.integers(0, 60, (32, 32, 3)).astype(np.uint8)
            image = Image.fromarray(ground)
            tip, tail = 16 + 10 * direction, 16 - 10 * direction
            pen = ImageDraw.Draw(image)
            pen.polygon([(tip, 16), (tail, 6), (tail, 26)], fill=(230, 230, 230))
            image.save(root / "photos" / name / f"{i}.png")
    return tlkit.prepare(root / "photos", root / "data", workers=0, near=False)


OPEN = {**SMALL, "hflip": None, "epochs": 1}


@pytest.mark.parametrize("weights", ["none", "file"])
def test_arrows_are_not_flipped_and_the_run_notes_why(
    arrows, finished, tmp_path, own_cache, weights
):
    settings = dict(OPEN)
    if weights == "file":
        model = finished.model()
        model.save_weights(tmp_path / "net.weights.h5")
        settings |= {"weights": str(tmp_path / "net.weights.h5"), "freeze_to": "block2"}
    heard = Listener()
    run = tlkit.finetune(arrows.directory, tmp_path / "run", progress=heard, **settings)
    (line,) = [note for note in heard.notes if note.startswith("Horizontal flips: no.")]
    assert "lost" in line
    saved = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())["inputs"]
    assert saved["hflip"] is False
    assert not has_flips(saved["augment"])
    assert len(saved["augment"]) == len(POLICIES["light"]) - 1
    info = json.loads((tmp_path / "run" / "run.json").read_text())["hflip"]
    assert info["harmless"] is False
    assert info["numbers"]["p"] < 0.01
    assert run.config.inputs.hflip is False
    again = tlkit.finetune(recipe=tmp_path / "run/config.yaml", out=tmp_path / "again")
    assert again.config == run.config
    assert "hflip" not in again.info


def test_drawings_that_may_be_mirrored_are(prepared, tmp_path, own_cache):
    run = tlkit.finetune(prepared.directory, tmp_path / "run", **OPEN)
    assert run.config.inputs.hflip is True
    assert run.info["hflip"]["harmless"]
    assert has_flips(load_policy(run.config.inputs.augment))


def test_a_configured_hflip_is_not_tested(prepared, tmp_path, own_cache, monkeypatch):
    monkeypatch.setattr("tlkit.training.augmentation_check.verdict_by_probe", None)
    run = tlkit.finetune(
        prepared.directory, tmp_path / "run", **{**OPEN, "hflip": False}
    )
    assert run.config.inputs.hflip is False
    assert not has_flips(load_policy(run.config.inputs.augment))


def test_features_of_flips_are_kept(finished, prepared, tmp_path, own_cache):
    finished.model().save_weights(tmp_path / "net.weights.h5")
    weights = str(tmp_path / "net.weights.h5")
    settings = {**OPEN, "weights": weights, "augment": "none", "head": "gap"}
    settings |= {"phases": ONE}
    images = len(prepared.of("train"))
    for place in ("first", "second"):
        run = tlkit.finetune(prepared.directory, tmp_path / place, **settings)
        # Those of the plain images serve the training, too.
        assert run.info["features"]["train"]["views"] == 0
    kept = sum(content.vectors for content in contents(own_cache))
    assert kept == 2 * images + len(prepared.of("val"))


class Stop(BaseException):
    pass


def test_a_resumed_run_keeps_the_decision(arrows, tmp_path, own_cache, monkeypatch):
    def die(self, epoch, logs=None):
        if epoch == 1:
            raise Stop

    with monkeypatch.context() as patch:
        patch.setattr("tlkit.training.checkpoint.Checkpoint.on_epoch_begin", die)
        with pytest.raises(Stop):
            tlkit.finetune(arrows.directory, tmp_path / "run", **{**OPEN, "epochs": 2})
    monkeypatch.setattr("tlkit.training.augmentation_check.verdict_by_probe", None)
    assert resume(tmp_path / "run").config.inputs.hflip is False
