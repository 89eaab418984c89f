"""What is advised where there are fewer than two classes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from PIL import Image

import tlkit
from tlkit.errors import DatasetError


def save_via(root, draw, **attributes):
    shape = {"name": "rect", "x": 2, "y": 3, "width": 20, "height": 30}
    entries = {}
    for i in range(4):
        Image.fromarray(draw(i % 2, i)).save(root / f"{i}.png")
        region = {"shape_attributes": shape, "region_attributes": attributes}
        entries[str(i)] = {"filename": f"{i}.png", "regions": [region]}
    (root / "via.json").write_text(json.dumps(entries))


def hint(root, **options):
    with pytest.raises(DatasetError, match="rejected as several-labels") as caught:
        tlkit.prepare(root, root.parent / "data", near=False, workers=0, **options)
    return caught.value.hint


@pytest.mark.parametrize(
    "options", [{"label_by": "shapes"}, {"label_by": "image"}, {"multi_label": True}]
)
def test_shapes_with_two_ticks(tmp_path, draw, options):
    root = tmp_path / "photos"
    root.mkdir()
    save_via(root, draw, quality={"good": True, "sharp": True})
    assert hint(root, **options) == (
        "Each shape has one label: leave one, or name another attribute (--attribute)."
    )


@pytest.mark.parametrize("drawn", [True, False])
def test_images_with_several_labels(tmp_path, draw, drawn):
    root = tmp_path / "photos"
    root.mkdir()
    for i in range(4):
        Image.fromarray(draw(i % 2, i)).save(root / f"{i}.png")
        points = [[1, 2], [30, 40]]
        shape = {"label": "c", "points": points, "shape_type": "rectangle"}
        record: dict[str, Any] = {
            "imagePath": f"{i}.png",
            "flags": {"a": True, "b": True},
        }
        record["shapes"] = [shape] * drawn
        (root / f"{i}.json").write_text(json.dumps(record))
    crops = ", --label-by shapes makes a crop of each shape" if drawn else ""
    expected = f"Images have several labels: --multi-label keeps them{crops}."
    assert hint(root, label_by="image") == expected
