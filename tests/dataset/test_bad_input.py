"""What becomes of every kind of bad input: used, used with a note, or rejected.

The tables below are the ones that the README gives to users, in more detail.
"""

from __future__ import annotations

import base64
import csv
import io
import json
import math
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.conftest import draw_image
from tests.imaging.test_decode import INKS, adobe_jpeg, huge_png
from tlkit.dataset.example import read_example
from tlkit.dataset.manifest import Manifest
from tlkit.dataset.prepare import prepare
from tlkit.dataset.sources.walk import shown
from tlkit.imaging.safe_read import MAX_JSON_BYTES
from tlkit.progress import Silent

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="needs names of any bytes, pipes and links"
)


def image(seed: int, size: int = 48) -> Image.Image:
    return Image.fromarray(draw_image(seed, 1000 + seed, size))


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def saved(image: Image.Image, kind: str, **options: Any) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(encoded(image, kind, **options))


def holding(data: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(data)


def frames(seed: int, kind: str) -> Callable[[Path], object]:
    more = [image(seed + 1)]
    return saved(image(seed), kind, save_all=True, append_images=more)


def turned(orientation: int) -> Callable[[Path], object]:
    exif = Image.Exif()
    exif[0x0112] = orientation
    upper = image(20 + orientation).crop((0, 0, 48, 40))
    return saved(upper, "JPEG", exif=exif, quality=95)


def large_jpeg() -> bytes:
    """A JPEG whose header claims 60,000 x 60,000 pixels."""
    data = bytearray(encoded(image(30), "JPEG"))
    start = data.index(b"\xff\xc0")
    data[start + 5 : start + 9] = (60_000).to_bytes(2, "big") * 2
    return bytes(data)


def floats(values: list[list[float]]) -> Callable[[Path], object]:
    tiled = np.kron(np.array(values, np.float32), np.ones((32, 32), np.float32))
    return saved(Image.fromarray(tiled), "TIFF")


def see_through(mode: str) -> Image.Image:
    clear = image(40 if mode == "RGBA" else 41).convert("RGBA")
    clear.putalpha(Image.linear_gradient("L").resize(clear.size))
    return clear.convert(mode)


def palette() -> Image.Image:
    colors = image(42).quantize(16)
    colors.info["transparency"] = 3
    return colors


def folder_with_image(path: Path) -> None:
    path.mkdir()
    image(43).save(path / "1.png")


def link(target: str) -> Callable[[Path], object]:
    return lambda path: path.symlink_to(target)


def foreign(path: Path) -> None:
    place = os.fsencode(path.parent) + b"/\xff"
    os.mkdir(place)  # noqa: PTH102 - bytes are the point here
    for name in (b"/\xfe.png", b"/1.png"):
        with open(place + name, "wb") as file:  # noqa: PTH123
            file.write(encoded(image(44), "PNG"))


JPEG = encoded(image(1), "JPEG", quality=95)
WIDE = np.random.default_rng(0).integers(0, 65536, (40, 40)).astype(np.uint16)
YCCK = adobe_jpeg(255 - INKS, 2)
GREY = image(11).convert("L")

# In a class folder: its name, how it is made, and the outcome of each file it gives.
IMAGES: dict[str, tuple[Callable[[Path], object], dict[str, str] | str]] = {
    "plain.jpg": (holding(JPEG), "used"),
    "cut.jpg": (holding(JPEG[: len(JPEG) // 2]), "rejected: truncated"),
    "cut early.jpg": (holding(JPEG[:30]), "rejected: truncated"),
    "cut.png": (
        holding(encoded(image(2), "PNG")[:1500]),
        "rejected: truncated",
    ),
    "empty.jpg": (holding(b""), "rejected: empty"),
    "text.jpg": (holding(b"these are notes"), "rejected: not-an-image"),
    "page.jpg": (holding(b"<html>404</html>"), "rejected: not-an-image"),
    "drawing.svg": (holding(b"<svg xmlns='...'/>"), "rejected: not-an-image"),
    "notes.json": (holding(b"{}"), "rejected: not-an-image"),
    "jpeg.png": (saved(image(3), "JPEG"), "used: suffix .png is JPEG"),
    "no suffix": (saved(image(4), "PNG"), "used"),
    "alpha.png": (saved(see_through("RGBA"), "PNG"), "used: alpha-on-white"),
    "gray alpha.png": (saved(see_through("LA"), "PNG"), "used: alpha-on-white"),
    "opaque alpha.png": (saved(image(5).convert("RGBA"), "PNG"), "used"),
    "palette.png": (saved(palette(), "PNG"), "used: alpha-on-white"),
    "gray.png": (saved(GREY, "PNG"), "used"),
    "1 bit.png": (saved(image(12).convert("1"), "PNG"), "used"),
    "16 bit.png": (saved(Image.fromarray(WIDE), "PNG"), "used: 16-bit"),
    "16 bit.tif": (saved(Image.fromarray(WIDE.T.copy()), "TIFF"), "used: 16-bit"),
    "float.tif": (floats([[0, 0.5], [0.25, 1]]), "used: float"),
    "wide float.tif": (floats([[-100, 9], [7, 1e6]]), "used: float"),
    "nan.tif": (floats([[0, math.nan]]), "rejected: not-finite"),
    "infinite.tif": (floats([[0, math.inf]]), "rejected: not-finite"),
    "cmyk.jpg": (saved(image(6).convert("CMYK"), "JPEG"), "used: cmyk"),
    "ycck.jpg": (holding(YCCK), "used: cmyk, tiny"),
    "progressive.jpg": (saved(image(7), "JPEG", progressive=True), "used"),
    "animated.gif": (frames(50, "GIF"), "used: first-frame"),
    "animated.webp": (frames(52, "WEBP"), "used: first-frame"),
    "pages.tif": (frames(54, "TIFF"), "used: first-frame"),
    "stereo.mpo": (frames(56, "MPO"), "used: first-frame"),
    "stereo.jpg": (frames(58, "MPO"), "used: first-frame"),
    "turned 1.jpg": (turned(1), "used"),
    **{
        f"turned {i}.jpg": (turned(i), f"used: exif-orientation-{i}")
        for i in range(2, 9)
    },
    "turned 9.jpg": (turned(9), "used"),
    "one pixel.png": (saved(Image.new("RGB", (1, 1), (9, 8, 7)), "PNG"), "used: tiny"),
    "strip.png": (
        saved(Image.linear_gradient("L").resize((20_000, 10)), "PNG"),
        "used: tiny, narrow",
    ),
    "bomb.png": (holding(huge_png(60_000, 60_000)), "rejected: too-many-pixels"),
    "bomb.jpg": (holding(large_jpeg()), "rejected: too-many-pixels"),
    "large and cut.png": (holding(huge_png(9000, 9000)), "rejected: truncated"),
    "new\nline\r.png": (saved(image(8), "PNG"), "used"),
    '  spaces, "quotes" .png': (saved(image(9), "PNG"), "used"),
    "-rf": (saved(image(10), "PNG"), "used"),
    "=cmd|'calc'!A0.png": (saved(image(13), "PNG"), "used"),
    "é 写真.png": (saved(image(14), "PNG"), "used"),
    ".hidden.png": (saved(image(15), "PNG"), "rejected: junk"),
    "Thumbs.db": (holding(b""), "rejected: junk"),
    "foreign": (
        foreign,
        {
            "a/\\xff/\\xfe.png": "rejected: name-not-utf8",
            "a/\\xff/1.png": "rejected: name-not-utf8",
        },
    ),
    "folder.jpg": (folder_with_image, {"a/folder.jpg/1.png": "used"}),
    "loop": (link(".."), {"a/loop/": "rejected: link-loop"}),
    "itself.png": (link("itself.png"), "rejected: unreadable"),
    "gone.png": (link("nothing.png"), "rejected: missing"),
    "out.png": (link("../../outside/1.png"), "rejected: outside-source"),
    "out": (link("../../outside"), {"a/out/": "rejected: outside-source"}),
    "passwd.jpg": (link("/etc/passwd"), "rejected: outside-source"),
    "endless.jpg": (link("/dev/zero"), "rejected: outside-source"),
    "pipe.jpg": (os.mkfifo, "rejected: not-a-file"),
    "locked.png": (saved(image(16), "PNG"), "rejected: no-permission"),
    "locked": (Path.mkdir, {"a/locked/": "rejected: no-permission"}),
    "vanishes.png": (saved(image(17), "PNG"), "rejected: missing"),
    "changes.png": (saved(image(18), "PNG"), "rejected: empty"),
}


class Meddler(Silent):
    """Somebody who changes files between the walk and the reading."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def start(self, task: str, total: int | None = None) -> None:
        if task == "Reading images":
            (self.root / "a" / "vanishes.png").unlink()
            (self.root / "a" / "changes.png").write_bytes(b"")


@pytest.fixture
def locked(monkeypatch):
    """What is called "locked" cannot be read, not even by root."""

    def guarded(act: Callable[..., Any]) -> Callable[..., Any]:
        def refuse(path, *args, **options):
            if "locked" in str(path):
                raise PermissionError(13, "Permission denied")
            return act(path, *args, **options)

        return refuse

    monkeypatch.setattr(os, "scandir", guarded(os.scandir))
    monkeypatch.setattr(Path, "read_bytes", guarded(Path.read_bytes))


def table(directory: Path, name: str) -> list[dict[str, str]]:
    with (directory / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def outcomes(manifest: Manifest) -> dict[str, str]:
    """What became of every file, as in the tables."""
    found: dict[str, set[str]] = {}
    for row in table(manifest.directory, "rejected.csv"):
        assert row["detail"]
        found.setdefault(row["file"], set()).add(f"rejected: {row['reason']}")
    notes: dict[str, list[str]] = {}
    for row in table(manifest.directory, "notes.csv"):
        notes.setdefault(row["file"], []).append(row["note"])
    used = {e.path for e in manifest.examples} | {
        e.annotation for e in manifest.examples
    }
    for file in used - {""}:
        said = ", ".join(notes.pop(file, ()))
        found.setdefault(file, set()).add(f"used: {said}" if said else "used")
    assert not notes
    return {file: "; ".join(sorted(said, reverse=True)) for file, said in found.items()}


def check_every_file(root: Path, found: dict[str, str]) -> None:
    folders = [name for name in found if name.endswith("/")]
    seen = 0
    for folder, _, names in os.walk(root):
        for name in names:
            path = Path(folder, name).relative_to(root).as_posix()
            above = any(f"{path}/".startswith(f) for f in folders)
            assert shown(path) in found or above
            seen += 1
    assert seen > 6


def good_images(root: Path) -> dict[str, str]:
    for i, label in enumerate("ab"):
        (root / label).mkdir(parents=True)
        for j in range(4):
            Image.fromarray(draw_image(i, j)).save(root / label / f"good {j}.png")
    return {f"{label}/good {j}.png": "used" for label in "ab" for j in range(4)}


def test_images(tmp_path, locked):
    root = tmp_path / "photos"
    expected = good_images(root)
    good_images(tmp_path / "outside")
    image(19).save(tmp_path / "outside" / "1.png")
    for name, (make, outcome) in IMAGES.items():
        make(root / "a" / name)
        several = {f"a/{name}": outcome} if isinstance(outcome, str) else outcome
        expected |= several
    assert len(expected) == len(IMAGES) + 9
    progress = Meddler(root)
    manifest = prepare(
        root, tmp_path / "data", near=False, workers=0, progress=progress
    )
    found = outcomes(manifest)
    assert found == expected
    check_every_file(root, found)
    for example in manifest.examples:
        pixels = read_example(root, example)
        assert pixels.shape == (example.height, example.width, 3)
        if "turned" in example.path:
            upright = (40, 48) if example.path[-5] in "5678" else (48, 40)
            assert (example.width, example.height) == upright


def test_outside_is_read_where_that_is_allowed(tmp_path):
    root = tmp_path / "photos"
    expected = good_images(root)
    (tmp_path / "outside").mkdir()
    image(19).save(tmp_path / "outside" / "1.png")
    (root / "a" / "out.png").symlink_to("../../outside/1.png")
    (root / "b" / "out").symlink_to("../../outside")
    (root / "a" / "passwd.jpg").symlink_to("/etc/passwd")
    manifest = prepare(
        root, tmp_path / "data", near=False, allow_outside=True, keep_conflicts=True
    )
    assert outcomes(manifest) == expected | {
        "a/out.png": "used",
        "b/out/1.png": "used",
        "a/passwd.jpg": "rejected: not-an-image",
    }


@pytest.mark.parametrize("installed", [True, False])
def test_heic(tmp_path, monkeypatch, installed):
    pillow_heif = pytest.importorskip("pillow_heif")
    pillow_heif.register_heif_opener()
    root = tmp_path / "photos"
    expected = good_images(root)
    image(60, 64).save(root / "a" / "1.heic")
    if not installed:
        monkeypatch.setattr("tlkit.imaging.decode._heic", lambda: ())
    found = outcomes(prepare(root, tmp_path / "data", near=False))
    expected["a/1.heic"] = "used" if installed else "rejected: heic"
    assert found == expected


RECTANGLE = {"label": "x", "points": [[1, 2], [30, 40]], "shape_type": "rectangle"}


def record(**content: Any) -> bytes:
    plain: dict[str, Any] = {"version": "5.1.1", "flags": {"cat": True}}
    plain |= {"shapes": [RECTANGLE], "imagePath": "page.png", "imageData": None}
    return json.dumps(plain | content).encode()


def beside(content: bytes) -> Callable[[Path], object]:
    """A JSON with an image of its own name."""

    def make(path: Path) -> None:
        path.write_bytes(content)
        seed = sum(map(ord, path.name))
        image(seed).save(path.with_suffix(".png"))

    return make


def drawn(points: Any, kind: Any = "rectangle", label: Any = "x") -> bytes:
    odd = {"label": label, "points": points, "shape_type": kind}
    return record(shapes=[RECTANGLE, odd])


def enormous(path: Path) -> None:
    with path.open("wb") as file:
        file.write(b'{"imagePath": "1.png", "flags": {}, "x": "')
        file.truncate(MAX_JSON_BYTES + 1)


def inside(data: bytes) -> bytes:
    text = base64.b64encode(data).decode()
    return record(imageData=text, imagePath="none.png")


def masked(path: Path) -> None:
    """A mask that claims 60,000 pixels a side, on an image that EXIF turns."""
    mask = base64.b64encode(huge_png(60_000, 60_000)).decode()
    shape = {"label": "x", "points": [[0, 0], [3, 3]], "shape_type": "mask"}
    size = {"imageWidth": 48, "imageHeight": 40, "imagePath": "mask.jpg"}
    path.write_bytes(record(shapes=[shape | {"mask": mask}], **size))
    turned(6)(path.with_suffix(".jpg"))


LOST = "used; rejected: {}"
# As above, for labelme's JSON files; the outcome is that of the JSON.
PAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "plain": (beside(record()), "used"),
    "empty": (beside(b""), "rejected: broken-json"),
    "cut": (beside(record()[:60]), "rejected: broken-json"),
    "binary": (beside(bytes(range(256))), "rejected: broken-json"),
    "enormous": (enormous, "rejected: too-big"),
    "deep": (beside(b"[" * 100_000), "rejected: broken-json"),
    "nested": (
        beside(b'{"imagePath":' + b"[" * 300 + b"]" * 300 + b"}"),
        "rejected: broken-json",
    ),
    "nested shape": (
        beside(
            record().replace(b'"label"', b'"y":' + b"[" * 99 + b"]" * 99 + b',"label"')
        ),
        "rejected: broken-json",
    ),
    "long number": (
        beside(record().replace(b"5.1.1", b'", "x": ' + b"1" * 9999 + b', "y": "')),
        "rejected: broken-json",
    ),
    "other json": (beside(b'{"images": []}'), "rejected: not-labelme"),
    "list": (beside(b"[1, 2]"), "rejected: not-labelme"),
    "nan": (beside(drawn([[math.nan, 1], [9, 9]])), LOST.format("bad-points")),
    "infinity": (beside(drawn([[math.inf, 1], [9, 9]])), LOST.format("bad-points")),
    "nan elsewhere": (beside(record(x=math.nan)), "used"),
    "huge": (beside(drawn([[10**400, 1], [9, 9]])), LOST.format("bad-points")),
    "far": (beside(drawn([[1e300, 1], [9, 9]])), LOST.format("bad-points")),
    "words": (beside(drawn("abc")), LOST.format("bad-points")),
    "no kind": (beside(drawn([[1, 1], [9, 9]], "blob")), LOST.format("unknown-shape")),
    "long label": (
        beside(drawn([[1, 1], [9, 9]], label="x" * 300_000)),
        LOST.format("bad-label"),
    ),
    "half label": (
        beside(drawn([[1, 1], [9, 9]], label="\ud800")),
        LOST.format("bad-label"),
    ),
    "half elsewhere": (beside(record(description="\ud800", x="\udcff")), "used"),
    "flags": (beside(record(flags=7)), "rejected: no-label"),
    "two flags": (
        beside(record(flags={"cat": True, "dog": True})),
        "rejected: several-labels",
    ),
    "size": (
        beside(record(imageWidth=9, imageHeight=10**300)),
        "rejected: size-mismatch",
    ),
    "up": (holding(record(imagePath="../../etc/passwd")), "rejected: outside-source"),
    "root": (holding(record(imagePath="/etc/passwd")), "rejected: outside-source"),
    "windows": (holding(record(imagePath="C:\\x.png")), "rejected: outside-source"),
    "nul": (holding(record(imagePath="a\0b.png")), "rejected: image-missing"),
    "long": (holding(record(imagePath="x" * 9999)), "rejected: image-missing"),
    "number": (holding(record(imagePath=7)), "rejected: image-missing"),
    "nothing": (holding(record(imagePath="")), "rejected: image-missing"),
    "itself": (holding(record(imagePath="itself.json")), "rejected: image-missing"),
    "folder": (holding(record(imagePath=".")), "rejected: image-missing"),
    "pipe": (holding(record(imagePath="pipe.png")), "rejected: not-a-file"),
    "inside": (holding(inside(encoded(image(61), "PNG"))), "used"),
    "bomb inside": (
        holding(inside(huge_png(60_000, 60_000))),
        "rejected: too-many-pixels",
    ),
    "notes inside": (holding(inside(b"notes")), "rejected: not-an-image"),
    "no base64": (
        holding(record(imageData="abc", imagePath="none.png")),
        "rejected: damaged",
    ),
    "number inside": (
        holding(record(imageData=7, imagePath="none.png")),
        "rejected: no-image",
    ),
    "mask": (masked, "used; rejected: bad-mask"),
}


@pytest.fixture
def records(tmp_path):
    """A labelme folder: eight good pages, and each of PAGES."""
    root = tmp_path / "deep" / "pages"
    root.mkdir(parents=True)
    for i in range(8):
        label = "cat" if i % 2 else "dog"
        (root / f"{i}.json").write_bytes(
            record(flags={label: True}, imagePath=f"{i}.png")
        )
        Image.fromarray(draw_image(i, i)).save(root / f"{i}.png")
    for name, (make, _) in PAGES.items():
        make(root / f"{name}.json")
    os.mkfifo(root / "pipe.png")
    return root


def test_annotations(records, tmp_path):
    manifest = prepare(records, tmp_path / "data", near=False, workers=0)
    found = outcomes(manifest)
    check_every_file(records, found)
    expected = {f"{i}.json": "used" for i in range(8)}
    expected |= {f"{name}.json": outcome for name, (_, outcome) in PAGES.items()}
    assert {f: said for f, said in found.items() if f.endswith(".json")} == expected
    # an image goes as its annotation does
    for name, outcome in found.items():
        if name.endswith(".png") and name != "pipe.png":
            assert outcome[:4] == found[name.replace(".png", ".json")][:4]
    for example in manifest.examples:
        assert read_example(records, example).dtype == np.uint8
    # what was kept of the odd ones is JSON by the book
    lines = (tmp_path / "data" / "annotations.jsonl").read_bytes().splitlines()
    assert len(lines) >= 8
    for line in lines:
        json.loads(line, parse_constant=pytest.fail)


def test_annotations_that_lead_out_where_that_is_allowed(records, tmp_path):
    image(62).save(tmp_path / "out.png")
    for i, named in enumerate(("../../out.png", str(tmp_path / "out.png"))):
        (records / f"out {i}.json").write_bytes(record(imagePath=named))
    options: dict[str, Any] = {"near": False, "workers": 0}
    manifest = prepare(records, tmp_path / "data", **options)
    found = outcomes(manifest)
    assert found["out 0.json"] == found["out 1.json"] == "rejected: outside-source"
    manifest = prepare(records, tmp_path / "more", allow_outside=True, **options)
    found = outcomes(manifest)
    assert found["../../out.png"] == "used"
    assert found["root.json"] == "rejected: not-an-image"
    assert found["windows.json"] == "rejected: outside-source"
