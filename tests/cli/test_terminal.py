import pytest

from tlkit.cli.terminal import Interrupted, Terminal, harmless


def test_an_interrupt_becomes_exit_code_130():
    with pytest.raises(Interrupted) as caught, Terminal():
        raise KeyboardInterrupt
    assert caught.value.exit_code == 130


def test_names_are_harmless_on_a_terminal():
    assert harmless("\x1b[31mred\u202e\ttab\nline\x00é") == (
        r"\x1b[31mred\u202e" + "\ttab\nline" + r"\x00é"
    )
