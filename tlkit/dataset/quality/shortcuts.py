"""Labels and facts of images in, what tells the class beside the thing itself out.

If one class was taken with one camera and the others with another, a network learns the
camera. Each image's class is guessed from a property of it, by the other images:

    camera, size, file format, across or upright   the commonest class of that value
    color of the edge                             the class with the nearest mean

A class is told where, of the guesses, 90 % of its images are found and 90 % of those
named are its own, at most half as many go wrong as without the property, and the class
and all others have 5 images or more each: 5 and 5 told by chance are 1 in 126.
The edge is a hint only: what is photographed may well be what colors it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tlkit.dataset.inspection.image_info import ImageInfo
from tlkit.dataset.quality.outliers import Finding
from tlkit.dataset.records import in_natural_order

TOLD = 0.9
LEAST = 5
# So many classes are spelled out, so many values of a property.
SPELLED, VALUES = 3, 3
# Images whose colors are compared with those of all classes at once.
AT_ONCE = 1024
TIE = 1e-6

# How many images of a class (first) are guessed to be of a class (second).
Guesses = Counter[tuple[str, str]]


@dataclass(frozen=True)
class Property:
    """Something an image has that is not what it shows.

    Attributes:
        name: As in "the camera".
        of: What an image has of it; "" for nothing.
        having: What one says of images with one value of it, "{}".
        several: The like for many values, {0} of them, {1} among them.
        lacking: The like for images that have nothing of it.
    """

    name: str
    of: Callable[[ImageInfo], str]
    having: str
    several: str = ""
    lacking: str = ""

    def say(self, values: Sequence[str]) -> str:
        """Say of images which values they have."""
        named = [value for value in values if value]
        if len(named) > VALUES and self.several:
            parts = [self.several.format(len(named), named[0])]
        else:
            parts = [self.having.format(" or ".join(named))] if named else []
        if len(named) < len(values):
            parts.append(self.lacking)
        return " or ".join(parts)


def _course(fact: ImageInfo) -> str:
    if fact.width == fact.height:
        return "square"
    return "wider than high" if fact.width > fact.height else "higher than wide"


PROPERTIES = (
    Property(
        "the camera",
        lambda fact: fact.camera,
        "come from {}",
        "come from one of {0} cameras, such as {1}",
        "name no camera",
    ),
    Property(
        "the size of the image",
        lambda fact: f"{fact.width} x {fact.height}",
        "are {} pixels",
        "have one of {0} sizes, such as {1} pixels",
    ),
    Property("the file format", lambda fact: fact.format, "are {} files"),
    Property("the way the image is held", _course, "are {}"),
)


def telltales(
    labels: Mapping[str, Iterable[str]], info: Iterable[ImageInfo]
) -> list[Finding]:
    """Find what tells the class beside what is to be seen."""
    single = {path: tuple(own) for path, own in labels.items()}
    pairs = [
        (fact, single[fact.path][0])
        for fact in info
        if len(single.get(fact.path, ())) == 1
    ]
    sizes = Counter(label for _, label in pairs)
    if len(sizes) < 2:
        return []
    names = [label for _, label in pairs]
    findings = []
    for one in PROPERTIES:
        table = _table([one.of(fact) for fact, _ in pairs], names)
        if told := _told(_by_value(table, sizes), sizes):
            text = _sentence(one, table, sizes, told)
            findings.append(Finding("telltale", text, urgent=True))
    colors = np.array([fact.border for fact, _ in pairs], np.float64)
    if told := _told(_by_color(colors, names, sizes), sizes):
        findings.append(Finding("edge", _edge_sentence(told)))
    return findings


def _table(values: Iterable[str], labels: Iterable[str]) -> dict[str, Counter[str]]:
    """How many images of each class have a value."""
    table: dict[str, Counter[str]] = defaultdict(Counter)
    for value, label in zip(values, labels, strict=True):
        table[value][label] += 1
    return table


def _by_value(table: Mapping[str, Counter[str]], sizes: Counter[str]) -> Guesses:
    """Guess each image's class by the other images with the same value."""
    guesses: Guesses = Counter()
    lone: Counter[str] = Counter()
    for counts in table.values():
        if counts.total() == 1:
            lone.update(counts)
            continue
        for label, number in counts.items():
            guesses[label, _commonest(counts, label)] += number
    for label, number in lone.items():
        guesses[label, _commonest(sizes, label)] += number
    return guesses


def _commonest(counts: Counter[str], own: str) -> str:
    # Once an image of `own` is away; of two level ones the other, so that no class is
    # told by a tie.
    (first, most), *rest = counts.most_common(2)
    if first == own and rest and rest[0][1] >= most - 1:
        return rest[0][0]
    return first


def _by_color(
    colors: np.ndarray, labels: Sequence[str], sizes: Mapping[str, int]
) -> Guesses:
    """Guess each image's class by the mean colors of the classes without it."""
    names = in_natural_order(sizes)
    index = {name: i for i, name in enumerate(names)}
    classes = np.array([index[label] for label in labels])
    number = np.bincount(classes, minlength=len(names))
    sums = np.stack(
        [np.bincount(classes, colors[:, c], len(names)) for c in range(3)], axis=1
    )
    means = sums / number[:, None]
    guesses: Guesses = Counter()
    for begin in range(0, len(colors), AT_ONCE):
        mine, own = colors[begin : begin + AT_ONCE], classes[begin : begin + AT_ONCE]
        # Squared distances, less what is the same for all classes.
        away = np.square(means).sum(axis=1) - 2 * mine @ means.T
        # Its own class without it; one that is alone has nothing to be told by, and no
        # class is told by a tie.
        others = number[own] - 1
        left = (sums[own] - mine) / np.maximum(others, 1)[:, None]
        without = (np.square(left) - 2 * mine * left).sum(axis=1) + TIE
        away[np.arange(len(mine)), own] = np.where(others > 0, without, np.inf)
        for one, guess in zip(own.tolist(), away.argmin(axis=1).tolist(), strict=True):
            guesses[names[one], names[guess]] += 1
    return guesses


def _told(guesses: Guesses, sizes: Mapping[str, int]) -> dict[str, int]:
    """The classes that guesses tell, each with the number of its images found."""
    total = sum(sizes.values())
    named: Counter[str] = Counter()
    for (_, guess), times in guesses.items():
        named[guess] += times
    told = {}
    for label, size in sizes.items():
        found = guesses[label, label]
        wrong = size - found + named[label] - found
        if (
            min(size, total - size) >= LEAST
            and found >= TOLD * size
            and found >= TOLD * named[label]
            and 2 * wrong <= min(size, total - size)
        ):
            told[label] = found
    return {label: told[label] for label in in_natural_order(told)}


def _sentence(
    one: Property,
    table: Mapping[str, Counter[str]],
    sizes: Mapping[str, int],
    told: Mapping[str, int],
) -> str:
    parts = []
    for label in list(told)[:SPELLED]:
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
        parts.append(f"{number} images of {label!r} {one.say(common)}, {shared}")
    if len(told) > SPELLED:
        parts.append(f"{len(told) - SPELLED} more classes are told in this way")
    text = "; ".join(parts)
    return (
        f"{text[0].upper()}{text[1:]}: {one.name} would tell the class, and a network "
        "may learn that instead."
    )


def _edge_sentence(told: Mapping[str, int]) -> str:
    names = [repr(label) for label in list(told)[:SPELLED]]
    more = f" and {len(told) - SPELLED} more" if len(told) > SPELLED else ""
    return (
        f"The color at the edge of the images is enough to tell {', '.join(names)}"
        f"{more} from the others: does the background differ between the classes?"
    )
