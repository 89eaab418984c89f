from __future__ import annotations

import random
from dataclasses import replace

from tlkit.dataset.duplicates.pairs import Pair
from tlkit.dataset.duplicates.resolve import DedupResult, resolve
from tlkit.dataset.example import Example
from tlkit.dataset.records import ImageInfo


def world(*rows):
    """Examples and image infos from rows of path, label, split and box."""
    paths = sorted({row[0] for row in rows})
    info = [
        ImageInfo(path, f"{i:x}" * 64, "", 100, 100, "PNG")
        for i, path in enumerate(paths, 1)
    ]
    by_path = dict(zip(paths, info, strict=True))
    examples = []
    for path, label, split, box in rows:
        json_file = f"{path}.json" if box else ""
        examples.append(
            Example(
                *("", path, by_path[path].sha256, 100, 100),
                tuple(label.split("|")),
                split or "",
                box=box,
                annotation=json_file,
                shown=json_file or path,
            )
        )
    return examples, info


def run(rows, pairs, *, keep_conflicts=False) -> DedupResult:
    examples, info = world(*(row + (None,) * (4 - len(row)) for row in rows))
    random.Random(0).shuffle(examples)
    return resolve(examples, info, pairs, keep_conflicts=keep_conflicts)


def kept(result: DedupResult) -> dict[str, str]:
    return {e.path: e.group[0] for e in result.examples}


def gone(result: DedupResult) -> dict[str, tuple[str, str]]:
    return {r.file: (r.reason, r.detail) for r in result.rejected}


def lines(result: DedupResult) -> list[tuple[str, str, str, str]]:
    return sorted((r.file, r.kind, r.action, r.match) for r in result.rows)


def test_nothing_to_resolve():
    result = run([("a", "x"), ("b", "y")], [])
    assert kept(result) == {"a": "1", "b": "2"}
    assert result.rejected == []
    assert result.rows == []


def test_exact_copies_are_kept_once_the_first_by_name():
    pairs = [Pair(0, 1, "exact"), Pair(0, 2, "exact")]
    result = run([("a", "x"), ("b", "x"), ("c", "x"), ("d", "x")], pairs)
    assert kept(result) == {"a": "1", "d": "4"}
    assert gone(result) == {
        "b": ("duplicate", "An exact duplicate of a."),
        "c": ("duplicate", "An exact duplicate of a."),
    }
    assert lines(result) == [
        ("a", "exact", "kept", "b"),
        ("b", "exact", "dropped", "a"),
        ("c", "exact", "dropped", "a"),
    ]
    assert {c.group for c in result.rows} == {"1" * 12}
    assert {c.distance for c in result.rows} == {0}


def test_near_copies_stay_and_share_a_group():
    pairs = [Pair(0, 1, "near", 4, same=False), Pair(1, 2, "near", 2)]
    result = run([("a", "x"), ("b", "x"), ("c", "x"), ("d", "x")], pairs)
    assert kept(result) == {"a": "1", "b": "1", "c": "1", "d": "4"}
    assert lines(result) == [
        ("a", "near", "grouped", "b"),
        ("b", "near", "grouped", "c"),
        ("c", "near", "grouped", "b"),
    ]
    distances = {c.file: c.distance for c in result.rows}
    assert distances == {"a": 4, "b": 2, "c": 2}


def test_near_copies_of_dropped_copies_share_the_group():
    pairs = [Pair(0, 2, "exact"), Pair(0, 1, "near", 2)]
    result = run([("a", "x"), ("b", "x"), ("c", "x")], pairs)
    assert kept(result) == {"a": "1", "b": "1"}
    assert {c.group for c in result.rows} == {"1" * 12}


def test_conflicts_are_left_out_with_all_their_copies():
    pairs = [Pair(0, 1, "exact"), Pair(0, 2, "exact"), Pair(0, 3, "near", 2)]
    rows = [("a", "x"), ("b", "x"), ("c", "y"), ("d", "y"), ("e", "y")]
    result = run(rows, pairs)
    assert kept(result) == {"e": "5"}
    assert gone(result) == {
        "a": ("conflict", "Also here as y: c."),
        "b": ("conflict", "Also here as y: c."),
        "c": ("conflict", "Also here as x: a."),
        "d": ("conflict", "Also here as x: a."),
    }
    assert {(c.kind, c.action) for c in result.rows} == {("conflict", "left out")}
    assert {c.label for c in result.rows} == {"x", "y"}


def test_conflicts_that_are_kept_share_a_group():
    pairs = [Pair(0, 1, "exact"), Pair(0, 2, "near", 2)]
    result = run([("a", "x"), ("b", "y"), ("c", "y")], pairs, keep_conflicts=True)
    assert kept(result) == {"a": "1", "b": "1", "c": "1"}
    assert result.rejected == []
    assert ("a", "conflict", "kept", "b") in lines(result)


def test_what_only_looks_alike_is_no_conflict():
    pairs = [Pair(0, 1, "near", 4, same=False)]
    result = run([("a", "x"), ("b", "y")], pairs)
    assert kept(result) == {"a": "1", "b": "1"}
    assert result.rejected == []


def test_leaks_are_removed_from_the_lower_split():
    rows = [
        *(("a", "x", "train"), ("b", "x", "train"), ("c", "x", "val")),
        *(("d", "x", "val"), ("e", "x", "test"), ("f", "x", "train")),
    ]
    # a and b copy c; d copies e; f is on its own
    pairs = [Pair(0, 1, "exact"), Pair(0, 2, "exact"), Pair(3, 4, "near", 2)]
    result = run(rows, pairs)
    assert sorted(kept(result)) == ["c", "e", "f"]
    assert gone(result) == {
        "a": ("leak", "A duplicate is in val: c."),
        "b": ("leak", "A duplicate is in val: c."),
        "d": ("leak", "A duplicate is in test: e."),
    }
    assert ("a", "leak", "removed", "c") in lines(result)
    assert ("c", "leak", "kept", "a") in lines(result)


def test_leaks_of_what_only_looks_alike():
    rows = [("a", "x", "train"), ("b", "x", "val"), ("c", "x", "test")]
    pairs = [
        Pair(0, 1, "near", 4, same=False),
        Pair(1, 2, "near", 4, same=False),
    ]
    result = run(rows, pairs)
    # b went for c, so a has nothing on a higher split any more
    assert sorted(kept(result)) == ["a", "c"]
    assert list(gone(result)) == ["b"]


def test_copies_on_one_split_of_a_given_split():
    rows = [("a", "x", "val"), ("b", "x", "val"), ("c", "x", "train")]
    result = run(rows, [Pair(0, 1, "exact")])
    assert sorted(kept(result)) == ["a", "c"]
    assert gone(result)["b"][0] == "duplicate"


def test_copies_with_the_same_labels_of_several():
    rows = [("a", "x|y"), ("b", "x|y"), ("c", "x")]
    result = run(rows, [Pair(0, 1, "exact")])
    assert sorted(kept(result)) == ["a", "c"]
    assert gone(result)["b"][0] == "duplicate"


def test_copies_that_share_only_some_labels_are_a_conflict():
    rows = [("a", "x|y"), ("b", "x")]
    result = run(rows, [Pair(0, 1, "exact")])
    assert result.examples == []
    assert gone(result)["b"] == ("conflict", "Also here as x|y: a.")


BOX, SAME, OTHER = (10, 10, 50, 50), (11, 10, 50, 51), (60, 60, 90, 90)


def test_boxes_of_one_photo_share_its_group():
    result = run([("a", "x", None, BOX), ("a", "y", None, OTHER)], [])
    assert [e.group for e in result.examples] == ["1" * 12] * 2
    assert result.rows == []


def test_the_same_box_under_two_labels():
    result = run([("a", "x", None, BOX), ("a", "y", None, SAME)], [])
    assert result.examples == []
    assert [r.reason for r in result.rejected] == ["conflict"] * 2
    assert "x at (10, 10, 50, 50): also here as y: a.json." in [
        r.detail for r in result.rejected
    ]


def test_boxes_of_copied_photos():
    rows = [("a", "x", None, BOX), ("b", "x", None, SAME), ("b", "y", None, OTHER)]
    result = run(rows, [Pair(0, 1, "exact")])
    assert [(e.path, e.box) for e in result.examples] == [
        ("a", BOX),
        ("b", OTHER),
    ]
    assert len({e.group for e in result.examples}) == 1
    assert [(r.file, r.reason) for r in result.rejected] == [("b.json", "duplicate")]


def test_a_photo_that_leaks_goes_with_all_its_boxes():
    rows = [
        *(("a", "x", "train", BOX), ("a", "y", "train", OTHER)),
        *(("b", "x", "test", BOX),),
    ]
    result = run(rows, [Pair(0, 1, "exact")])
    assert [e.path for e in result.examples] == ["b"]
    assert [r.reason for r in result.rejected] == ["leak", "leak"]


def test_rotated_duplicates_share_a_group_and_say_how():
    rows = [("a", "x"), ("b", "y"), ("c", "x")]
    result = run(rows, [Pair(0, 1, "rotated", 2, False, "rotated by 90")])
    assert kept(result) == {"a": "1", "b": "1", "c": "3"}
    assert result.rejected == []
    assert lines(result) == [
        ("a", "rotated", "grouped", "b"),
        ("b", "rotated", "grouped", "a"),
    ]
    # b is a rotated by 90 degrees, so a is b rotated by 270
    transforms = {c.file: (c.transform, c.distance) for c in result.rows}
    assert transforms == {"a": ("rotated by 270", 2), "b": ("rotated by 90", 2)}


def test_rotated_duplicates_leak():
    rows = [("a", "x", "train"), ("b", "x", "test"), ("c", "x", "train")]
    result = run(rows, [Pair(0, 1, "rotated", 2, False, "flipped")])
    assert sorted(kept(result)) == ["b", "c"]
    assert gone(result) == {"a": ("leak", "A duplicate is in test: b.")}
    assert {(c.kind, c.transform) for c in result.rows} == {("leak", "flipped")}


def test_similar_images_share_a_group_and_never_go():
    rows = [("a", "x"), ("b", "x"), ("c", "x"), ("d", "x")]
    pairs = [
        Pair(0, 1, "similar", 0.02, same=False),
        Pair(1, 2, "near", 4, same=False),
        Pair(0, 3, "similar", 0.04, same=False),
    ]
    result = run(rows, pairs)
    assert kept(result) == dict.fromkeys("abcd", "1")
    assert lines(result) == [
        ("a", "similar", "grouped", "b"),
        ("b", "near", "grouped", "c"),
        ("c", "near", "grouped", "b"),
        ("d", "similar", "grouped", "a"),
    ]
    distances = {c.file: c.distance for c in result.rows}
    assert distances == {"a": 0.02, "b": 4, "c": 4, "d": 0.04}


def test_similar_images_on_two_splits_of_a_given_split_stay():
    rows = [("a", "x", "train"), ("b", "x", "test"), ("c", "x", "test")]
    pairs = [
        Pair(0, 1, "similar", 0.02, same=False),
        Pair(1, 2, "similar", 0.03, same=False),
    ]
    result = run(rows, pairs)
    assert kept(result) == {"a": "1", "b": "2", "c": "2"}
    assert lines(result) == [
        ("a", "similar", "left apart", "b"),
        ("b", "similar", "grouped", "c"),
        ("b", "similar", "left apart", "a"),
        ("c", "similar", "grouped", "b"),
    ]


def settled(rows, pairs) -> DedupResult:
    """As run, the third of a row being the split in an earlier data set."""
    examples, info = world(*((path, label, None, None) for path, label, _ in rows))
    splits = {path: split for path, _, split in rows}
    examples = [
        replace(
            one, split=splits[one.path] or "", existing=splits[one.path] is not None
        )
        for one in examples
    ]
    return resolve(examples, info, pairs, keep_conflicts=False)


def test_what_is_new_goes_where_the_most_similar_image_is():
    rows = [("a", "x", "train"), ("b", "x", "test"), ("new", "x", None)]
    pairs = [
        Pair(0, 2, "similar", 0.05, same=False),
        Pair(1, 2, "similar", 0.02, same=False),
    ]
    result = settled(rows, pairs)
    assert kept(result) == {"a": "1", "b": "2", "new": "2"}
    assert ("a", "similar", "left apart", "new") in lines(result)
    assert ("new", "similar", "grouped", "b") in lines(result)


def test_similar_images_that_went_relate_nothing():
    rows = [("a", "x", "train"), ("b", "x", "test"), ("c", "x", "train")]
    pairs = [
        Pair(0, 1, "near", 3, same=False),
        Pair(0, 2, "similar", 0.02, same=False),
    ]
    result = run(rows, pairs)
    assert kept(result) == {"b": "2", "c": "3"}
    assert {line[1] for line in lines(result)} == {"leak"}
