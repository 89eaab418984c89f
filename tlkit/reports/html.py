"""Self-contained HTML pages from jinja2 templates: no script, no request.

File names and labels are anybody's: jinja2 escapes markup, `clean` shows characters
that would be invisible or would reorder the text around them.
"""

from __future__ import annotations

import bisect
import functools
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import jinja2

T = TypeVar("T")

# Control characters, line separators, marks that change the direction of writing, and
# lone surrogates; among these are the bytes of names that are not UTF-8.
INVISIBLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\uffff"
    "\ud800-\udfff]"
)
LONGEST, LONGEST_NAME = 1000, 160
TEMPLATES = Path(__file__).parent


def clean(text: str) -> str:
    """Escape invisible characters, and cut out the middle of a long text."""
    return INVISIBLE.sub(_escape, shorten(text, LONGEST))


def shorten(text: str, longest: int = LONGEST_NAME) -> str:
    """Cut out the middle of a long text."""
    half = longest // 2
    return text if len(text) <= longest else f"{text[:half]} ... {text[-half:]}"


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    if 0xDC80 <= code <= 0xDCFF:  # how Python holds a byte that is not UTF-8
        return f"\\x{code - 0xDC00:02x}"
    return match[0].encode("unicode_escape", "surrogatepass").decode()


def number(count: int, noun: str) -> str:
    """Format a count with its noun.

    Args:
        count: At least 0.
        noun: Its singular.

    Returns:
        As in "1 image" or "1,204 images".
    """
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def spread(items: Sequence[T], number: int) -> list[T]:
    """Choose items evenly, so that few are neighbors, such as frames of one clip.

    Args:
        items: Items to choose from.
        number: At most so many.

    Returns:
        Some of them, in their order.
    """
    number = min(number, len(items))
    return [items[i * len(items) // number] for i in range(number)]


def histogram(
    values: Iterable[float], edges: Sequence[float], names: Sequence[str]
) -> list[tuple[str, int]]:
    """Count values by bins.

    Args:
        values: Values to count.
        edges: Ascending; a value equal to one is in the bin above it.
        names: Names of the bins, one more than edges.

    Returns:
        Names and counts, without empty bins at the ends.
    """
    counts = Counter(bisect.bisect_right(edges, value) for value in values)
    taken = sorted(counts)
    within = range(taken[0], taken[-1] + 1) if taken else range(0)
    return [(names[i], counts[i]) for i in within]


def render(template: Path, context: Mapping[str, Any]) -> str:
    """Render a page.

    Args:
        template: A file that extends page.html.j2.
        context: Its variables.

    Returns:
        HTML.
    """
    return _environment(template.parent).get_template(template.name).render(context)


@functools.cache
def _environment(folder: Path) -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([folder, TEMPLATES]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        # Markup is a str, too, but a template's own.
        finalize=lambda value: clean(value) if type(value) is str else value,
    )
    environment.filters.update(shorten=shorten, number=number)
    style = (TEMPLATES / "style.css").read_text(encoding="utf-8")
    environment.globals["style"] = style
    return environment
