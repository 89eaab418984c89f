from __future__ import annotations

import json
import shutil

import pytest
from PIL import Image

from tlkit.dataset.prepare import prepare
from tlkit.errors import DatasetError, UsageError


def splits(manifest) -> dict[str, str]:
    return {example.path: example.split for example in manifest.examples}


@pytest.fixture
def grown(photo_folder, tmp_path, draw):
    """A data set, and its folder with half as many images again, and a new class."""
    root = photo_folder({"a": 20, "b": 20})
    first = prepare(root, tmp_path / "data", near=False)
    for kind, name in enumerate(("a", "b", "c")):
        (root / name).mkdir(exist_ok=True)
        for i in range(10):
            image = Image.fromarray(draw(kind, 100 + i))
            image.save(root / name / f"A first {i}.png")
    return root, first


def test_a_grown_folder_keeps_every_split(grown, tmp_path, told):
    root, first = grown
    again = prepare(root, tmp_path / "data", near=False, progress=told)
    before, after = splits(first), splits(again)
    assert len(before) == 40
    assert len(after) == 70
    assert {path: after[path] for path in before} == before
    # 15 % of 30 is 4.5, rounded to even; of 10 it is 1.5.
    assert again.counts() == {
        "a": {"train": 22, "val": 4, "test": 4},
        "b": {"train": 22, "val": 4, "test": 4},
        "c": {"train": 6, "val": 2, "test": 2},
    }
    assert any(
        line.startswith("30 of 70 examples are of new images") for line in told.notes
    )
    third = prepare(root, tmp_path / "data", near=False)
    assert third.checksum == again.checksum


def test_options_missing_from_dataset_json_are_an_error(photo_folder, tmp_path):
    root = photo_folder({"a": 8, "b": 8})
    prepare(root, tmp_path / "data", near=False)
    path = tmp_path / "data" / "dataset.json"
    info = json.loads(path.read_text())
    for missing, kept in (
        ("val", {**info, "options": {**info["options"], "val": None}}),
        ("options", info),
    ):
        section = kept["options"] if missing == "val" else kept
        del section[missing]
        path.write_text(json.dumps(kept))
        with pytest.raises(DatasetError, match=f"dataset.json has no '{missing}'"):
            prepare(root, tmp_path / "data", near=False)


def test_images_that_go_move_no_others(grown, tmp_path):
    root, first = grown
    shutil.rmtree(root / "c")
    for path, split in splits(first).items():
        if path.startswith("a/") and split != "train":
            (root / path).unlink()
    again = prepare(root, tmp_path / "data", near=False)
    after = splits(again)
    assert all(
        after[path] == split for path, split in splits(first).items() if path in after
    )
    assert again.counts()["a"]["test"] > 0


def test_images_are_known_by_content_and_by_path(grown, tmp_path, draw):
    root, first = grown
    before = splits(first)
    held = [path for path in before if before[path] == "test"]
    (root / held[0]).rename(root / held[0].replace(".png", " renamed.png"))
    Image.fromarray(draw(2, 999)).save(root / held[1])
    after = splits(prepare(root, tmp_path / "data", near=False))
    assert after[held[0].replace(".png", " renamed.png")] == "test"
    assert after[held[1]] == "test"


@pytest.mark.parametrize(
    "options", [{"seed": 1}, {"val": 0.3}, {"test": 0}, {"group_by": "a_(.)"}]
)
def test_other_options_draw_again_only_if_asked(grown, tmp_path, options):
    root, first = grown
    with pytest.raises(UsageError, match="split by other options") as caught:
        prepare(root, tmp_path / "data", near=False, **options)
    assert "--overwrite" in caught.value.hint
    drawn = prepare(root, tmp_path / "data", near=False, overwrite=True, **options)
    after = splits(drawn)
    assert any(after[path] != split for path, split in splits(first).items())


def test_other_photos_are_another_data_set(grown, photo_folder, tmp_path):
    other = photo_folder({"a": 5, "b": 5}, tmp_path / "other")
    with pytest.raises(UsageError, match="was prepared from"):
        prepare(other, tmp_path / "data", near=False)


def test_a_new_copy_goes_where_its_like_is(grown, tmp_path):
    root, first = grown
    before = splits(first)
    for split in ("train", "val", "test"):
        path = next(p for p in before if before[p] == split and p.startswith("a/"))
        with Image.open(root / path) as image:
            image.resize((60, 60)).save(root / "a" / f"A {split}.png")
        shutil.copy(root / path, root / "a" / f"A {split} twice.png")
    again = prepare(root, tmp_path / "data")
    after = splits(again)
    for split in ("train", "val", "test"):
        assert after[f"a/A {split}.png"] == split
        # Of two that are equal, the earlier one is kept.
        assert f"a/A {split} twice.png" not in after
    assert {path: after[path] for path in before} == before


def test_a_new_image_like_two_on_different_splits_is_left_out(tmp_path, draw):
    """A changes into C in small steps: A is near B, B is near C, A is not near C."""
    import numpy as np

    base = draw(0, 0, 128).astype(int)
    steps = {}
    for name, depth in (("A", 0), ("B", 27), ("C", 54)):
        pixels = base.copy()
        pixels[40:52, 40:52] += depth if base[46, 46].mean() < 128 else -depth
        steps[name] = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
    root = tmp_path / "photos"
    for kind, label in enumerate("xy"):
        for split in ("train", "test"):
            (root / split / label).mkdir(parents=True)
            for i in range(4):
                image = Image.fromarray(draw(kind, 10 * i + len(split)))
                image.save(root / split / label / f"{i}.png")
    steps["A"].save(root / "train" / "x" / "A.png")
    steps["C"].save(root / "test" / "x" / "C.png")
    prepare(root, tmp_path / "data", val=0)
    # As if it came without a split: beside, in a table that gives none for it.
    lines = ["path,label,split"]
    for path in sorted(root.rglob("*.png")):
        split, label, name = path.relative_to(root).parts
        lines.append(f"{split}/{label}/{name},{label},{split}")
    steps["B"].save(root / "B.png")
    lines.append("B.png,x,")
    (root / "labels.csv").write_text("\n".join(lines))
    pytest.importorskip("tlkit.dataset.formats.table")
    manifest = prepare(root, tmp_path / "table", format="csv", val=0)
    after = splits(manifest)
    assert after["train/x/A.png"] == "train"
    assert after["test/x/C.png"] == "test"
    assert "B.png" not in after
    text = (tmp_path / "table" / "rejected.csv").read_text()
    assert "B.png,leak" in text


def test_no_class_vanishes_with_its_copies(photo_folder, tmp_path, draw):
    root = photo_folder({"a": 8, "b": 8})
    (root / "c").mkdir()
    shutil.copy(root / "a" / "a_000.png", root / "c" / "also.png")
    with pytest.raises(DatasetError, match="Nothing would be left of c") as caught:
        prepare(root, tmp_path / "data", near=False)
    assert "a/a_000.png" in caught.value.message
    assert "--keep-conflicts" in caught.value.hint


def test_photos_that_were_moved_are_known_again(grown, tmp_path):
    root, first = grown
    place = root.rename(tmp_path / "renamed")
    again = prepare(place, tmp_path / "data", near=False)
    before, after = splits(first), splits(again)
    assert {path: after[path] for path in before} == before
    assert again.source == place


def test_a_data_set_of_photos_that_are_gone_is_not_replaced(grown, tmp_path, draw):
    shutil.rmtree(grown[0])
    other = tmp_path / "other"
    for kind, name in enumerate(("x", "y")):
        (other / name).mkdir(parents=True)
        for i in range(6):
            Image.fromarray(draw(kind, 500 + i)).save(other / name / f"{i}.png")
    with pytest.raises(UsageError, match="None of the 12 examples") as caught:
        prepare(other, tmp_path / "data", near=False)
    assert "--overwrite" in caught.value.hint
    assert (tmp_path / "data" / "labels.txt").read_text() == "a\nb\n"


def test_a_class_that_lost_most_of_its_photos(grown, tmp_path):
    """Two images are left of a class: fewer than there are splits."""
    root, first = grown
    shutil.rmtree(root / "c")
    of_b = [e.path for e in first.of("train") if e.label == "b"]
    for path in (root / "b").iterdir():
        if path.relative_to(root).as_posix() not in of_b[:2]:
            path.unlink()
    again = prepare(root, tmp_path / "data", near=False)
    assert again.counts()["b"] == {"train": 2, "val": 0, "test": 0}
