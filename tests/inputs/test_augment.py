import numpy as np
import pytest

from tlkit.errors import UsageError
from tlkit.inputs.augment import (
    FLIPS,
    POLICIES,
    Policy,
    augment,
    has_flips,
    is_packaged,
    load_policy,
    without_flips,
)
from tlkit.workers import in_order


def one_draw(draw):
    pixels = np.arange(40 * 40 * 3, dtype=np.uint32).reshape(40, 40, 3) % 251
    return augment(
        pixels.astype(np.uint8), POLICIES["strong"], checksum="d", draw=draw, seed=3
    )


@pytest.mark.parametrize("name", [name for name in POLICIES if name != "none"])
def test_a_draw_is_a_pure_function_of_checksum_draw_and_seed(name, draw):
    pixels = draw(0, 1)
    policy = load_policy(name)
    views = [
        augment(pixels, policy, checksum=checksum, draw=number, seed=seed)
        for checksum, number, seed in [
            ("a", 0, 0), ("a", 1, 0), ("a", 0, 1), ("b", 0, 0), ("a", 0, 0),
        ]
    ]  # fmt: skip
    assert views[0].shape == pixels.shape
    assert views[0].dtype == np.uint8
    assert np.array_equal(views[0], views[4])
    for other in views[1:4]:
        assert not np.array_equal(views[0], other)


def test_draws_are_the_same_in_another_process_and_order():
    here = [one_draw(i) for i in range(4)]
    there = list(in_order(one_draw, [3, 2, 1, 0], workers=2))[::-1]
    assert all(np.array_equal(a, b) for a, b in zip(here, there, strict=True))


def test_none_changes_nothing(draw):
    pixels = draw(1, 1)
    assert augment(pixels, load_policy("none"), checksum="", draw=5, seed=0) is pixels


def test_a_policy_from_a_file(tmp_path, draw):
    path = tmp_path / "mine.yaml"
    path.write_text("- HorizontalFlip: {p: 1.0}\n- Transpose: {p: 1.0}\n")
    pixels = draw(0, 2)
    got = augment(pixels, load_policy(str(path)), checksum="", draw=0, seed=0)
    assert np.array_equal(got, pixels[:, ::-1].transpose(1, 0, 2))


@pytest.mark.parametrize(
    ("content", "word"),
    [
        ("- Rotat: {}", "Rotate"),
        ("- Rotate: {limt: 3}", "limt"),
        ("- Rotate: {limit: wide}", "limit"),
        ("Rotate: {}", "a list"),
        ("- [1, 2]", "expected"),
        ("- A: {}\n  B: {}", "expected"),
        ("a: [", "cannot be read"),
    ],
)
def test_a_file_that_cannot_be_meant(tmp_path, content, word):
    path = tmp_path / "mine.yaml"
    path.write_text(content)
    with pytest.raises(UsageError, match=word):
        load_policy(str(path))


def test_a_name_or_file_that_is_not_there():
    with pytest.raises(UsageError, match="standard"):
        load_policy("standart")
    with pytest.raises(UsageError, match="cannot be read"):
        load_policy("/nowhere/x.yaml")


def test_flips_are_found_and_taken_out():
    for name, policy in POLICIES.items():
        assert has_flips(policy) is (name != "none")
        assert not has_flips(without_flips(policy))
        assert is_packaged(policy)
        assert is_packaged(without_flips(policy))
    own: Policy = ({"Transpose": {}}, {"Rotate": {"limit": 5}})
    assert without_flips(own) == own[1:]
    assert not is_packaged(own)
    # As YAML gives them back: lists where tuples were.
    assert is_packaged(tuple(dict(step) for step in POLICIES["light"]))


def test_a_policy_without_flips_never_flips(draw):
    pixels = draw(0, 2)
    pixels[:, :32] = 0
    pixels[:, 32:] = 255
    policy = without_flips(load_policy("light"))
    for number in range(20):
        made = augment(pixels, policy, checksum="a", draw=number, seed=0)
        assert made[24:40, 4:16].mean() < 100 < made[24:40, -16:-4].mean()


def test_every_flipping_transform_is_one():
    for name in FLIPS:
        assert load_policy([{name: {}}])
