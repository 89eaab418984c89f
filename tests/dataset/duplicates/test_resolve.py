from __future__ import annotations

import random
from dataclasses import replace

from tlkit.dataset.duplicates.find import Pair
from tlkit.dataset.duplicates.resolve import DedupResult, decide
from tlkit.dataset.inspection.image_info import ImageInfo
from tlkit.dataset.splitting.examples import Candidate


def world(*rows):
    """Candidates and facts from rows of path, label, split and box."""
    paths = sorted({row[0] for row in rows})
    info = [
        ImageInfo(path, f"{i:x}" * 64, "", 100, 100, "PNG")
        for i, path in enumerate(paths, 1)
    ]
    by_path = dict(zip(paths, info, strict=True))
    candidates = []
    for path, label, split, box in rows:
        json_file = f"{path}.json" if box else ""
        candidates.append(
            Candidate(
                by_path[path],
                tuple(label.split("|")),
                split,
                box,
                annotation=json_file,
                shown=json_file or path,
            )
        )
    return candidates, info


def run(rows, pairs, *, keep_conflicts=False) -> DedupResult:
    candidates, info = world(*(row + (None,) * (4 - len(row)) for row in rows))
    random.Random(0).shuffle(candidates)
    return decide(candidates, info, pairs, keep_conflicts=keep_conflicts)


def kept(outcome: DedupResult) -> dict[str, str]:
    return {c.info.path: group[0] for c, group in outcome.kept}


def gone(outcome: DedupResult) -> dict[str, tuple[str, str]]:
    return {r.file: (r.reason, r.detail) for r in outcome.rejected}


def lines(outcome: DedupResult) -> list[tuple[str, str, str, str]]:
    return sorted((c.file, c.kind, c.action, c.twin) for c in outcome.copies)


def test_nothing_to_decide():
    outcome = run([("a", "x"), ("b", "y")], [])
    assert kept(outcome) == {"a": "1", "b": "2"}
    assert outcome.rejected == []
    assert outcome.copies == []


def test_exact_copies_are_kept_once_the_first_by_name():
    pairs = [Pair(0, 1, "exact"), Pair(0, 2, "exact")]
    outcome = run([("a", "x"), ("b", "x"), ("c", "x"), ("d", "x")], pairs)
    assert kept(outcome) == {"a": "1", "d": "4"}
    assert gone(outcome) == {
        "b": ("duplicate", "A copy of a."),
        "c": ("duplicate", "A copy of a."),
    }
    assert lines(outcome) == [
        ("a", "exact", "kept", "b"),
        ("b", "exact", "dropped", "a"),
        ("c", "exact", "dropped", "a"),
    ]
    assert {c.group for c in outcome.copies} == {"1" * 12}
    assert {c.distance for c in outcome.copies} == {0}


def test_near_copies_stay_and_share_a_group():
    pairs = [Pair(0, 1, "near", 4, same=False), Pair(1, 2, "near", 2)]
    outcome = run([("a", "x"), ("b", "x"), ("c", "x"), ("d", "x")], pairs)
    assert kept(outcome) == {"a": "1", "b": "1", "c": "1", "d": "4"}
    assert lines(outcome) == [
        ("a", "near", "grouped", "b"),
        ("b", "near", "grouped", "c"),
        ("c", "near", "grouped", "b"),
    ]
    distances = {c.file: c.distance for c in outcome.copies}
    assert distances == {"a": 4, "b": 2, "c": 2}


def test_near_copies_of_dropped_copies_share_the_group():
    pairs = [Pair(0, 2, "exact"), Pair(0, 1, "near", 2)]
    outcome = run([("a", "x"), ("b", "x"), ("c", "x")], pairs)
    assert kept(outcome) == {"a": "1", "b": "1"}
    assert {c.group for c in outcome.copies} == {"1" * 12}


def test_conflicts_are_left_out_with_all_their_copies():
    pairs = [Pair(0, 1, "exact"), Pair(0, 2, "exact"), Pair(0, 3, "near", 2)]
    rows = [("a", "x"), ("b", "x"), ("c", "y"), ("d", "y"), ("e", "y")]
    outcome = run(rows, pairs)
    assert kept(outcome) == {"e": "5"}
    assert gone(outcome) == {
        "a": ("conflict", "Also here as y: c."),
        "b": ("conflict", "Also here as y: c."),
        "c": ("conflict", "Also here as x: a."),
        "d": ("conflict", "Also here as x: a."),
    }
    assert {(c.kind, c.action) for c in outcome.copies} == {("conflict", "left out")}
    assert {c.label for c in outcome.copies} == {"x", "y"}


def test_conflicts_that_are_kept_share_a_group():
    pairs = [Pair(0, 1, "exact"), Pair(0, 2, "near", 2)]
    outcome = run([("a", "x"), ("b", "y"), ("c", "y")], pairs, keep_conflicts=True)
    assert kept(outcome) == {"a": "1", "b": "1", "c": "1"}
    assert outcome.rejected == []
    assert ("a", "conflict", "kept", "b") in lines(outcome)


def test_what_only_looks_alike_is_no_conflict():
    pairs = [Pair(0, 1, "near", 4, same=False)]
    outcome = run([("a", "x"), ("b", "y")], pairs)
    assert kept(outcome) == {"a": "1", "b": "1"}
    assert outcome.rejected == []


def test_leaks_are_removed_from_the_lower_side():
    rows = [
        *(("a", "x", "train"), ("b", "x", "train"), ("c", "x", "val")),
        *(("d", "x", "val"), ("e", "x", "test"), ("f", "x", "train")),
    ]
    # a and b copy c; d copies e; f is on its own
    pairs = [Pair(0, 1, "exact"), Pair(0, 2, "exact"), Pair(3, 4, "near", 2)]
    outcome = run(rows, pairs)
    assert sorted(kept(outcome)) == ["c", "e", "f"]
    assert gone(outcome) == {
        "a": ("leak", "A copy is in val: c."),
        "b": ("leak", "A copy is in val: c."),
        "d": ("leak", "A copy is in test: e."),
    }
    assert ("a", "leak", "removed from train", "c") in lines(outcome)
    assert ("c", "leak", "kept in val", "a") in lines(outcome)


def test_leaks_of_what_only_looks_alike():
    rows = [("a", "x", "train"), ("b", "x", "val"), ("c", "x", "test")]
    pairs = [
        Pair(0, 1, "near", 4, same=False),
        Pair(1, 2, "near", 4, same=False),
    ]
    outcome = run(rows, pairs)
    # b went for c, so a has nothing on a higher side any more
    assert sorted(kept(outcome)) == ["a", "c"]
    assert list(gone(outcome)) == ["b"]


def test_copies_on_one_side_of_a_given_split():
    rows = [("a", "x", "val"), ("b", "x", "val"), ("c", "x", "train")]
    outcome = run(rows, [Pair(0, 1, "exact")])
    assert sorted(kept(outcome)) == ["a", "c"]
    assert gone(outcome)["b"][0] == "duplicate"


def test_copies_with_the_same_labels_of_several():
    rows = [("a", "x|y"), ("b", "x|y"), ("c", "x")]
    outcome = run(rows, [Pair(0, 1, "exact")])
    assert sorted(kept(outcome)) == ["a", "c"]
    assert gone(outcome)["b"][0] == "duplicate"


def test_copies_that_share_only_some_labels_are_a_conflict():
    rows = [("a", "x|y"), ("b", "x")]
    outcome = run(rows, [Pair(0, 1, "exact")])
    assert outcome.kept == []
    assert gone(outcome)["b"] == ("conflict", "Also here as x|y: a.")


BOX, SAME, OTHER = (10, 10, 50, 50), (11, 10, 50, 51), (60, 60, 90, 90)


def test_boxes_of_one_photo_share_its_group():
    outcome = run([("a", "x", None, BOX), ("a", "y", None, OTHER)], [])
    assert [group for _, group in outcome.kept] == ["1" * 12] * 2
    assert outcome.copies == []


def test_the_same_box_under_two_labels():
    outcome = run([("a", "x", None, BOX), ("a", "y", None, SAME)], [])
    assert outcome.kept == []
    assert [r.reason for r in outcome.rejected] == ["conflict"] * 2
    assert "x at (10, 10, 50, 50): also here as y: a.json." in [
        r.detail for r in outcome.rejected
    ]


def test_boxes_of_copied_photos():
    rows = [("a", "x", None, BOX), ("b", "x", None, SAME), ("b", "y", None, OTHER)]
    outcome = run(rows, [Pair(0, 1, "exact")])
    assert [(c.info.path, c.box) for c, _ in outcome.kept] == [
        ("a", BOX),
        ("b", OTHER),
    ]
    assert len({group for _, group in outcome.kept}) == 1
    assert [(r.file, r.reason) for r in outcome.rejected] == [("b.json", "duplicate")]


def test_a_photo_that_leaks_goes_with_all_its_boxes():
    rows = [
        *(("a", "x", "train", BOX), ("a", "y", "train", OTHER)),
        *(("b", "x", "test", BOX),),
    ]
    outcome = run(rows, [Pair(0, 1, "exact")])
    assert [c.info.path for c, _ in outcome.kept] == ["b"]
    assert [r.reason for r in outcome.rejected] == ["leak", "leak"]


def test_turned_copies_share_a_group_and_say_how():
    rows = [("a", "x"), ("b", "y"), ("c", "x")]
    outcome = run(rows, [Pair(0, 1, "turned", 2, False, "turned by 90")])
    assert kept(outcome) == {"a": "1", "b": "1", "c": "3"}
    assert outcome.rejected == []
    assert lines(outcome) == [
        ("a", "turned", "grouped", "b"),
        ("b", "turned", "grouped", "a"),
    ]
    # b is a turned by 90 degrees, so a is b turned by 270
    turns = {c.file: (c.turn, c.distance) for c in outcome.copies}
    assert turns == {"a": ("turned by 270", 2), "b": ("turned by 90", 2)}


def test_turned_copies_leak():
    rows = [("a", "x", "train"), ("b", "x", "test"), ("c", "x", "train")]
    outcome = run(rows, [Pair(0, 1, "turned", 2, False, "mirrored")])
    assert sorted(kept(outcome)) == ["b", "c"]
    assert gone(outcome) == {"a": ("leak", "A copy is in test: b.")}
    assert {(c.kind, c.turn) for c in outcome.copies} == {("leak", "mirrored")}


def test_similar_images_share_a_group_and_never_go():
    rows = [("a", "x"), ("b", "x"), ("c", "x"), ("d", "x")]
    pairs = [
        Pair(0, 1, "similar", 0.02, same=False),
        Pair(1, 2, "near", 4, same=False),
        Pair(0, 3, "similar", 0.04, same=False),
    ]
    outcome = run(rows, pairs)
    assert kept(outcome) == dict.fromkeys("abcd", "1")
    assert lines(outcome) == [
        ("a", "similar", "grouped", "b"),
        ("b", "near", "grouped", "c"),
        ("c", "near", "grouped", "b"),
        ("d", "similar", "grouped", "a"),
    ]
    distances = {c.file: c.distance for c in outcome.copies}
    assert distances == {"a": 0.02, "b": 4, "c": 4, "d": 0.04}


def test_similar_images_on_two_sides_of_a_given_split_stay():
    rows = [("a", "x", "train"), ("b", "x", "test"), ("c", "x", "test")]
    pairs = [
        Pair(0, 1, "similar", 0.02, same=False),
        Pair(1, 2, "similar", 0.03, same=False),
    ]
    outcome = run(rows, pairs)
    assert kept(outcome) == {"a": "1", "b": "2", "c": "2"}
    assert lines(outcome) == [
        ("a", "similar", "left apart", "b"),
        ("b", "similar", "grouped", "c"),
        ("b", "similar", "left apart", "a"),
        ("c", "similar", "grouped", "b"),
    ]


def settled(rows, pairs) -> DedupResult:
    """As run, the third of a row being the side in an earlier data set."""
    candidates, info = world(*((path, label, None, None) for path, label, _ in rows))
    sides = {path: side for path, _, side in rows}
    candidates = [replace(one, earlier=sides[one.path]) for one in candidates]
    return decide(candidates, info, pairs, keep_conflicts=False)


def test_what_is_new_goes_where_the_most_similar_image_is():
    rows = [("a", "x", "train"), ("b", "x", "test"), ("new", "x", None)]
    pairs = [
        Pair(0, 2, "similar", 0.05, same=False),
        Pair(1, 2, "similar", 0.02, same=False),
    ]
    outcome = settled(rows, pairs)
    assert kept(outcome) == {"a": "1", "b": "2", "new": "2"}
    assert ("a", "similar", "left apart", "new") in lines(outcome)
    assert ("new", "similar", "grouped", "b") in lines(outcome)


def test_similar_images_that_went_relate_nothing():
    rows = [("a", "x", "train"), ("b", "x", "test"), ("c", "x", "train")]
    pairs = [
        Pair(0, 1, "near", 3, same=False),
        Pair(0, 2, "similar", 0.02, same=False),
    ]
    outcome = run(rows, pairs)
    assert kept(outcome) == {"b": "2", "c": "3"}
    assert {line[1] for line in lines(outcome)} == {"leak"}
