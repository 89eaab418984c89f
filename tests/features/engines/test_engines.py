import keras
import numpy as np
import pytest

from tlkit.backbones.cut_points import cut_operations, unfinished
from tlkit.backbones.graph import build_backbone, output_of
from tlkit.backbones.registry import find
from tlkit.errors import RunError
from tlkit.features.engines import openvino as openvino_engine
from tlkit.features.engines.choose import build_engine, choose_engine
from tlkit.features.engines.keras import KerasEngine
from tlkit.features.engines.openvino import (
    OpenVinoEngine,
    Plan,
    candidates,
    trial_groups,
)
from tlkit.features.engines.traced import GROUP, Traced
from tlkit.features.machine import Memory
from tlkit.model.classifier import build_classifier, split_at_freeze
from tlkit.model.head import parse_head
from tlkit.progress import Silent

pytest.importorskip("openvino")

SIZE = 40


@pytest.fixture(scope="module")
def network():
    classifier = build_classifier(
        find("smallcnn"),
        size=SIZE,
        cut=None,
        freeze_to="block3",
        head=parse_head("gap"),
        n_classes=3,
        weights="none",
        seed=0,
    )
    return Traced(split_at_freeze(classifier).prefix)


def images(count, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (count, SIZE, SIZE, 3), dtype=np.uint8)


def split(array, size):
    return [array[i : i + size] for i in range(0, len(array), size)]


def openvino_of(network, tmp_path, plan=None):
    made = OpenVinoEngine(network, Memory(tmp_path))
    if plan:
        made.plan = plan
    return made


def test_both_engines_answer_as_the_network_does(network, tmp_path):
    x = images(10)
    wanted = np.asarray(network.prefix(x))
    for name in ("keras", "openvino"):
        made = build_engine(name, network, Memory(tmp_path))
        ((got,),) = made.run([x])
        assert made.name == name
        assert got.dtype == np.float32
        # bfloat16 has 8 bits; on a processor without it both are float32.
        tolerance = 1e-5 if made.compute == "float32" else 2e-2
        assert np.abs(got - wanted).max() <= tolerance * np.abs(wanted).max()


@pytest.mark.parametrize("name", ["keras", "openvino"])
def test_several_maps_come_in_order_and_each_as_if_it_were_alone(tmp_path, name):
    body = build_backbone(find("mobilenetv2"), SIZE)
    points = [p for p in cut_operations(body) if p.name not in unfinished(body)][:14]
    outputs = [output_of(point) for point in points]
    many = Traced(keras.Model(body.inputs[0], outputs))
    made = build_engine(name, many, Memory(tmp_path))
    if made.compute != "float32":
        pytest.skip("roundings differ, which is why such rows have keys of their own")
    groups = split(images(5), 2)
    answers = list(made.run(groups))
    assert [len(maps) for maps in answers] == [14, 14, 14]
    some = [1, 7, 12]
    fewer = list(made.only(some).run(groups))
    for i, maps in zip(some, zip(*fewer, strict=True), strict=True):
        alone = build_engine(name, many.only([i]), Memory(tmp_path))
        wanted = np.concatenate([one for (one,) in alone.run(groups)])
        assert np.concatenate(maps).tobytes() == wanted.tobytes()
        got = np.concatenate([one[i] for one in answers])
        assert got.tobytes() == wanted.tobytes()


@pytest.mark.parametrize("plan", [Plan(1, 1), Plan(3, 2), Plan(16, 2)])
def test_batching_changes_no_bit_and_no_order(network, tmp_path, plan):
    x = images(45)
    ((wanted,),) = openvino_of(network, tmp_path, Plan(45, 1)).run([x])
    groups = split(x, 7)
    got = [maps for (maps,) in openvino_of(network, tmp_path, plan).run(groups)]
    assert [len(g) for g in got] == [7, 7, 7, 7, 7, 7, 3]
    assert np.concatenate(got).tobytes() == wanted.tobytes()


@pytest.mark.parametrize("name", ["keras", "openvino"])
def test_answers_are_not_overwritten_later_and_few_images_are_ahead(
    network, tmp_path, name
):
    drawn = []

    def groups():
        for i in range(20):
            drawn.append(i)
            yield images(2, seed=i)

    made = build_engine(name, network, Memory(tmp_path))
    answers = made.run(groups())
    (first,) = next(answers)
    kept = first.copy()
    assert len(drawn) <= 8
    rest = [maps for (maps,) in answers]
    assert len(rest) == 19
    assert np.array_equal(first, kept)
    ((again,),) = made.run([images(2, seed=19)])
    np.testing.assert_allclose(rest[-1], again, atol=1e-6)


def test_an_engine_that_was_left_in_the_middle_can_be_used_again(network, tmp_path):
    made = openvino_of(network, tmp_path)
    answers = made.run(split(images(30), 3))
    next(answers)
    answers.close()
    x = images(4, seed=9)
    ((got,),) = made.run([x])
    ((wanted,),) = openvino_of(network, tmp_path).run([x])
    assert got.tobytes() == wanted.tobytes()


def test_many_images_choose_the_plan_which_is_remembered(
    network, tmp_path, monkeypatch
):
    plans = [Plan(4, 1), Plan(8, 2)]
    monkeypatch.setattr(openvino_engine, "candidates", lambda cores: plans)
    needed = GROUP * sum(map(trial_groups, plans))
    x = images(needed + 50)
    ((wanted,),) = openvino_of(network, tmp_path / "other", Plan(50, 1)).run([x])
    made = openvino_of(network, tmp_path)
    monkeypatch.setattr(openvino_engine, "WORTH_A_TRIAL", 1)
    answers = made.run(split(x, GROUP), images=len(x))
    got = np.concatenate([maps for (maps,) in answers])
    assert got.tobytes() == wanted.tobytes()
    assert made.plan in plans
    later = openvino_of(network, tmp_path)
    list(later.run([x[:2]]))
    assert later.plan == made.plan


def test_few_images_try_nothing(network, tmp_path):
    made = openvino_of(network, tmp_path)
    plan = made.plan
    list(made.run(split(images(40), GROUP), images=40))
    assert made.plan is plan


def test_plans_fit_the_processor():
    assert candidates(1) == [Plan(8, 1), Plan(16, 1)]
    assert candidates(2) == [Plan(8, 2), Plan(16, 2), Plan(16, 1)]
    assert Plan(16, 4) in candidates(16)


def test_numerics_tell_engine_version_and_precision(network, tmp_path):
    assert openvino_of(network, tmp_path).numerics.startswith("openvino 20")
    assert KerasEngine(network).numerics.endswith("float32 cpu")


def test_who_computes(monkeypatch):
    told: list[str] = []
    progress = Silent()
    monkeypatch.setattr(progress, "note", told.append)
    assert choose_engine("auto", "cpu:0", progress) == "openvino"
    assert choose_engine("auto", "gpu:0", progress) == "keras"
    assert choose_engine("keras", "cpu:0", progress) == "keras"
    assert told == []
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert choose_engine("auto", "cpu:0", progress) == "keras"
    assert "OpenVINO is not installed" in told[0]
    with pytest.raises(RunError, match="pip install openvino"):
        choose_engine("openvino", "cpu:0", progress)
