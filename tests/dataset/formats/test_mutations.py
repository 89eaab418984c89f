"""Whatever comes: an image, a data set, or a named reason why not; soon, and small.

Hypothesis draws a few changes to small valid files. TLKIT_EXAMPLES=5000 draws as many
for each test here instead of the few of a usual run.
"""

from __future__ import annotations

import base64
import contextlib
import copy
import io
import json
import os
import re
import shutil
import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, features

from tests.conftest import draw_image
from tlkit.dataset.annotations.annotations_file import read_annotations
from tlkit.dataset.annotations.shapes import mask_shape, orient
from tlkit.dataset.formats import FORMATS
from tlkit.dataset.formats.labelme import LabelmeFile, parse_file
from tlkit.dataset.inspection.image_info import Inspected, inspect_image
from tlkit.dataset.prepare import prepare
from tlkit.dataset.records import Rejected
from tlkit.dataset.splitting.examples import Labeling
from tlkit.errors import DatasetError
from tlkit.imaging.decode import MAX_PIXELS as DECODED_MAX_PIXELS
from tlkit.imaging.decode import _heic, decode
from tlkit.imaging.safe_read import Unusable

EXAMPLES = int(os.environ.get("TLKIT_EXAMPLES", "0"))
# Of one example: processor time, and memory beyond what is there before.
SECONDS = 5
BYTES = 1 << 30
MAX_PIXELS = 4_000_000


def few(number: int) -> Any:
    """Settings of a test: the same examples every time, so many of them."""
    return settings(
        max_examples=EXAMPLES or number,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


@contextlib.contextmanager
def bounded() -> Iterator[None]:
    started = time.process_time()
    with little_memory():
        yield
    assert time.process_time() - started < SECONDS


@contextlib.contextmanager
def little_memory() -> Iterator[None]:
    if sys.platform != "linux":
        yield
        return
    import resource

    records = int(Path("/proc/self/statm").read_text().split()[0])
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(
        resource.RLIMIT_AS, (records * resource.getpagesize() + BYTES, hard)
    )
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def test_the_limit_is_one():
    if sys.platform != "linux":
        pytest.skip("memory is limited on Linux only")
    with little_memory(), pytest.raises(MemoryError):
        np.empty(2 * BYTES, np.uint8)


# What is done to bytes: how, where, over how many, with what.
EDITS = st.lists(
    st.tuples(
        st.sampled_from(["flip", "cut", "insert", "repeat", "drop"]),
        st.one_of(st.integers(0, 80), st.floats(0, 1)),
        st.integers(1, 64),
        st.binary(min_size=1, max_size=8),
    ),
    min_size=1,
    max_size=4,
)


def edited(data: bytes, edits: Sequence[tuple[str, float, int, bytes]]) -> bytes:
    for what, where, length, new in edits:
        at = where if isinstance(where, int) else int(where * len(data))
        before, part, after = data[:at], data[at : at + length], data[at + length :]
        changed = {
            "flip": new + data[at + len(new) :],
            "cut": b"",
            "insert": new + part + after,
            "repeat": part * 3 + after,
            "drop": after,
        }
        data = before + changed[what]
    return data


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def sample_images() -> dict[str, bytes]:
    """A small image of each kind that is read."""
    plain = Image.fromarray(draw_image(0, 0, 24))
    other = Image.fromarray(draw_image(1, 1, 24))
    several = {"save_all": True, "append_images": [other]}
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "Maker"
    exif.get_ifd(0x8769)[0x9003] = "2024:05:17 11:02:33"
    wide = Image.fromarray((draw_image(2, 2, 24)[..., 0].astype(np.uint16)) * 257)
    palette = plain.quantize(16)
    kinds: dict[str, tuple[Image.Image, str, dict[str, Any]]] = {
        "JPEG": (plain, "JPEG", {"exif": exif}),
        "progressive JPEG": (plain, "JPEG", {"progressive": True}),
        "CMYK JPEG": (plain.convert("CMYK"), "JPEG", {}),
        "MPO": (plain, "MPO", several),
        "PNG": (plain, "PNG", {"exif": exif}),
        "palette PNG": (palette, "PNG", {"transparency": 3}),
        "16 bit PNG": (wide, "PNG", {}),
        "alpha PNG": (plain.convert("RGBA"), "PNG", {}),
        "GIF": (plain, "GIF", several),
        "BMP": (plain, "BMP", {}),
        "TIFF": (plain, "TIFF", {"exif": exif}),
        "packed TIFF": (plain, "TIFF", {"compression": "tiff_lzw"}),
        "float TIFF": (wide.convert("F"), "TIFF", {}),
        "WEBP": (plain, "WEBP", several),
        "PPM": (plain, "PPM", {}),
        "16 bit PPM": (wide, "PPM", {}),
        "JPEG2000": (plain, "JPEG2000", {}),
    }
    if features.check("avif"):
        kinds["AVIF"] = (plain, "AVIF", {"speed": 10})
    if _heic():
        kinds["HEIC"] = (plain, "HEIF", {})
    return {
        name: encoded(image, kind, **options)
        for name, (image, kind, options) in kinds.items()
    }


IMAGES = sample_images()


@pytest.mark.parametrize("kind", IMAGES)
@few(60)
@given(edits=EDITS)
def test_images(kind, edits):
    data = edited(IMAGES[kind], edits)
    image, refusal = None, None
    with bounded():
        try:
            image = decode(data, max_pixels=MAX_PIXELS)
        except Unusable as error:
            refusal = error
    if image is None:
        assert refusal is not None
        assert refusal.reason not in {"", "no-memory"}
        assert refusal.detail
        return
    height, width, channels = image.pixels.shape
    assert image.pixels.dtype == np.uint8
    assert channels == 3
    assert 0 < height * width <= MAX_PIXELS


@pytest.mark.parametrize("kind", IMAGES)
def test_the_images_are_good(kind):
    assert decode(IMAGES[kind]).pixels.shape == (24, 24, 3)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("mutations")


@few(100)
@given(kind=st.sampled_from(sorted(IMAGES)), edits=EDITS)
def test_facts(place, kind, edits):
    (place / "1.jpg").write_bytes(edited(IMAGES[kind], edits))
    with bounded():
        found = inspect_image(place, "1.jpg")
    if isinstance(found, Rejected):
        assert found.reason not in {"", "no-memory"}
    else:
        assert isinstance(found, Inspected)
        assert found.info.width * found.info.height <= DECODED_MAX_PIXELS


# What takes the place of a value of a JSON, as text.
ODD = (
    *(
        "null",
        "true",
        "NaN",
        "-Infinity",
        "1e999",
        "-1",
        "0",
        "1e300",
        "0.5",
        "7" * 5000,
    ),
    *('""', '" "', '"NaN"', '"\\ud800"', '"\\u0000"', '"a\\nb"', '"../../etc/passwd"'),
    *('"/dev/zero"', '"C:\\\\x.jpg"', json.dumps("x" * 200_000), '"__ignore__"'),
    *("{}", "[]", "[[]]", "[null]", '{"a": 1}', "[1, 2, 3]", "[[1, 2], [3]]"),
    *("[" * 90 + "]" * 90, "[" * 2000 + "]" * 2000, "[" * 100_000, '{"a":' * 90),
    f"[{','.join(['[0, 0]'] * 5000)}]",
)
VALUES = st.one_of(
    st.sampled_from(ODD),
    st.integers().map(str),
    st.floats().map(json.dumps),
    st.text(max_size=20).map(json.dumps),
)
CHANGES = st.lists(
    st.tuples(
        st.sampled_from(["replace", "replace", "drop", "double"]),
        st.floats(0, 1, exclude_max=True),
        VALUES,
    ),
    min_size=1,
    max_size=3,
)


def spots(content: Any) -> Iterator[tuple[Any, Any]]:
    """Every place in a JSON: what it is in, and the key or index there."""
    inner = content.items() if isinstance(content, dict) else enumerate(content)
    for key, value in list(inner):
        yield content, key
        if isinstance(value, (dict, list)):
            yield from spots(value)


def rewritten(data: bytes, changes: Sequence[tuple[str, float, str]]) -> bytes:
    content = [copy.deepcopy(json.loads(data))]
    texts: list[str] = []
    for what, where, text in changes:
        places = list(spots(content))
        if not places:
            break
        inside, key = places[int(where * len(places))]
        if what == "replace":
            inside[key] = f"@{len(texts)}@"
            texts.append(text)
        elif what == "drop":
            del inside[key]
        elif isinstance(inside, list):
            inside.append(copy.deepcopy(inside[key]))
        else:
            inside[f"{key}_2"] = copy.deepcopy(inside[key])
    written = json.dumps(content)[1:-1]
    for i, text in enumerate(texts):
        written = written.replace(f'"@{i}@"', text)
    return written.encode()


# What takes the place of a word of any other text.
WORDS = (
    *(b"nan", b"inf", b"-1", b"0", b"1e999", b"9" * 5000, b"0.5", b"", b" ", b"\0"),
    *(
        b"\xff\xfe",
        b"../../etc/passwd",
        b"/dev/zero",
        b"x" * 200_000,
        b'"',
        b"'",
        b"\n",
    ),
    *(b"<a>", b"</object>", b"&lt;", b"&x;", b"<!DOCTYPE a [<!ENTITY x 'y'>]>", b","),
    *(b"&a &a", b"*a", b"!!python/object:os.system", b"[" * 5000, b"{" * 5000, b": "),
)
SWAPS = st.lists(
    st.tuples(st.floats(0, 1, exclude_max=True), st.sampled_from(WORDS)),
    min_size=1,
    max_size=3,
)


def swapped(data: bytes, swaps: Sequence[tuple[float, bytes]]) -> bytes:
    for where, word in swaps:
        words = list(re.finditer(rb"[^\s,<>\"=:/]+", data))
        if words:
            old = words[int(where * len(words))]
            data = data[: old.start()] + word + data[old.end() :]
    return data


def photos(*names: str) -> dict[str, bytes]:
    drawn = (Image.fromarray(draw_image(i, i, 32)) for i in range(len(names)))
    return {n: encoded(p, "JPEG") for n, p in zip(names, drawn, strict=True)}


def mask_png() -> bytes:
    ids = np.zeros((32, 32), np.uint8)
    ids[4:20, 4:20], ids[20:30, 8:30] = 1, 2
    return encoded(Image.fromarray(ids), "PNG")


def labelme_page(name: str, flag: str) -> bytes:
    drawn = np.eye(16, dtype=bool)
    shapes = [
        {"label": "x", "points": [[2, 3], [20, 25]], "shape_type": "rectangle"},
        {"label": "y", "points": [[12, 3], [30, 25], [19, 30]], "group_id": 1},
        {"label": "y", "points": [[24, 8], [29, 8]], "shape_type": "circle"},
        mask_shape(drawn, 4, 4).json() | {"label": "x", "flags": {"__ignore__": False}},
    ]
    content: dict[str, Any] = {
        "version": "5.4.1",
        "flags": {flag: True},
        "shapes": shapes,
        "imagePath": name,
        "imageData": None,
        "imageWidth": 32,
        "imageHeight": 32,
    }
    if flag == "inside":
        content["imageData"] = base64.b64encode(photos("1.jpg")["1.jpg"]).decode()
    return json.dumps(content).encode()


def coco() -> bytes:
    names = [f"{i}.jpg" for i in range(4)]
    images = [
        {"id": i, "file_name": name, "width": 32, "height": 32}
        for i, name in enumerate(names)
    ]
    outlines = [[2, 3, 20, 3, 20, 25, 2, 25]], [[12, 9, 30, 9, 30, 31]]
    rle = {"size": [32, 32], "counts": [100, 20, 12, 20, 872]}
    objects = [
        {
            "id": i,
            "image_id": i // 2,
            "category_id": 1 + 2 * (i % 2),
            "bbox": [12, 9, 18, 22] if i % 2 else [2, 3, 18, 22],
            "area": 396.0,
            "segmentation": rle if i == 3 else outlines[i % 2],
            "iscrowd": int(i == 3),
        }
        for i in range(8)
    ]
    categories = [{"id": 1, "name": "cat"}, {"id": 3, "name": "dog"}]
    return json.dumps(
        {"images": images, "annotations": objects, "categories": categories}
    ).encode()


def via() -> bytes:
    def regions(name: str) -> list[dict[str, Any]]:
        box = {"name": "rect", "x": 2, "y": 3, "width": 18, "height": 22}
        rim = {"name": "circle", "cx": 9, "cy": 9, "r": 5}
        corners = {"all_points_x": [2, 20, 9], "all_points_y": [3, 25, 30]}
        drawn: list[dict[str, Any]] = [box, rim, {"name": "polygon"} | corners]
        return [
            {"shape_attributes": one, "region_attributes": {"kind": name}}
            for one in drawn
        ]

    return json.dumps(
        {
            f"{i}.jpg123": {
                "filename": f"{i}.jpg",
                "size": 123,
                "regions": regions("cat" if i % 2 else "dog"),
                "file_attributes": {},
            }
            for i in range(4)
        }
    ).encode()


def voc(name: str) -> bytes:
    objects = "".join(
        f"<object><name>{label}</name><difficult>0</difficult><bndbox>"
        f"<xmin>{left}</xmin><ymin>4</ymin><xmax>{left + 12}</xmax><ymax>25</ymax>"
        "</bndbox></object>"
        for label, left in (("cat", 3), ("dog", 16))
    )
    size = "<size><width>32</width><height>32</height><depth>3</depth></size>"
    return (
        f"<annotation><folder>x</folder><filename>{name}.jpg</filename>{size}{objects}"
        "</annotation>"
    ).encode()


def drawings() -> bytes:
    rng = np.random.default_rng(0)
    lines = (
        {
            "word": "cat" if i % 2 else "dog",
            "key_id": str(i),
            "countrycode": "DE",
            "timestamp": "2017-03-01 12:00:00 UTC",
            "recognized": True,
            "drawing": rng.integers(0, 256, (3, 2, 9)).tolist(),
        }
        for i in range(6)
    )
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


FOUR = photos(*(f"{i}.jpg" for i in range(4)))
# For each format a small source: what its files hold. All but the photos are changed;
# photos are where there is nothing else.
SAMPLES: dict[str, dict[str, bytes]] = {
    "folders": photos("a/1.jpg", "a/2.jpg", "b/1.jpg", "b/2.jpg"),
    "labelme": FOUR
    | {
        "0.json": labelme_page("0.jpg", "cat"),
        "1.json": labelme_page("1.jpg", "dog"),
        "2.json": labelme_page("2.jpg", "cat"),
        "3.json": labelme_page("3.jpg", "dog"),
        "4.json": labelme_page("none.jpg", "inside"),
    },
    "coco": FOUR | {"annotations.json": coco()},
    "via": FOUR | {"via.json": via()},
    "yolo": {f"images/train/{name}": data for name, data in FOUR.items()}
    | {
        f"labels/train/{i}.txt": b"0 0.5 0.5 0.4 0.4\n1 0.2 0.2 0.6 0.1 0.5 0.7\n"
        for i in range(4)
    }
    | {"data.yaml": b"path: .\ntrain: images/train\nnames:\n  0: cat\n  1: dog\n"},
    "voc": {f"JPEGImages/{name}": data for name, data in FOUR.items()}
    | {f"Annotations/{i}.xml": voc(str(i)) for i in range(4)}
    | {"ImageSets/Main/train.txt": b"0\n1\n2\n3\n"},
    "masks": FOUR
    | {f"{i}_watershed_mask.png": mask_png() for i in range(4)}
    | {
        "config.json": json.dumps(
            {
                "labels": {
                    name: {"id": i, "name": name, "color": [i, 0, 0], "id_categorie": 0}
                    for i, name in enumerate(("void", "cat", "dog"))
                }
            }
        ).encode()
    },
    "quickdraw": {"drawings.ndjson": drawings()},
    "csv": FOUR
    | {
        "labels.csv": b"path,label,split,xmin,ymin,xmax,ymax\n"
        + b"".join(
            f"{i}.jpg,{'cat' if i % 2 else 'dog'},train,2,3,20,25\n".encode()
            for i in range(4)
        )
    },
}


def changed(data: bytes, name: str, draw: st.DataObject) -> bytes:
    ways = ["bytes"] if name.endswith((".jpg", ".png")) else ["bytes", "words"]
    ways += ["values", "values", "values"] if name.endswith("json") else []
    way = draw.draw(st.sampled_from(ways), label="way")
    if way == "values":
        first, *rest = data.splitlines(keepends=True)  # .ndjson has several
        changes = draw.draw(CHANGES, label="changes")
        return rewritten(first, changes) + b"\n" + b"".join(rest)
    if way == "words":
        return swapped(data, draw.draw(SWAPS, label="swaps"))
    return edited(data, draw.draw(EDITS, label="edits"))


def changed_source(root: Path, sample: dict[str, bytes], draw: st.DataObject) -> None:
    """A source with one of its files changed."""
    shutil.rmtree(root, ignore_errors=True)
    names = [name for name in sample if not name.endswith(".jpg")] or sorted(sample)
    name = draw.draw(st.sampled_from(names), label="file")
    for file, data in sample.items():
        path = root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(changed(data, file, draw) if file == name else data)


WAYS = st.sampled_from(
    [
        *(Labeling(), Labeling("image"), Labeling("shapes", pad=0.1, min_size=1)),
        Labeling("image", multi_label=True),
    ]
)


def test_every_format_has_a_sample():
    assert set(FORMATS) <= set(SAMPLES)


@pytest.mark.parametrize("name", FORMATS)
@few(30)
@given(draw=st.data(), how=WAYS)
def test_sources(place, name, draw, how):
    root, out = place / name, place / f"{name} data"
    changed_source(root, SAMPLES[name], draw)
    if name == "folders":
        how = Labeling()
    with bounded(), warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            manifest = prepare(
                root,
                out,
                format=name,
                label_by=how.label_by,
                multi_label=how.multi_label,
                pad=how.pad,
                min_size=how.min_size,
                val=0,
                test=0,
                near=False,
                workers=0,
                overwrite=True,
            )
        except DatasetError:
            return
    assert manifest.examples
    for record in read_annotations(out):
        shapes = [shape for obj in record.objects for shape in obj.shapes]
        for shape in shapes[:20]:
            with bounded(), contextlib.suppress(Unusable):
                orient(shape, 6, (32, 32)).outlines()


@pytest.mark.parametrize("name", FORMATS)
def test_the_samples_are_good(tmp_path, name):
    for file, data in SAMPLES[name].items():
        (tmp_path / "source" / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "source" / file).write_bytes(data)
    manifest = prepare(
        tmp_path / "source",
        tmp_path / "data",
        format=name,
        label_by=None if name in {"folders", "quickdraw"} else "shapes",
        val=0,
        test=0,
        near=False,
    )
    assert len(manifest.labels) == 2
    assert len(manifest.examples) >= 4
    assert set(manifest.info["counts"]["rejected"]) <= {"crowd", "duplicate"}


@few(120)
@given(draw=st.data())
def test_labelme_files(place, draw):
    record = labelme_page("1.jpg", draw.draw(st.sampled_from(["cat", "inside"])))
    (place / "1.json").write_bytes(changed(record, "1.json", draw))
    with bounded():
        parsed = parse_file(place, "1.json")
    rejected = parsed.rejected if isinstance(parsed, LabelmeFile) else (parsed,)
    assert all(r.file == "1.json" and r.reason and r.detail for r in rejected)
