from __future__ import annotations

from PIL import Image, ImageOps

from tlkit.dataset.annotations.orient import orient_record
from tlkit.dataset.formats import table
from tlkit.dataset.records import ImageInfo, ImageRecord
from tlkit.dataset.sources.open import ReaderOptions, open_source


def images(root, *names: str, size=(40, 20)):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", size, (len(name), 9, 9)).save(root / name)
    return root


def write(root, text: str, name: str = "labels.csv", encoding: str = "utf-8"):
    (root / name).write_bytes(text.encode(encoding))
    return root


def parsed(place, **reading):
    return table.read(open_source(place, options=ReaderOptions(**reading), workers=0))


def labels(found) -> dict[str, tuple[str, ...]]:
    return {record.path: record.labels for record in found.records}


def reasons(found) -> list[tuple[str, str]]:
    return [(one.file, one.reason) for one in found.rejected]


def drawn(record: ImageRecord) -> list[tuple[str, tuple[float, ...]]]:
    return [(t.label, tuple(round(v, 6) for v in t.bounds)) for t in record.objects]


def in_pixels(root, record: ImageRecord) -> ImageRecord:
    """Orient a record as prepare does once it has inspected the image."""
    with Image.open(root / record.path) as image:
        size = ImageOps.exif_transpose(image).size
    oriented = orient_record(record, ImageInfo(record.path, "", "", *size, "JPEG"))
    assert isinstance(oriented, ImageRecord)
    return oriented
