import pytest

from tlkit.errors import ConfigError, TlkitError, UsageError, unknown_name


def test_message_and_hint_are_shown_together():
    error = TlkitError("It broke.", hint="Fix it.")
    assert str(error) == "It broke.\nFix it."
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
def test_an_unknown_name_comes_with_similar_names(name, known, hint):
    assert hint in unknown_name("widget", name, known).hint


def test_a_long_list_is_left_to_its_command():
    def hint(name, number):
        known = [f"n{i:02d}" for i in range(number)]
        return unknown_name("widget", name, known, listed_by="tlkit widgets").hint

    assert hint("zzz", 21) == "List them with: tlkit widgets"
    assert hint("n20x", 21).startswith("Did you mean n20 or ")
    assert hint("zzz", 2) == "Known: n00, n01."


def test_faults_are_counted_in_plain_words():
    one = ConfigError("the options", ["lr: too high"])
    assert one.message == "1 fault in the options:\n  - lr: too high"
    assert ConfigError("x.yaml", ["a", "b"]).message.startswith("2 faults in x.yaml:\n")
