from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from tlkit.schema import to_dataclass, to_plain


@dataclass(frozen=True)
class Settings:
    steps: int = field(default=1, metadata={"bounds": (1, 9)})
    rate: float | None = None
    kind: str = field(default="a", metadata={"choices": ("a", "b")})
    sizes: tuple[int, ...] = ()
    layers: str | tuple[Mapping[str, Any], ...] = ""
    quick: bool = False


def read(**given):
    faults: list[str] = []
    return to_dataclass(Settings, given, "settings", faults), faults


def test_values_are_taken_in_the_types_of_the_fields():
    found, faults = read(
        rate="1e-4", sizes=[1, 2], layers=[{"Flip": {"p": 0.5}}], quick=True
    )
    assert not faults
    assert found == Settings(1, 1e-4, "a", (1, 2), ({"Flip": {"p": 0.5}},), True)
    assert to_plain(found)["layers"] == [{"Flip": {"p": 0.5}}]


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ({"step": 1}, "settings: Unknown option 'step'. Did you mean steps or rate?"),
        ({"steps": 0}, "settings.steps: expected 1 to 9, got 0"),
        ({"steps": 2.5}, "settings.steps: expected a whole number, got 2.5"),
        ({"steps": None}, "settings.steps: expected a whole number, got None"),
        ({"rate": "fast"}, "settings.rate: expected a number or null, got 'fast'"),
        ({"rate": True}, "settings.rate: expected a number or null, got True"),
        ({"kind": "c"}, "settings.kind: expected a | b, got 'c'"),
        ({"quick": 1}, "settings.quick: expected true or false, got 1"),
    ],
)
def test_a_fault_names_the_field_and_what_it_allows(given, fault):
    found, faults = read(**given)
    assert found == Settings()
    assert faults == [fault]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"sizes": ["x"]}, "a list, each item a whole number"),
        ({"sizes": [True]}, "a list, each item a whole number"),
        ({"layers": [3]}, "a text or a list, each item a mapping"),
        ({"layers": {"Flip": {}}}, "a text or a list, each item a mapping"),
    ],
)
def test_the_items_of_a_list_have_the_type_of_the_field(given, expected):
    (name, value), (_, faults) = next(iter(given.items())), read(**given)
    assert faults == [f"settings.{name}: expected {expected}, got {value!r}"]


def test_a_section_is_a_mapping():
    faults: list[str] = []
    assert to_dataclass(Settings, [1], "settings", faults) == Settings()
    assert faults == ["settings: expected options below it, got [1]"]
