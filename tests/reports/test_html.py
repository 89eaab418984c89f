from __future__ import annotations

from html.parser import HTMLParser

import pytest

from tlkit.reports.html import clean, histogram, number, render, shorten, spread


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


HOSTILE = "<script>alert(1)</script>\"'&amp; --> ]]> <img src=x onerror=y> {{ 7 }}"


@pytest.fixture
def show(tmp_path):
    """Renders one line of a template with a text."""

    def shown(line: str, text: str) -> str:
        (tmp_path / "line.html.j2").write_text(line)
        return render(tmp_path / "line.html.j2", {"text": text})

    return shown


def test_no_text_becomes_markup(show):
    page = Texts(show('<p title="{{ text }}">{{ text }}</p>', HOSTILE))
    assert page.tags == [("p", {"title": HOSTILE})]
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
def test_invisible_characters_are_shown(show, text, shown):
    assert clean(text) == shown
    page = Texts(show('<p title="{{ text }}">{{ text }}</p>', text))
    assert page.tags == [("p", {"title": shown})]
    assert page.text == shown


def test_long_texts_lose_their_middle(show):
    assert clean("a" * 1000) == "a" * 1000
    assert clean("a" * 600 + "b" * 600) == f"{'a' * 500} ... {'b' * 500}"
    assert shorten("x" * 200) == f"{'x' * 80} ... {'x' * 80}"
    line = '{% from "parts.html.j2" import name %}{{ name(text) }}'
    assert Texts(show(line, "x" * 200)).text == f"{'x' * 80} ... {'x' * 80}"


def test_a_missing_value_is_an_error(show):
    with pytest.raises(Exception, match="'missing' is undefined"):
        show("{{ missing }}", "")


def test_numbers():
    assert number(1, "image") == "1 image"
    assert number(1204, "image") == "1,204 images"


def test_items_are_chosen_evenly():
    assert spread(range(10), 4) == [0, 2, 5, 7]
    assert spread("ab", 4) == ["a", "b"]


def test_a_value_on_an_edge_counts_above_it():
    bins = histogram([1, 2, 2, 5], [2, 3, 4, 9], ["<2", "2", "3", "4-8", "9+"])
    assert bins == [("<2", 1), ("2", 2), ("3", 0), ("4-8", 1)]
    assert histogram([], [2], ["a", "b"]) == []
