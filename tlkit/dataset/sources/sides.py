"""What lists say of train, val and test in, one side a picture out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from itertools import combinations

from tlkit.dataset.sources.page import SPLIT_NAMES, in_natural_order


def settle(
    sides: Mapping[str, Collection[str]], pictures: Collection[str], told_by: str
) -> tuple[dict[str, str], list[str]]:
    """Give each picture the side that it was given.

    A picture in two of the lists has none, and where two of the lists are the same one,
    as in data sets made to try a program out, there is no split at all.

    Args:
        sides: Pictures by side; there may be more than there are pages for.
        pictures: Those that have pages.
        told_by: Where the lists come from, for messages.

    Returns:
        The side by picture, and what the user should know.
    """
    known = set(pictures)
    held = {side: known.intersection(paths) for side, paths in sides.items()}
    for one, other in combinations(held, 2):
        if held[one] and held[one] == held[other]:
            line = f"{told_by}: {one} and {other} are the same {len(held[one])} "
            return {}, [line + "picture(s), so that no split is taken from it."]
    number = Counter(path for paths in held.values() for path in paths)
    single = {
        path: side
        for side, paths in held.items()
        for path in paths
        if number[path] == 1
    }
    warnings = []
    if several := [path for path in number if number[path] > 1]:
        what = "are on several sides of the split, and are taken as on none"
        warnings.append(_line(told_by, several, known, what))
    if number and (left := known - set(number)):
        what = "are on no side of the split"
        warnings.append(_line(told_by, left, known, what))
    return single, warnings


def _line(
    told_by: str, some: Collection[str], known: Collection[str], what: str
) -> str:
    example = in_natural_order(some)[0]
    return f"{told_by}: {len(some)} of {len(known)} pictures {what}, as {example}."


def side_by_folder(path: str) -> str | None:
    """Tell a side by the folders that a picture lies in.

    Args:
        path: Of the picture.

    Returns:
        The side that one of them is named as; None where none is, or several differ.
    """
    folders = path.lower().split("/")[:-1]
    sides = {SPLIT_NAMES[name] for name in folders if name in SPLIT_NAMES}
    return sides.pop() if len(sides) == 1 else None
