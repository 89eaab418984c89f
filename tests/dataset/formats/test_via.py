from __future__ import annotations

import csv
import json
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

from tlkit.dataset import formats as sources
from tlkit.dataset.formats.detect import claims
from tlkit.dataset.formats.via import read, texts_of
from tlkit.dataset.sources.open import ReaderOptions, open_source
from tlkit.errors import DatasetError, UsageError

RECT = {"name": "rect", "x": 1, "y": 2, "width": 10, "height": 20}
POINT = {"name": "point", "cx": 3, "cy": 4}


@pytest.fixture
def root(tmp_path, draw):
    for name in ("a.png", "b.png"):
        Image.fromarray(draw(0, 0)).save(tmp_path / name)
    return tmp_path


def region(shape, **attributes):
    return {"shape_attributes": shape, "region_attributes": attributes}


def entry(name, *regions, **attributes):
    return {
        "filename": name,
        "size": 9,
        "regions": list(regions),
        "file_attributes": attributes,
    }


def save(path: Path, *entries, folder=None):
    content = {f"{e['filename']}{i}": e for i, e in enumerate(entries)}
    if folder is not None:
        content = {
            "_via_settings": {"core": {"default_filepath": folder}},
            "_via_img_metadata": content,
            "_via_attributes": {"region": {}, "file": {}},
        }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def parsed(root, **reading):
    return read(open_source(root, options=ReaderOptions(**reading)))


def objects(found):
    return [
        (p.path, t.label, t.shapes[0].kind) for p in found.records for t in p.objects
    ]


def reasons(found):
    return [(r.file, r.reason, r.detail) for r in found.rejected]


def test_texts_of_an_attribute():
    assert texts_of(" cat ") == ("cat",)
    for value in ("", "  ", None, {}, {"a": False}):
        assert texts_of(value) == ()
    assert texts_of({"a": True, "b": False, "c": True}) == ("a", "c")
    assert texts_of(3) == ("3",)


def test_a_project_of_version_2(root):
    two = region(RECT, kind="cat", note="small"), region(POINT, kind={"dog": True})
    save(root / "p.json", entry("a.png", *two, by="Ann"), entry("b.png"), folder="")
    found = parsed(root, attribute="kind")
    assert objects(found) == [
        ("a.png", "cat", "rectangle"),
        ("a.png", "dog", "point"),
    ]
    record = found.records[0]
    assert (record.file, record.shown, record.labels) == ("p.json", "a.png", ())
    assert record.attributes == {"by": "Ann"}
    assert record.objects[0].attributes == {"note": "small"}
    assert found.annotation_files == {"p.json"}
    assert found.annotation_of == {"a.png": "p.json", "b.png": "p.json"}
    assert found.rejected == ()
    assert claims(open_source(root)) == {"via": 2}
    assert sources.detect(open_source(root)) == "via"


def test_annotations_of_version_1(root):
    regions = {
        "10": region(POINT, kind="last"),
        "2": region(RECT, kind="second"),
        "0": region(RECT | {"x": "1"}, kind="first"),
    }
    save(root / "v1.json", entry("a.png") | {"regions": regions, "fileref": ""})
    found = parsed(root)
    assert [t.label for t in found.records[0].objects] == ["second", "last"]
    assert reasons(found) == [
        ("v1.json", "bad-points", "a.png, region 1: its x is '1', not a number.")
    ]


@pytest.mark.parametrize("start", ["filename", "#filename", "\ufefffilename"])
def test_a_table(root, start):
    columns = ["file_size", "file_attributes", "region_count", "region_id"]
    header = [start, *columns, "region_shape_attributes", "region_attributes"]
    rows = [
        ["a.png", "9", '{"by": "Ann"}', "2", "0", json.dumps(RECT), '{"kind": "cat"}'],
        ["a.png", "9", '{"by": "Ann"}', "2", "1", json.dumps(POINT), '{"kind": "dog"}'],
        ["b.png", "9", "{}", "0", "0", "{}", "{}"],
        ["b.png", "9", "{}", "1", "0", "{", "{}"],
        ["b.png", "9", "{}", "1", "4", "{}", "{}"],
        ["b.png", "9", "{}", "1", "one", json.dumps(RECT), "{}"],
        ["b.png"],
        ["b.png", "9", "{}", "1", "5", "x" * 200_000, "{}"],
        ["b.png", "9", "{}", "1", "6", json.dumps(POINT), "{}"],
    ]
    with (root / "t.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    found = parsed(root, attribute="kind")
    assert objects(found) == [
        ("a.png", "cat", "rectangle"),
        ("a.png", "dog", "point"),
        ("b.png", "", "point"),
    ]
    assert found.records[0].attributes == {"by": "Ann"}
    assert [(reason, detail[:25]) for _, reason, detail in reasons(found)] == [
        ("broken-json", "Line 5: Expecting propert"),
        ("broken-json", "Line 7: invalid literal f"),
        ("bad-entry", "Line 8: 1 of 7 cells."),
        ("bad-entry", "Line 9: field larger than"),
        ("unknown-shape", "b.png, region 5: unknown "),
    ]
    assert claims(open_source(root)) == {"via": 2}


def test_files_that_are_not_via(root):
    (root / "list.csv").write_text("path,label\na.png,cat\n")
    (root / "other.json").write_text('{"a": 1}')
    (root / "latin.csv").write_bytes(b"\xff\xfe")
    (root / "cut.json").write_text('{"_via_img_metadata": {')
    (root / "deep.json").write_text("[" * 100_000)
    save(root / "p.json", entry("a.png", region(RECT, kind="cat")))
    content = json.loads((root / "p.json").read_text())
    content |= {"x": 3, "y": {"filename": 4}, "z": entry("b.png") | {"regions": "no"}}
    (root / "p.json").write_text(json.dumps(content))
    found = parsed(root)
    assert [row[:2] for row in reasons(found)] == [
        ("cut.json", "broken-json"),
        ("deep.json", "broken-json"),
        ("latin.csv", "not-utf8"),
        ("list.csv", "not-via"),
        ("other.json", "not-via"),
        ("p.json", "bad-entry"),
        ("p.json", "bad-entry"),
        ("p.json", "bad-entry"),
    ]
    assert objects(found) == [("a.png", "cat", "rectangle")]


def test_the_only_attribute_with_values_is_the_label(root):
    one = region(RECT, kind="cat", note="", seen={"no": False})
    save(root / "p.json", entry("a.png", one))
    assert [t.label for t in parsed(root).records[0].objects] == ["cat"]


def test_attributes_that_agree(root):
    regions = region(RECT, kind="cat", name="cat"), region(POINT, name="dog", kind="")
    save(root / "p.json", entry("a.png", *regions))
    found = parsed(root)
    assert [t.label for t in found.records[0].objects] == ["cat", "dog"]
    assert "'name'" in found.note


def test_attributes_that_differ_have_to_be_chosen_from(root):
    regions = region(RECT, kind="cat", name="Tom"), region(POINT, kind="dog")
    save(root / "p.json", entry("a.png", *regions, weather="rain"))
    with pytest.raises(DatasetError, match="--attribute") as caught:
        parsed(root)
    for line in ("kind: 'cat', 'dog'", "name: 'Tom'", "weather: 'rain'"):
        assert line in caught.value.message
    found = parsed(root, attribute="weather")
    assert found.records[0].labels == ("rain",)
    assert [t.label for t in found.records[0].objects] == ["", ""]
    assert found.records[0].objects[0].attributes == {"kind": "cat", "name": "Tom"}
    with pytest.raises(UsageError, match="Did you mean weather"):
        parsed(root, attribute="wether")


def test_regions_and_images_may_have_it(root):
    save(root / "p.json", entry("a.png", region(RECT, kind="cat"), kind="dog"))
    found = parsed(root)
    assert (found.records[0].labels, found.records[0].objects[0].label) == (
        ("dog",),
        "cat",
    )


def test_labels_that_cannot_be(root):
    several = region(RECT, kind={"cat": True, "dog": True})
    save(
        root / "p.json", entry("a.png", several, region(POINT, kind="a\nb"), kind="\t")
    )
    save(root / "q.json", entry("b.png", kind={"x\ny": True, "fine": True}))
    found = parsed(root)
    assert reasons(found) == [
        (
            "p.json",
            "several-labels",
            "a.png, region 1: labeled as 'cat', 'dog', one is possible.",
        ),
        ("p.json", "bad-label", "a.png, region 2: its label is 'a\\nb'."),
        ("q.json", "bad-label", "b.png: 'x\\ny' cannot be a label."),
    ]
    assert found.records[1].labels == ("fine",)


def test_regions_without_label(root):
    regions = region(RECT, kind="cat"), region(POINT)
    save(root / "p.json", entry("a.png", *regions))
    assert parsed(root).warnings == ("1 of 2 regions have no 'kind'.",)
    save(root / "p.json", entry("a.png", region(POINT)))
    found = parsed(root)
    assert (found.warnings, objects(found)) == ((), [("a.png", "", "point")])


@pytest.mark.parametrize(
    "name", ["https://example.org/a.png", "http://x/y", "data:image/png;base64,AAAA"]
)
def test_remote_images(root, name):
    save(root / "p.json", entry(name, region(RECT, kind="cat")))
    assert [row[:2] for row in reasons(parsed(root))] == [("p.json", "remote-image")]


def test_names_of_images(root):
    (root / "sub").mkdir()
    (root / "a.png").rename(root / "sub" / "a.png")
    (root / "p.png").write_bytes((root / "b.png").read_bytes())
    save(
        root / "p.json",
        entry("a.png", region(RECT, kind="cat")),
        entry("b.png", region(RECT, kind="cat")),
        entry("gone.png", region(RECT, kind="cat")),
        entry("../../etc/passwd", region(RECT, kind="cat")),
        folder=".\\sub",
    )
    found = parsed(root)
    # p.png bears the file's own name, which means none of the others
    assert [record.path for record in found.records] == ["sub/a.png", "b.png"]
    assert [row[:2] for row in reasons(found)] == [
        ("p.json", "image-missing"),
        ("p.json", "outside-source"),
    ]


def test_entries_and_regions_twice(root):
    cat = region(RECT, kind="cat")
    save(root / "1.json", entry("a.png", cat), entry("b.png"))
    save(root / "2.json", entry("a.png", cat), entry("b.png", cat, cat))
    save(root / "3.json", entry("a.png", region(POINT, kind="dog"), cat))
    found = parsed(root)
    assert objects(found) == [
        ("a.png", "cat", "rectangle"),
        ("b.png", "cat", "rectangle"),
        ("a.png", "dog", "point"),
    ]
    same = "the same was drawn before."
    assert reasons(found) == [
        ("2.json", "duplicate-entry", "a.png: 1.json holds the same."),
        ("2.json", "duplicate-region", f"b.png, region 2: {same}"),
        ("3.json", "duplicate-region", f"a.png, region 2: {same}"),
        (
            "1.json",
            "duplicate-entry",
            "b.png: empty here, but not in 2.json.",
        ),
    ]


def test_regions_that_differ_in_any_attribute_are_two(root):
    dog, other = region(RECT, species="dog"), region(RECT, species="undefined")
    again = region(RECT, species="dog")
    save(root / "1.json", entry("a.png", dog, other, again, kind="pet"))
    save(root / "2.json", entry("a.png", region(RECT, species="dog", by="Ann")))
    found = parsed(root, attribute="kind")
    assert [t.attributes for p in found.records for t in p.objects] == [
        {"species": "dog"},
        {"species": "undefined"},
        {"species": "dog", "by": "Ann"},
    ]
    detail = "a.png, region 3: the same was drawn before."
    assert reasons(found) == [("1.json", "duplicate-region", detail)]


def test_a_split(root):
    for split, name in (("train", "a.png"), ("Valid", "b.png")):
        (root / split).mkdir()
        (root / name).rename(root / split / name)
    save(
        root / "p.json", *(entry(n, region(RECT, k="cat")) for n in ("a.png", "b.png"))
    )
    assert [(p.path, p.split) for p in parsed(root).records] == [
        ("train/a.png", "train"),
        ("Valid/b.png", "val"),
    ]


def test_the_kudzu_bugs(shared_data):
    source = open_source(shared_data / "via" / "kudzu")
    assert sources.detect(source) == "via"
    found = read(source)
    assert Counter(record.split for record in found.records) == {"train": 24, "val": 16}
    assert Counter((p.split, t.label) for p in found.records for t in p.objects) == {
        ("train", "kudzu"): 520,
        ("val", ""): 349,
    }
    assert {t.shapes[0].kind for p in found.records for t in p.objects} == {"polygon"}
    assert found.records[0].objects[0].attributes == {"inseto": "kudzu"}
    assert found.rejected == ()
