"""Shortcuts: properties of images other than their content that predict the class.

If one class was taken with one camera and the others with another, a network learns the
camera (shortcut learning, Geirhos et al. 2020). Each image's class is predicted from a
property of it, by the other images:

    camera, size, file format, orientation   the commonest class of that value
    color of the edge                        the class with the nearest mean

A class is predictable if 90 % of its images are found and 90 % of the predictions are
correct, at most half as many are incorrect as without the property, and the class and
all others have 5 images or more each: 5 and 5 found by chance are 1 in 126. The edge is
a remark only: the content of an image may well color it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tlkit.dataset.records import Finding, ImageInfo, in_natural_order

SHARE = 0.9
LEAST = 5
# So many classes are spelled out, so many values of a property.
SPELLED, VALUES = 3, 3
# Images whose colors are compared with those of all classes at once.
AT_ONCE = 1024
TIE = 1e-6

# Number of images by true and by predicted class.
Predictions = Counter[tuple[str, str]]


@dataclass(frozen=True)
class Property:
    """A property of images other than their content, and the words for it.

    `having` is for images with one value, {}; `several` for many values, {0} of them,
    {1} among them; `lacking` for images without a value.
    """

    name: str
    of: Callable[[ImageInfo], str]
    having: str
    several: str = ""
    lacking: str = ""

    def describe(self, values: Sequence[str]) -> str:
        """Return a phrase about images with these values."""
        named = [value for value in values if value]
        if len(named) > VALUES and self.several:
            parts = [self.several.format(len(named), named[0])]
        else:
            parts = [self.having.format(" or ".join(named))] if named else []
        if len(named) < len(values):
            parts.append(self.lacking)
        return " or ".join(parts)


def _orientation(info: ImageInfo) -> str:
    if info.width == info.height:
        return "square"
    return "wider than high" if info.width > info.height else "higher than wide"


PROPERTIES = (
    Property(
        "the camera",
        lambda info: info.camera,
        "come from {}",
        "come from one of {0} cameras, such as {1}",
        "name no camera",
    ),
    Property(
        "the size of the image",
        lambda info: f"{info.width} x {info.height}",
        "are {} pixels",
        "have one of {0} sizes, such as {1} pixels",
    ),
    Property("the file format", lambda info: info.format, "are {} files"),
    Property("the way the image is held", _orientation, "are {}"),
)


def find_shortcuts(
    labels: Mapping[str, Iterable[str]], info: Iterable[ImageInfo]
) -> list[Finding]:
    """Find properties that predict the class."""
    single = {path: tuple(own) for path, own in labels.items()}
    pairs = [
        (each, single[each.path][0])
        for each in info
        if len(single.get(each.path, ())) == 1
    ]
    sizes = Counter(label for _, label in pairs)
    if len(sizes) < 2:
        return []
    names = [label for _, label in pairs]
    findings = []
    for one in PROPERTIES:
        table = _table([one.of(each) for each, _ in pairs], names)
        if found := _predictable(_by_value(table, sizes), sizes):
            text = _sentence(one, table, sizes, found)
            findings.append(Finding("shortcut", text, urgent=True))
    colors = np.array([each.border for each, _ in pairs], np.float64)
    if found := _predictable(_by_color(colors, names, sizes), sizes):
        findings.append(Finding("edge", _edge_sentence(found)))
    return findings


def _table(values: Iterable[str], labels: Iterable[str]) -> dict[str, Counter[str]]:
    """Count the images of each class by value."""
    table: dict[str, Counter[str]] = defaultdict(Counter)
    for value, label in zip(values, labels, strict=True):
        table[value][label] += 1
    return table


def _by_value(table: Mapping[str, Counter[str]], sizes: Counter[str]) -> Predictions:
    """Predict each image's class by the other images with the same value."""
    predictions: Predictions = Counter()
    lone: Counter[str] = Counter()
    for counts in table.values():
        if counts.total() == 1:
            lone.update(counts)
            continue
        for label, number in counts.items():
            predictions[label, _commonest(counts, label)] += number
    for label, number in lone.items():
        predictions[label, _commonest(sizes, label)] += number
    return predictions


def _commonest(counts: Counter[str], own: str) -> str:
    # Without one image of `own`; of two equal ones the other, so that no class is found
    # by a tie.
    (first, most), *rest = counts.most_common(2)
    if first == own and rest and rest[0][1] >= most - 1:
        return rest[0][0]
    return first


def _by_color(
    colors: np.ndarray, labels: Sequence[str], sizes: Mapping[str, int]
) -> Predictions:
    """Predict each image's class by the mean colors of the classes without it."""
    names = in_natural_order(sizes)
    index = {name: i for i, name in enumerate(names)}
    classes = np.array([index[label] for label in labels])
    number = np.bincount(classes, minlength=len(names))
    sums = np.stack(
        [np.bincount(classes, colors[:, c], len(names)) for c in range(3)], axis=1
    )
    means = sums / number[:, None]
    predictions: Predictions = Counter()
    for begin in range(0, len(colors), AT_ONCE):
        mine, own = colors[begin : begin + AT_ONCE], classes[begin : begin + AT_ONCE]
        # Squared distances, less what is the same for all classes.
        away = np.square(means).sum(axis=1) - 2 * mine @ means.T
        # Its own class without it; a single image cannot be predicted, and no class is
        # found by a tie.
        others = number[own] - 1
        left = (sums[own] - mine) / np.maximum(others, 1)[:, None]
        without = (np.square(left) - 2 * mine * left).sum(axis=1) + TIE
        away[np.arange(len(mine)), own] = np.where(others > 0, without, np.inf)
        for one, predicted in zip(
            own.tolist(), away.argmin(axis=1).tolist(), strict=True
        ):
            predictions[names[one], names[predicted]] += 1
    return predictions


def _predictable(predictions: Predictions, sizes: Mapping[str, int]) -> dict[str, int]:
    """Return the predictable classes, each with the number of its images found."""
    total = sum(sizes.values())
    named: Counter[str] = Counter()
    for (_, predicted), times in predictions.items():
        named[predicted] += times
    counts = {}
    for label, size in sizes.items():
        hits = predictions[label, label]
        incorrect = size - hits + named[label] - hits
        if (
            min(size, total - size) >= LEAST
            and hits >= SHARE * size
            and hits >= SHARE * named[label]
            and 2 * incorrect <= min(size, total - size)
        ):
            counts[label] = hits
    return {label: counts[label] for label in in_natural_order(counts)}


def _sentence(
    one: Property,
    table: Mapping[str, Counter[str]],
    sizes: Mapping[str, int],
    found: Mapping[str, int],
) -> str:
    parts = []
    for label in list(found)[:SPELLED]:
        own = {
            value: counts[label]
            for value, counts in table.items()
            if counts[label] > 1 and 2 * counts[label] > counts.total()
        }
        having = sum(own.values())
        others = sum(table[value].total() for value in own) - having
        whole = having == sizes[label]
        number = f"all {having}" if whole else f"{having} of {sizes[label]}"
        common = sorted(own, key=lambda value: (-own[value], value))
        shared = f"and {others} others" if others else "and no others"
        parts.append(f"{number} images of {label!r} {one.describe(common)}, {shared}")
    if len(found) > SPELLED:
        parts.append(f"{len(found) - SPELLED} more classes are predictable in this way")
    text = "; ".join(parts)
    return (
        f"{text[0].upper()}{text[1:]}: {one.name} predicts the class, and a network "
        "may learn that instead of the content."
    )


def _edge_sentence(found: Mapping[str, int]) -> str:
    names = [repr(label) for label in list(found)[:SPELLED]]
    more = f" and {len(found) - SPELLED} more" if len(found) > SPELLED else ""
    return (
        f"The color at the edge of the images predicts {', '.join(names)}{more}: "
        "check whether the background differs between the classes."
    )
