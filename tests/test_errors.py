import pytest

from tlkit.errors import ConfigError, TlkitError, UsageError, unknown_name


def test_message_and_hint_are_shown_together():
    error = TlkitError("It broke.", hint="Mend it.")
    assert str(error) == "It broke.\nMend it."
    assert str(TlkitError("It broke.")) == "It broke."


def test_exit_codes():
    assert TlkitError.exit_code == 1
    assert UsageError.exit_code == ConfigError.exit_code == 2


@pytest.mark.parametrize(
    ("name", "known", "hint"),
    [
        ("resnet5", ["ResNet50", "VGG16"], "ResNet50"),
        ("zzz", ["a", "b"], "Known: a, b."),
        ("zzz", [f"n{i:02d}" for i in range(30)], "30 are known"),
    ],
)
def test_an_unknown_name_comes_with_what_could_be_meant(name, known, hint):
    assert hint in unknown_name("thing", name, known).hint
