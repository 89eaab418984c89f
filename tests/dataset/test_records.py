from __future__ import annotations

from tlkit.dataset.records import in_natural_order, is_label


def test_natural_order_is_total():
    labels = ["10", "9", "a10", "a9", "01", "1", "B", "b", "é"]
    ordered = in_natural_order(labels)
    assert ordered == in_natural_order(reversed(labels))
    assert ordered.index("9") < ordered.index("10")
    assert ordered.index("a9") < ordered.index("a10")
    assert abs(ordered.index("01") - ordered.index("1")) == 1


def test_labels():
    assert is_label("steam train é")
    assert is_label("写" * 255)
    assert not any(map(is_label, ["", "  ", "a\nb", "a\tb", "a\x7f", "\ud800"]))
    assert not is_label("a" * 256)
