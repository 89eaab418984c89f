"""What a user is told of the cost of features."""

from types import SimpleNamespace

from tlkit.features.extraction_cost import ExtractionCost

ENGINE = SimpleNamespace(name="keras", compute="float32")


def test_nothing_computed_has_no_rates():
    cost = ExtractionCost(cached=1200)
    assert cost.notes(ENGINE) == ["Took 1,200 views from the cache"]
    assert "images_per_s" not in cost.account()
    assert ExtractionCost(views=3, seconds=0.1).notes(None) == []


def test_rates_are_those_of_the_whole():
    cost = ExtractionCost(
        images=10, views=40, seconds=2.0, decode=0.126, operations=8 * 10**9
    )
    assert cost.account() == {
        "cached": 0, "images": 10, "views": 40, "seconds": 2.0, "decode": 0.13,
        "augment": 0.0, "prefix": 0.0, "images_per_s": 20.0, "gflops": 4.0,
    }  # fmt: skip
    computed, seconds = cost.notes(ENGINE)
    assert "40 views of 10 images in 2.0 s: 20 a second by keras" in computed
    assert computed.endswith("in float32, 4 GFLOP/s")
    assert seconds == "Processor seconds: decode 0.1, augment 0.0, prefix 0.0"
