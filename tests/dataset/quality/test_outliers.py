from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageFilter

from tlkit.dataset.example import Example
from tlkit.dataset.inspection.image_info import measure, shrink
from tlkit.dataset.quality.outliers import find_outliers, size_of
from tlkit.dataset.records import ImageInfo
from tlkit.imaging.decode import decode


def images(number: int, **numbers: Any) -> list[ImageInfo]:
    """Ordinary ones, brightness 100 to 148, sharpness 0.8 to 1.25."""
    ordinary: dict[str, Any] = {"width": 400, "height": 300, "format": "JPEG"}
    rng = np.random.default_rng(0)
    return [
        ImageInfo(
            path=f"a/{i}.jpg",
            sha256=f"{i:064x}",
            pixel_sha256="",
            brightness=float(rng.uniform(100, 148)),
            sharpness=float(np.exp(rng.uniform(-0.22, 0.22))),
            **ordinary | numbers,
        )
        for i in range(number)
    ]


def example(fact: ImageInfo, box: tuple[int, int, int, int] | None = None) -> Example:
    size = fact.width, fact.height
    return Example(fact.path, fact.path, "", *size, ("a",), "train", "", box)


def found(info: list[ImageInfo]) -> dict[str, list[str]]:
    findings = find_outliers([example(fact) for fact in info], info)
    assert all(finding.kind in {"small"} or finding.outliers for finding in findings)
    return {f.kind: [one.path for one in f.outliers] for f in findings}


def test_an_ordinary_set():
    assert found(images(40)) == {}
    assert find_outliers([], images(3)) == []


@pytest.mark.parametrize(
    ("kind", "numbers"),
    [
        ("dark", {"brightness": 20.0}),
        ("bright", {"brightness": 250.0}),
        ("flat", {"contrast": 3.0}),
        ("blurred", {"sharpness": 0.3}),
        ("tiny", {"width": 63}),
        ("tiny", {"width": 1, "height": 1}),
        ("narrow", {"width": 1300}),
        ("narrow", {"height": 2000}),
    ],
)
def test_one_odd_image(kind, numbers):
    info = images(40)
    info[7] = replace(info[7], **numbers)
    assert found(info)[kind] == ["a/7.jpg"]
    # what is not used does not count
    rest = [example(fact) for fact in info if fact.path != "a/7.jpg"]
    assert find_outliers(rest, info) == []


@pytest.mark.parametrize(
    "numbers",
    [{"contrast": 3.0}, {"sharpness": 0.2}, {"brightness": 20.0}],
)
def test_a_set_of_such_images_has_no_odd_ones(numbers):
    assert found([replace(fact, **numbers) for fact in images(40)]) == {}


def test_a_black_image_is_dark_and_not_flat_too():
    info = images(40)
    info[0] = replace(info[0], brightness=2.0, contrast=1.0)
    info[1] = replace(info[1], contrast=1.0)
    assert found(info) == {"dark": ["a/0.jpg"], "flat": ["a/1.jpg"]}


def test_just_inside_the_limits():
    info = images(40, contrast=24.0)
    info[0] = replace(info[0], brightness=40.0)
    info[1] = replace(info[1], brightness=215.0)
    info[2] = replace(info[2], contrast=8.0)
    info[3] = replace(info[3], width=64, height=64)
    info[4] = replace(info[4], width=1200)
    # exp(-3.5 x 0.15) = 0.59: the spread of so uniform a set is taken to be 0.15
    info = [replace(fact, sharpness=1.0) for fact in info]
    info[5] = replace(info[5], sharpness=0.6)
    assert found(info) == {}
    info[5] = replace(info[5], sharpness=0.58)
    assert found(info) == {"blurred": ["a/5.jpg"]}


def test_small_images_are_not_judged_for_blur():
    info = images(40)
    info[0] = replace(info[0], sharpness=0.1, height=127)
    info[1] = replace(info[1], sharpness=0.1, contrast=7.9, height=300)
    assert "blurred" not in found(info)


def test_a_set_of_small_images_is_told_once():
    info = images(40, width=28, height=28)
    info[3] = replace(info[3], width=1, height=1)
    findings = find_outliers([example(fact) for fact in info], info)
    assert [finding.kind for finding in findings] == ["small", "tiny"]
    assert findings[0].text.startswith("Half of the images are at most 28 pixels")
    assert [(one.path, one.detail) for one in findings[1].outliers] == [
        ("a/3.jpg", "1 x 1 pixels")
    ]


def test_sizes_are_those_of_the_crops():
    info = images(10)
    crops = [example(fact, (10, 10, 210, 160)) for fact in info]
    crops[4] = replace(crops[4], box=(0, 0, 200, 20))
    assert size_of(crops[4]) == (200, 20)
    findings = find_outliers(crops, info)
    assert [(f.kind, f.outliers[0].box) for f in findings] == [
        ("tiny", (0, 0, 200, 20)),
        ("narrow", (0, 0, 200, 20)),
    ]


def test_the_worst_come_first_and_the_text_names_three():
    info = images(40)
    for i, light in enumerate((30.0, 5.0, 20.0, 10.0)):
        info[i] = replace(info[i], brightness=light)
    [dark] = find_outliers([example(fact) for fact in info], info)
    assert [one.path for one in dark.outliers] == [f"a/{i}.jpg" for i in (1, 3, 2, 0)]
    assert dark.outliers[0].detail == "mean gray level 5 of 255"
    assert dark.text == (
        "4 images are very dark, such as a/0.jpg, a/1.jpg, a/2.jpg. Check them."
    )


def test_blurred_photos_are_told_among_real_ones(shared_data):
    info = []
    for path in sorted((shared_data / "hymenoptera/val").rglob("*.jpg")):
        pixels = decode(path.read_bytes()).pixels
        info.append(judged(path.name, pixels))
    assert len(info) == 153
    assert "blurred" not in found(info)
    for i in range(5, 153, 30):
        path = next((shared_data / "hymenoptera/val").rglob(info[i].path))
        image = Image.open(path).convert("RGB")
        radius = 5 * max(image.size) / 500
        soft = np.array(image.filter(ImageFilter.GaussianBlur(radius)))
        changed = [*info[:i], judged(path.name, soft), *info[i + 1 :]]
        assert found(changed)["blurred"] == [path.name]


def judged(path: str, pixels: np.ndarray) -> ImageInfo:
    small = shrink(pixels)
    height, width = pixels.shape[:2]
    sha256 = hashlib.sha256(path.encode()).hexdigest()
    return ImageInfo(
        *(path, sha256, "", width, height, "JPEG"),
        **measure(small),
    )
