import dataclasses

from tlkit.config import SECTIONS


def test_option_names_are_unique_over_the_sections():
    names = [f.name for kind in SECTIONS.values() for f in dataclasses.fields(kind)]
    assert len(names) == len(set(names)) > 20
