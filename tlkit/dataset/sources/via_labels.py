"""Attributes of VIA's regions and files in, the one that is the label out.

An attribute is free text, one option (radio, dropdown) or several (checkbox); of an
option its key is the value, whatever _via_attributes describes it as.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from tlkit.dataset.sources.page import in_natural_order
from tlkit.dataset.sources.via_entries import Entry
from tlkit.errors import DatasetError, unknown_name

# So many values of an attribute are shown, and so much of each.
EXAMPLES = 3
LONGEST = 30


def told(value: Any) -> tuple[str, ...]:
    """What an attribute says.

    Args:
        value: What stands in the JSON.

    Returns:
        Its text, or the options that are chosen; nothing where it is empty.
    """
    if isinstance(value, Mapping):
        return tuple(key.strip() for key, chosen in value.items() if chosen is True)
    if value is None or isinstance(value, str):
        text = (value or "").strip()
        return (text,) if text else ()
    return (json.dumps(value),)


def choose(entries: Iterable[Entry], asked: str | None) -> str:
    """Find the attribute that is the label.

    Args:
        entries: All of them.
        asked: Its name, where the user gave one.

    Returns:
        Its name: the only one with values, or one with which all others agree wherever
        any has a value; "" where none has.

    Raises:
        DatasetError: There are several.
        UsageError: There is none of the name that was asked for.
    """
    said = [
        {name: values for name, value in each.items() if (values := told(value))}
        for entry in entries
        for each in (entry.attributes, *(r.attributes for r in entry.regions))
    ]
    examples: dict[str, dict[str, None]] = defaultdict(dict)
    for attributes in said:
        for name, texts in attributes.items():
            if len(examples[name]) < EXAMPLES:
                examples[name][" + ".join(texts)[:LONGEST]] = None
    known = in_natural_order(examples)
    if asked is not None:
        if asked not in examples:
            error = unknown_name("attribute", asked, known)
            raise error
        return asked
    if not known:
        return ""
    for name in known:
        if all(_agree(attributes, name) for attributes in said):
            return name
    lines = [f"  {name}: {', '.join(map(repr, examples[name]))}, ..." for name in known]
    raise DatasetError(
        "\n".join(["Several attributes have values, and they differ:", *lines]),
        hint=f"Say which one is the label, as in --attribute {known[0]!r}.",
    )


def _agree(values: Mapping[str, tuple[str, ...]], name: str) -> bool:
    return not values or (name in values and set(values.values()) == {values[name]})
