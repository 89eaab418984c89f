from __future__ import annotations

import json
import os

import numpy as np
import pytest
from PIL import Image

from tlkit.dataset.formats import detect, quickdraw
from tlkit.dataset.formats.detect import claims
from tlkit.dataset.formats.quickdraw import render, scale
from tlkit.dataset.prepare import prepare
from tlkit.dataset.sources.open import ReaderOptions, open_source
from tlkit.errors import DatasetError, UsageError
from tlkit.imaging.safe_read import Unusable

L = [[[0, 0, 255], [0, 127, 127]]]


def line(number: int, word: str = "cat", drawing=None, **more) -> str:
    content = {
        "word": word,
        "countrycode": "AT",
        "recognized": number % 2 == 0,
        "key_id": str(4_000_000 + number),
        "drawing": L if drawing is None else drawing,
    }
    return json.dumps(content | more)


def write(root, name: str, *lines: str | bytes):
    data = b"\n".join(x if isinstance(x, bytes) else x.encode() for x in lines)
    (root / name).write_bytes(data)
    return root / name


def parsed(place, made, **reading):
    opened = open_source(place, options=ReaderOptions(**reading), workers=0, made=made)
    return quickdraw.read(opened)


def ink(image: np.ndarray) -> tuple[int, int, int, int]:
    """The box around what is drawn, edges that are half covered included."""
    ys, xs = np.nonzero(image < 192)
    return xs.min(), ys.min(), xs.max() + 1, ys.max() + 1


def test_how_it_is_drawn():
    image = render(scale(L))
    assert image.shape == (256, 256)
    assert image.dtype == np.uint8
    # 224 of 256 px for the longer side, centered, and half a stroke around it;
    # the shorter side is 127 / 255 as long.
    short = 224 * 127 / 255
    half = 7.4 / 2
    expected = 16 - half, 128 - short / 2 - half, 240 + half, 128 + short / 2 + half
    np.testing.assert_allclose(ink(image), expected, atol=1)
    assert image[0].min() == 255
    assert image[128, 15] == 0
    # One corner of the triangle that it would be, filled, is white.
    assert image[100, 128] == 255
    assert set(np.unique(image)) - {0, 255}, "antialiased"
    width = (255 - image[128, :30].astype(float)).sum() / 255
    assert width == pytest.approx(7.4, abs=0.5)


def test_raw_drawings_are_drawn_as_simplified_ones():
    simple = [[[0, 100, 255], [10, 60, 0]], [[255], [60]]]
    raw = [
        [[x * 3.7 - 900.25 for x in xs], [y * 3.7 + 55.5 for y in ys], [0] * len(xs)]
        for xs, ys in simple
    ]
    assert (render(scale(raw)) == render(scale(simple))).all()


def test_a_dot():
    for drawing in ([[[7], [9]]], [[[7, 7], [9, 9], [0, 8]]], [[], [[7], [9]]][1:]):
        box = ink(render(scale(drawing)))
        np.testing.assert_allclose(box, (124, 124, 132, 132), atol=1)


@pytest.mark.parametrize(
    "drawing",
    [
        *(None, 7, "text", [], {}, [[]], [[[], []]], [[[1, 2]]], [[[1, 2], [1]]]),
        *([[1, 2]], [[["a"], [1]]], [[[None], [1]]], [[[1e300], [1]]]),
        *([[[float("nan")], [1]]], [[[10**400], [1]]], [[[[1]], [[1]]]]),
        *([[[1], [1]], [1]], {"a": 1}),
    ],
)
def test_drawings_that_cannot_be_used(drawing):
    with pytest.raises(Unusable):
        scale(drawing)


def test_reads(tmp_path):
    (tmp_path / "in").mkdir()
    cat = line(1), line(2, timestamp="2017-03-01")
    place = write(tmp_path / "in", "cat.ndjson", *cat, "")
    write(tmp_path / "in", "tower.ndjson", line(3, " the eiffel tower"))
    (tmp_path / "in" / "notes.txt").write_text("x")
    opened = open_source(tmp_path / "in", made=tmp_path / "out", workers=0)
    assert claims(opened) == {"quickdraw": 3}
    assert detect(opened) == "quickdraw"
    found = quickdraw.read(opened)
    assert [(record.path, record.labels, record.file) for record in found.records] == [
        ("cat/4000001.png", ("cat",), ""),
        ("cat/4000002.png", ("cat",), ""),
        ("the eiffel tower/4000003.png", ("the eiffel tower",), ""),
    ]
    assert found.records[1].attributes == {
        "key_id": "4000002",
        "recognized": True,
        "countrycode": "AT",
        "timestamp": "2017-03-01",
    }
    assert found.root == tmp_path / "out"
    assert found.annotation_files == {"cat.ndjson", "tower.ndjson"}
    assert found.files == ("cat.ndjson", "notes.txt", "tower.ndjson")
    with Image.open(tmp_path / "out" / "cat" / "4000001.png") as image:
        assert image.format == "PNG"
        assert (np.array(image) == render(scale(L))).all()
    # Of one file, the files around it do not matter.
    found = parsed(place, tmp_path / "other")
    assert found.files == ("cat.ndjson",)
    assert len(found.records) == 2


def test_at_most_so_many_of_a_class(tmp_path):
    write(tmp_path, "a.ndjson", line(1), line(2, "dog"), "{", line(3), line(4), line(5))
    write(tmp_path, "b.ndjson", line(6), line(7, "dog"), line(8, "dog"))
    found = parsed(tmp_path, tmp_path / "out", limit=2)
    assert [record.path[:-4] for record in found.records] == [
        *("cat/4000001", "dog/4000002", "cat/4000003", "dog/4000007"),
    ]
    assert found.note == (
        "Read as Quick, Draw! drawings, 4 of them drawn. 4 beyond the limit are left "
        "out."
    )


def test_lines_that_cannot_be_used(tmp_path, monkeypatch):
    monkeypatch.setattr(quickdraw, "MAX_LINE", 5000)
    place = write(
        tmp_path,
        "x.ndjson",
        "",
        line(1),
        '{"word": "cat", "drawing"',
        line(2, drawing=[]),
        line(3, word=""),
        line(4, word="a\nb"),
        line(5, key_id="../../up"),
        line(1, word="cat"),
        line(6, drawing=[[[0, 1] * 9000, [0, 1] * 9000]]),
        "[" * 2000,
        "[1]",
        b"\xff\xfe",
        line(7, key_id=None),
        line(8, "../.. a/b"),
        json.dumps({"word": "cat", "drawing": L}),
        '{"word": "\\x"}',
    )
    found = parsed(place, tmp_path / "out")
    assert [one.detail.split(":")[0] for one in found.rejected] == [
        f"Line {number}" for number in (3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 16)
    ]
    assert [one.reason for one in found.rejected] == [
        *("broken-json", "not-a-drawing", "bad-label", "bad-label", "bad-id"),
        *("id-twice", "too-long", "broken-json", "not-a-drawing", "broken-json"),
        "broken-json",
    ]
    assert {one.file for one in found.rejected} == {"x.ndjson"}
    assert [record.path for record in found.records] == [
        "cat/4000001.png",
        "cat/None.png",
        "_._.. a_b/4000008.png",
        "cat/x-15.png",
    ]
    assert found.records[2].labels == ("../.. a/b",)
    drawn = {
        p.relative_to(tmp_path / "out").as_posix() for p in tmp_path.rglob("*.png")
    }
    assert drawn == {record.path for record in found.records}


def test_a_pipe_is_not_read(tmp_path):
    os.mkfifo(tmp_path / "x.ndjson")
    opened = open_source(tmp_path, made=tmp_path / "out", workers=0)
    assert claims(opened) == {}
    found = quickdraw.read(opened)
    assert [(one.file, one.reason) for one in found.rejected] == [
        ("x.ndjson", "unreadable")
    ]


def test_drawing_needs_a_folder(tmp_path):
    with pytest.raises(DatasetError, match="a folder to be drawn to"):
        quickdraw.read(open_source(tmp_path))


def test_existing_images_are_kept(tmp_path):
    (tmp_path / "out" / "cat").mkdir(parents=True)
    (tmp_path / "out" / "cat" / "4000001.png").write_text("other")
    found = parsed(write(tmp_path, "x.ndjson", line(1), line(2)), tmp_path / "out")
    assert [record.path for record in found.records] == ["cat/4000002.png"]
    assert [one.reason for one in found.rejected] == ["id-twice"]
    assert (tmp_path / "out" / "cat" / "4000001.png").read_text() == "other"


def test_a_place_that_cannot_be_written_to(tmp_path):
    (tmp_path / "out").write_text("a file")
    with pytest.raises(DatasetError, match="cannot be written"):
        parsed(write(tmp_path, "x.ndjson", line(1)), tmp_path / "out")


def test_prepares_drawings(tmp_path):
    generator = np.random.default_rng(0)
    for shift, word in enumerate(("cat", "dog")):
        drawings = [[generator.integers(0, 256, (2, 9)).tolist()] for _ in range(12)]
        lines = [line(50 * shift + i, word, each) for i, each in enumerate(drawings)]
        write(tmp_path, f"{word}.ndjson", *lines)
    (tmp_path / "in").mkdir()
    for name in ("cat.ndjson", "dog.ndjson"):
        (tmp_path / name).rename(tmp_path / "in" / name)
    out = tmp_path / "data"
    for limit in (None, 10):
        manifest = prepare(
            tmp_path / "in", out, limit=limit, near=False, workers=0, overwrite=True
        )
    assert len(manifest.examples) == 20
    assert len(list(out.rglob("*.png"))) == 20
    assert manifest.source == out / "images"
    assert manifest.info["source"]["path"] == str(out / "images")
    assert manifest.info["source"]["relative"] == "images"
    assert manifest.info["source"]["origin"] == str(tmp_path / "in")
    assert manifest.info["source"]["annotation_files"] == ["cat.ndjson", "dog.ndjson"]
    assert manifest.info["counts"]["rejected"] == {}
    with pytest.raises(UsageError, match=r"limit must be >= 1, got 0"):
        prepare(tmp_path / "in", out, limit=0)
