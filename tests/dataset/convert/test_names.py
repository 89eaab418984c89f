from __future__ import annotations

import pytest

from tlkit.dataset.convert.names import flat, unique_names
from tlkit.dataset.records import ImageInfo


def info(path: str, format: str = "JPEG") -> ImageInfo:
    return ImageInfo(path, "s", "p", 64, 48, format)


def names(*paths: str, format: str = "JPEG") -> list[str]:
    return unique_names([info(path, format) for path in paths])


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        ([], []),
        (["a.jpg"], ["a.jpg"]),
        (["x/y/a.jpg", "x/y/b.jpg"], ["a.jpg", "b.jpg"]),
        (["x/y/a.jpg", "x/z/a.jpg"], ["y/a.jpg", "z/a.jpg"]),
        (["xy/a.jpg", "xz/a.jpg"], ["xy/a.jpg", "xz/a.jpg"]),
        (["a.jpg", "x/a.jpg"], ["a.jpg", "x/a.jpg"]),
        # An annotation has the name of its image but for the suffix.
        (["a.jpg", "a.png", "A.JPG"], ["a.jpg", "a_2.png", "A_3.JPG"]),
        (["a.jpg", "a.png", "a_2.jpg"], ["a.jpg", "a_2.png", "a_2_2.jpg"]),
        (["a_2.jpg", "a.jpg", "a.png"], ["a_2.jpg", "a.jpg", "a_3.png"]),
        # From elsewhere.
        (["/home/ann/a.jpg", "../b.jpg", "C:/c.jpg"], ["a.jpg", "b.jpg", "c.jpg"]),
        (["a\nb\\c.jpg", "-d e.jpg"], ["a_b_c.jpg", "-d e.jpg"]),
        # Images inside of a JSON, and such as do not look like images.
        (["a.json", "lost.csv", "c"], ["a.jpg", "lost.csv.jpg", "c.jpg"]),
        ([f"{'é' * 125}.jpeg"], [f"{'é' * 100}.jpeg"]),
    ],
)
def test_names(paths, expected):
    assert names(*paths) == expected


def test_suffixes():
    assert names("a.json", format="PNG") == ["a.png"]
    assert names("a.dat", format="TIFF") == ["a.dat.tif"]
    assert names("a.bmp", format="PNG") == ["a.bmp"]  # as the user has it


def test_flat_names():
    assert flat("a.b.png") == "a.b.png"
    assert flat("images/a/b.png") == "images+a+b.png"
    names = ["a/b.png", "a+b.png", "a+/b.png", "a/+b.png", f"{'é' * 120}.png"]
    names.append(f"{'é' * 120}x.png")
    made = [flat(name) for name in names]
    assert len(set(made)) == len(names)
    assert all("/" not in name and len(name.encode()) < 230 for name in made)
