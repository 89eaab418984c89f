from __future__ import annotations

from html.parser import HTMLParser

import pytest

from tlkit.reports.html import add, clean, document, name, node, number


class Texts(HTMLParser):
    """What a browser would find: tags and the text between."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data


def test_elements_and_texts_keep_their_order():
    line = node("p", "a", node("b", "c"), "d", [None, ["e", node("i")], "f"])
    add(line, "g")
    assert document(line) == "<!doctype html>\n<p>a<b>c</b>de<i></i>fg</p>\n"


def test_attributes():
    one = node("input", class_="x", aria_label="y", open=True, hidden=False, id=None)
    assert one.attrib == {"class": "x", "aria-label": "y", "open": ""}


HOSTILE = "<script>alert(1)</script>\"'&amp; --> ]]> <img src=x onerror=y>"


def test_no_text_becomes_markup():
    page = Texts(document(node("p", HOSTILE, title=HOSTILE)))
    assert [tag for tag, _ in page.tags] == ["p"]
    assert page.tags[0][1] == {"title": HOSTILE}
    assert page.text.strip() == HOSTILE


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain é 漢字 עברית 🐝", "plain é 漢字 עברית 🐝"),
        ("a\nb\tc\r\x00\x7f\x85", "a\\nb\\tc\\r\\x00\\x7f\\x85"),
        ("photo\u202egnp.exe", "photo\\u202egnp.exe"),
        (
            "\u2066a\u2069\u200f\ufeff\u2028\u200b",
            "\\u2066a\\u2069\\u200f\\ufeff\\u2028\\u200b",
        ),
        (b"caf\xe9.jpg".decode("utf-8", "surrogateescape"), "caf\\xe9.jpg"),
        ("\ud800", "\\ud800"),
    ],
)
def test_what_would_not_be_seen_is_shown(text, shown):
    assert clean(text) == shown
    document(node("p", text, title=text)).encode("utf-8")


def test_long_texts_lose_their_middle():
    assert clean("a" * 1000) == "a" * 1000
    assert clean("a" * 600 + "b" * 600) == f"{'a' * 500} ... {'b' * 500}"
    assert name("x" * 200).text == f"{'x' * 80} ... {'x' * 80}"


def test_numbers():
    assert number(1, "image") == "1 image"
    assert number(1204, "image") == "1,204 images"
