"""A messy source and the page made of it."""

from __future__ import annotations

import os
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image

from tests.conftest import draw_image
from tlkit.dataset.manifest import Manifest
from tlkit.dataset.prepare import prepare

VOID = {"meta", "link", "img", "br", "hr", "input", "rect"}


class Tag:
    """An element of a page that was read back."""

    def __init__(self, tag: str, attributes: dict[str, str | None]) -> None:
        self.tag, self.attributes = tag, attributes
        self.children: list[Tag | str] = []

    def get(self, attribute: str) -> str:
        return self.attributes.get(attribute) or ""

    @property
    def text(self) -> str:
        """All text within, what stands in elements of its own with space around."""
        parts = [c if isinstance(c, str) else c.text for c in self.children]
        return " ".join(" ".join(parts).split())

    def all(self, *tags: str, where: str = "") -> list[Tag]:
        """The elements within, of these tags, of this class."""
        found = []
        for child in self.children:
            if isinstance(child, Tag):
                if child.tag in tags and (not where or where in child.get("class")):
                    found.append(child)
                found += child.all(*tags, where=where)
        return found

    def section(self, name: str) -> Tag:
        [found] = [tag for tag in self.all("section") if tag.get("id") == name]
        return found


class ImageRecord(HTMLParser):
    """HTML in, a tree of it out; strict about what is opened and closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.root = Tag("", {})
        self._open = [self.root]
        self.feed(html)
        assert self._open == [self.root]

    def handle_starttag(self, tag, attrs):
        assert len(dict(attrs)) == len(attrs)
        one = Tag(tag, dict(attrs))
        self._open[-1].children.append(one)
        if tag not in VOID:
            self._open.append(one)

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self._open.pop().tag == tag

    def handle_data(self, data):
        self._open[-1].children.append(data)


def read_page(manifest: Manifest) -> Tag:
    return ImageRecord(
        (manifest.directory / "report.html").read_text(encoding="utf-8")
    ).root


SCRIPT = "<script>alert('x')<\u2215script>&amp;\"'"


def make_mess(root: Path) -> None:
    """Two classes with names like markup, and about one of every fault."""
    for kind, label in enumerate((SCRIPT, "b\u202egnp & co")):
        folder = root / label
        folder.mkdir(parents=True)
        for i in range(20):
            image = Image.fromarray(draw_image(kind, i, 128))
            image.save(folder / f"{i} <b>'{kind}'.png")
    first = root / SCRIPT
    Image.new("RGB", (128, 128), (4, 4, 4)).save(first / "night.png")
    Image.fromarray(draw_image(0, 50, 128)).resize((700, 128)).save(first / "long.png")
    shutil.copy(first / "3 <b>'0'.png", first / "twin\nof 3.png")
    shutil.copy(first / "5 <b>'0'.png", root / "b\u202egnp & co" / "conflict.png")
    (first / "notes.jpg").write_text("notes")
    (first / "empty.jpg").touch()
    (first / os.fsdecode(b"caf\xe9 <i>.jpg")).write_text("notes")


@pytest.fixture(scope="session")
def mess(tmp_path_factory):
    root = tmp_path_factory.mktemp("mess")
    make_mess(root / "photos")
    return prepare(root / "photos", root / "data", workers=0, near=False)
