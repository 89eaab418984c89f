from __future__ import annotations

import csv
import itertools
import json
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.dataset.report.conftest import SCRIPT, Tag, read_page
from tlkit.dataset.manifest import Manifest
from tlkit.dataset.output.write import write
from tlkit.dataset.prepare import prepare


def table(directory: Path, name: str) -> list[dict[str, str]]:
    with (directory / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def numbers(page: Tag) -> dict[str, list[int]]:
    rows = page.section("classes").all("tr")[1:]
    return {
        row.all("th")[0].text: [int(c.text.replace(",", "")) for c in row.all("td")]
        for row in rows
    }


def expected(manifest: Manifest, *sides: str) -> list[list[int]]:
    rows = [[row[side] for side in sides] for row in manifest.counts().values()]
    rows.append([len(manifest.of(side)) for side in sides])
    return [[*row, sum(row)] for row in rows]


def test_structure(mess):
    page = read_page(mess)
    [html] = page.all("html")
    assert html.get("lang") == "en"
    assert page.all("title")[0].text == "photos: data set"
    assert [h.text for h in page.all("h1")] == ["photos"]
    assert [h.text for h in page.all("h2")] == [
        "Warnings and remarks",
        "Classes",
        "Contact sheets",
        "Outliers",
        "Duplicates and conflicts",
        "Not used",
        "Sizes",
    ]
    # no level of headings is left out
    levels = [int(h.tag[1]) for h in page.all("h1", "h2", "h3")]
    assert levels[0] == 1
    assert all(b <= a + 1 for a, b in itertools.pairwise(levels))
    assert all(image.get("alt") for image in page.all("img"))
    assert all(svg.get("aria-label") for svg in page.all("svg"))
    assert len(page.all("svg")) == 2
    ids = [tag.get("id") for tag in page.all("section", "h3") if tag.get("id")]
    assert len(ids) == len(set(ids))
    places = {a.get("href") for a in page.all("a")}
    assert {f"#{name}" for name in ids} >= {p for p in places if p.startswith("#")}
    beside = {p for p in places if not p.startswith("#")}
    assert beside == {path.name for path in mess.directory.iterdir()} - {"report.html"}


def test_nothing_runs_and_nothing_is_fetched(mess):
    page = read_page(mess)
    known = {
        *("html", "head", "meta", "title", "style", "body", "header", "main", "footer"),
        *("nav", "section", "article", "h1", "h2", "h3", "p", "ul", "li", "dl", "dt"),
        *("dd", "a", "bdi", "span", "strong", "code", "div", "figure", "figcaption"),
        *("table", "thead", "tbody", "tfoot", "tr", "th", "td", "details", "summary"),
        *("img", "svg", "text", "rect"),
    }

    def walk(tag: Tag) -> list[Tag]:
        inner = [child for child in tag.children if isinstance(child, Tag)]
        return inner + [one for child in inner for one in walk(child)]

    tags = walk(page)
    assert len(tags) > 300
    assert {tag.tag for tag in tags} <= known
    attributes = {name for tag in tags for name in tag.attributes}
    assert not {name for name in attributes if name.startswith("on")}
    assert {tag.get("src").split(",")[0] for tag in tags if tag.get("src")} == {
        "data:image/jpeg;base64"
    }
    [style] = page.all("style")
    assert "url(" not in style.text
    assert "@import" not in style.text
    policies = [m.get("content") for m in page.all("meta") if m.get("http-equiv")]
    assert policies == ["default-src 'none'; img-src data:; style-src 'unsafe-inline'"]


def test_names_are_texts(mess):
    text = (mess.directory / "report.html").read_text(encoding="utf-8")
    assert "\u202e" not in text
    page = read_page(mess)
    assert page.all("script") == []
    labels = [h.text for h in page.section("examples").all("h3")]
    assert labels == [SCRIPT, "b\\u202egnp & co"]
    listed = [name.text for name in page.section("rejected").all("bdi")]
    assert f"{SCRIPT}/twin\\nof 3.png" in listed
    assert any(name.endswith("/caf\\xe9 <i>.jpg") for name in listed)


def test_numbers_are_those_of_the_manifest(mess):
    page = read_page(mess)
    found = numbers(page)
    assert list(found) == [SCRIPT, "b\\u202egnp & co", "all"]
    assert list(found.values()) == expected(mess, "train", "val", "test")
    tiles = page.section("examples").all("figure")
    assert len(tiles) == len(mess.examples) == 41
    badges = Counter(
        b.text for b in page.section("examples").all("span", where="badge")
    )
    assert badges == {s: len(mess.of(s)) for s in ("val", "test")}
    assert "41 images of 2 classes" in page.all("header")[0].text
    assert mess.checksum[:12] in page.all("header")[0].text
    charts = page.section("sizes").all("svg")
    # 40 of 128 x 128 and one of 700 x 128
    assert charts[0].get("aria-label") == "Short side, pixels. 128 to 191: 41"
    assert "about 1:1: 40" in charts[1].get("aria-label")
    assert "4:1 and more: 1" in charts[1].get("aria-label")


def test_what_was_noticed_comes_first(mess):
    page = read_page(mess)
    items = page.section("warnings").all("li")
    lines = [item.all("span")[0].text.removesuffix(" Show") for item in items]
    told = [*mess.info["warnings"], *mess.info["remarks"]]
    assert [line.replace("\\u202e", "\u202e") for line in lines] == told
    assert [item.get("class") for item in items] == [
        *["warning"] * len(mess.info["warnings"]),
        *["remark"] * len(mess.info["remarks"]),
    ]
    odd = page.section("outliers")
    names = [tile.all("bdi")[0].text for tile in odd.all("figure")]
    assert [h.text for h in odd.all("h3")] == [
        "Very dark",
        "More than four times as long as wide",
    ]
    assert names == ["night.png", "long.png"]
    assert len(odd.all("img")) == 2


def test_duplicates_are_shown_together(mess):
    groups = read_page(mess).section("duplicates").all("article")
    told = [
        (group.all("h3")[0].text, [line.text for line in group.all("figcaption")])
        for group in groups
    ]
    assert told == [
        (
            "The same image under two labels 2 images",
            [
                f"5 <b>'0'.png {SCRIPT} left out",
                "conflict.png b\\u202egnp & co left out",
            ],
        ),
        (
            "Exact duplicates 2 images",
            [f"3 <b>'0'.png {SCRIPT} kept", f"twin\\nof 3.png {SCRIPT} dropped"],
        ),
    ]
    assert all(len(group.all("img")) == 2 for group in groups)


def test_all_that_is_not_used_is_there_by_reason(mess):
    section = read_page(mess).section("rejected")
    rows = table(mess.directory, "rejected.csv")
    reasons = Counter(row["reason"] for row in rows)
    assert {
        d.all("code")[0].text: len(d.all("li")) for d in section.all("details")
    } == (reasons)
    assert reasons == {
        "conflict": 2,
        "duplicate": 1,
        "empty": 1,
        "not-an-image": 1,
        "name-not-utf8": 1,
    }
    details = {row["detail"] for row in rows}
    assert {li.all("span")[0].text for li in section.all("li")} == {
        detail.replace("\u202e", "\\u202e").replace("\n", "\\n") for detail in details
    }


def test_same_input_same_page(photo_folder, tmp_path):
    root = photo_folder({"a": 20, "b": 20})
    pages = [
        prepare(root, tmp_path / f"{i}", workers=workers, near=False)
        for i, workers in enumerate((0, 0, 2))
    ]
    texts = {(m.directory / "report.html").read_bytes() for m in pages}
    assert len(texts) == 1


def test_a_clean_set(photo_folder, tmp_path, told):
    root = photo_folder({"a": 40, "b": 40}, size=128)
    manifest = prepare(root, tmp_path / "data", near=False, progress=told)
    assert told.warnings == []
    page = read_page(manifest)
    assert "No warnings and no remarks" in page.section("warnings").text
    assert (
        "No duplicates were found. Only exact ones" in page.section("duplicates").text
    )
    assert (
        page.section("rejected").text == "Not used All files that were found are used."
    )
    assert not [tag for tag in page.all("section") if tag.get("id") == "outliers"]
    # 24 of 40, evenly: 0, 1, 3, 5, 6, 8, ...
    sheet = page.section("examples").all("details")[0]
    assert sheet.all("summary")[0].text == "a 24 of 40 images"
    names = [name.text for name in sheet.all("figure")[0].all("bdi")]
    assert names == ["a_000.png"]
    shown = [tile.all("bdi")[0].text for tile in sheet.all("figure")]
    assert shown[:6] == [f"a_{i:03d}.png" for i in (0, 1, 3, 5, 6, 8)]
    assert told.tasks["Drawing the page"] == 48


def test_crops_are_shown_as_crops(shared_data, tmp_path):
    place = shared_data / "labelme/fruits_nuts_v3"
    manifest = prepare(place, tmp_path / "data", label_by="shapes", near=False)
    page = read_page(manifest)
    assert numbers(page)["all"] == [111, 30, 24, 165]
    assert "165 crops of 3 classes" in page.all("header")[0].text
    sheet = page.section("examples").all("details")[0]
    assert sheet.all("summary")[0].text == "date 24 of 71 crops"
    boxes = [e.box for e in manifest.examples if e.label == "date" and e.box]
    x0, y0, x1, y1 = boxes[0]
    assert sheet.all("figcaption")[0].text.endswith(f"{x1 - x0} x {y1 - y0}")


def test_several_labels(shared_data, tmp_path):
    place = shared_data / "labelme/fruits_nuts_v3"
    manifest = prepare(place, tmp_path / "data", multi_label=True, near=False)
    page = read_page(manifest)
    assert list(numbers(page).values()) == expected(
        manifest, *[s for s in ("train", "val", "test") if manifest.of(s)]
    )
    assert "counts for each of them" in page.section("classes").text
    assert "date, fig, hazelnut" in page.section("examples").text


def test_long_lists_are_cut(tmp_path):
    rng = np.random.default_rng(0)
    root = tmp_path / "photos"
    for label in range(125):
        (root / f"class {label}").mkdir(parents=True)
        for i in range(5):
            noise = rng.integers(0, 256, (24, 24, 3)).astype(np.uint8)
            Image.fromarray(noise).save(root / f"class {label}" / f"{i}.png")
    for i in range(300):
        (root / "class 0" / f"{i}.jpg").write_text("notes")
    manifest = prepare(root, tmp_path / "data", near=False)
    page = read_page(manifest)
    # 480 images on the sheets of all classes, four each at least
    assert len(page.section("examples").all("details")) == 120
    assert len(page.section("examples").all("figure")) == 480
    assert "... and 5 more classes" in page.section("examples").text
    [reason] = page.section("rejected").all("details")
    assert len(reason.all("li")) == 51
    assert reason.all("li")[-1].text == "... and 250 more in rejected.csv"
    assert (manifest.directory / "report.html").stat().st_size < 3e6


def test_a_image_that_has_gone_meanwhile(photo_folder, tmp_path, monkeypatch):
    import tlkit.dataset.prepare as module

    root = photo_folder({"a": 12, "b": 12})

    def slow(*arguments):
        write(*arguments)
        shutil.rmtree(root / "b")

    monkeypatch.setattr(module, "write", slow)
    page = read_page(prepare(root, tmp_path / "data", near=False, workers=0))
    assert len(page.all("img")) == 12
    assert [s.text for s in page.all("span", where="missing")] == [
        "cannot be shown"
    ] * 12


def test_options_are_shown(photo_folder, tmp_path):
    root = photo_folder({"a": 12, "b": 12})
    manifest = prepare(
        root,
        tmp_path / "data",
        val=0.25,
        test=0,
        seed=7,
        near=False,
        keep_conflicts=True,
    )
    header = read_page(manifest).all("header")[0]
    told = dict(
        zip(
            (term.text for term in header.all("dt")),
            (content.text for content in header.all("dd")),
            strict=True,
        )
    )
    assert told["Source"] == str(root)
    assert told["Read as"] == "folders, labels by image"
    assert told["Options"] == "--keep-conflicts, --no-near"
    assert told["Split"] == "val drawn, 25% with seed 7"
    info = json.loads((manifest.directory / "dataset.json").read_text())
    assert told["Made by"] == f"tlkit {info['versions']['tlkit']}"


@pytest.mark.parametrize("label", ["</style><script>", "&lt;b&gt;"])
def test_a_label_that_looks_escaped(tmp_path, photo_folder, label):
    root = photo_folder({label.replace("/", "\u2215"): 12, "b": 12})
    page = read_page(prepare(root, tmp_path / "data", near=False))
    assert label.replace("/", "\u2215") in numbers(page)


def test_columns_are_shown_as_the_command_takes_them(tmp_path, draw):
    photos = tmp_path / "photos"
    photos.mkdir()
    rows = ["where;kind"]
    for i in range(20):
        Image.fromarray(draw(i % 2, i)).save(photos / f"{i}.png")
        rows.append(f"{i}.png;{'ab'[i % 2]}")
    (photos / "list.csv").write_text("\n".join(rows) + "\n")
    columns = {"path": "where", "label": "kind"}
    manifest = prepare(photos, tmp_path / "data", columns=columns, near=False)
    shown = read_page(manifest).all("header")[0].all("dd")[2].text
    assert "--column label=kind, --column path=where" in shown
    assert "(" not in shown
