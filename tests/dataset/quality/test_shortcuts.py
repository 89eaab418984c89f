from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tlkit.dataset.quality.shortcuts import find_shortcuts
from tlkit.dataset.records import ImageInfo


class Set:
    """Labeled images, as many as one likes."""

    def __init__(self) -> None:
        self.info: list[ImageInfo] = []
        self.labels: dict[str, list[str]] = {}

    def add(self, number: int, *labels: str, **told: Any) -> Set:
        for _ in range(number):
            i = len(self.info)
            # sizes without a second of their kind, edges of any color
            size = {"width": 300 + i * (-1) ** i, "height": 300, "format": "JPEG"}
            shade = i * 67 % 256
            usual: dict[str, Any] = size | {"border": (shade, shade, shade)}
            path = f"{i}.jpg"
            self.info.append(ImageInfo(path, "", "", **usual | told))
            self.labels[path] = list(labels)
        return self

    def told(self) -> dict[str, str]:
        findings = find_shortcuts(self.labels, self.info)
        assert all(not finding.outliers for finding in findings)
        assert [f.kind for f in findings if f.urgent] == ["shortcut"] * sum(
            finding.urgent for finding in findings
        )
        return {finding.text.split(":")[-1]: finding.text for finding in findings}


def only(texts: Iterable[str]) -> str:
    [text] = texts
    return text


def test_nothing_tells():
    assert Set().add(20, "a").add(20, "b").told() == {}
    assert Set().add(20, "a", camera="X").told() == {}
    assert find_shortcuts({}, []) == []


def test_one_camera_a_class():
    text = only(
        Set().add(40, "bees", camera="Canon EOS 5D").add(60, "ants").told().values()
    )
    assert text == (
        "All 60 images of 'ants' name no camera, and no others; all 40 images of "
        "'bees' come from Canon EOS 5D, and no others: the camera predicts "
        "the class, and a network may learn that instead of the content."
    )


def test_several_cameras_and_some_exceptions():
    one = Set().add(20, "a", camera="X").add(19, "a", camera="Y").add(1, "a")
    one.add(2, "b", camera="X").add(58, "b", camera="Z")
    # LOO: of a, 39 are found and 1 missed, 2 of b taken for a. 41 named, 39 rightly.
    text = only(one.told().values())
    assert text.startswith(
        "39 of 40 images of 'a' come from X or Y, and 2 others; 58 of 60 images of "
        "'b' come from Z, and no others: the camera"
    )
    # 10 of 40 missed are more than a tenth, as are 10 of 70 named "b"
    two = Set().add(30, "a", camera="X").add(10, "a", camera="Z")
    assert two.add(60, "b", camera="Z").told() == {}


def test_a_rare_class_must_be_found_and_not_just_the_common_one():
    common = Set().add(95, "a", camera="X").add(5, "b", camera="X")
    assert common.told() == {}
    rare = Set().add(95, "a", camera="X").add(5, "b", camera="Y")
    assert "all 5 images of 'b' come from Y" in only(rare.told().values())
    few = Set().add(95, "a", camera="X").add(4, "b", camera="Y")
    assert few.told() == {}


def test_one_class_of_many():
    many = Set()
    for label in "abcdefgh":
        many.add(10, label, camera="Y" if label == "c" else "X")
    text = only(many.told().values())
    assert text.startswith("All 10 images of 'c' come from Y, and no others: the cam")
    each = Set()
    for label in "abcdefgh":
        each.add(10, label, camera=f"camera of {label}")
    assert "; 5 more classes are predictable in this way: the" in only(
        each.told().values()
    )


def test_size_format_and_way():
    one = Set().add(20, "a", width=640, height=480).add(20, "b", width=480, height=640)
    texts = list(one.told().values())
    assert len(texts) == 2
    assert "All 20 images of 'a' are 640 x 480 pixels, and no others" in texts[0]
    assert "All 20 images of 'a' are wider than high, and no others" in texts[1]
    two = Set().add(20, "a", format="PNG").add(20, "b")
    assert "'b' are JPEG files, and no others: the file format" in only(
        two.told().values()
    )
    many = Set().add(20, "b", width=500, height=500)
    for i in range(5):
        many.add(4, "a", width=1000 + i, height=1000)
    assert (
        "All 20 images of 'a' have one of 5 sizes, such as 1000 x 1000 pixels, and "
        "no others" in " ".join(many.told().values())
    )


def test_sizes_that_occur_once_tell_nothing():
    # each image of b has a size of its own: by the others, none of it is found
    one = Set().add(60, "a", width=640, height=480)
    for i in range(60):
        one.add(1, "b", width=700 + i, height=500)
    assert "the size of the image" not in " ".join(one.told().values())


def test_the_color_of_the_edge():
    one = Set().add(20, "a", border=(250, 250, 250)).add(20, "b", border=(10, 60, 10))
    text = only(one.told().values())
    assert text.startswith("The color at the edge of the images predicts")
    assert "predicts 'a', 'b':" in text
    same = Set().add(20, "a", border=(9, 9, 9)).add(20, "b", border=(9, 9, 9))
    assert same.told() == {}


def test_images_of_several_classes_are_left_aside():
    one = Set().add(20, "a", camera="X").add(20, "b").add(100, "a", "b", camera="Z")
    assert "All 20 images of 'a' come from X" in only(one.told().values())
    assert Set().add(20, "a", "b", camera="X").add(20, "b", "c").told() == {}


def test_real_photos_have_no_shortcut(shared_data):
    from tlkit.dataset.inspection.image_info import Inspected, inspect_image

    root = shared_data / "hymenoptera/val"
    read = [
        inspect_image(root, f"{p.parent.name}/{p.name}") for p in root.rglob("*.jpg")
    ]
    known = [one.info for one in read if isinstance(one, Inspected)]
    assert len(known) == 153
    assert find_shortcuts({f.path: [f.path.split("/")[0]] for f in known}, known) == []
