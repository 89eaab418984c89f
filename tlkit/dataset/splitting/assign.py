"""Labels and groups in, a side for each example out: stratified, seeded, groups whole.

A pure function: neither the order of the examples nor the file system has an influence,
and images that are added later leave most others on the side they were on.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from tlkit.dataset.records import in_natural_order
from tlkit.dataset.splitting.examples import Candidate
from tlkit.errors import DatasetError

# So many draws are tried where groups keep the first from giving each side its share.
DRAWS = 30


def sides_of(
    kept: Sequence[tuple[Candidate, str]], fractions: Mapping[str, float], seed: int
) -> list[str]:
    """Give every example its side: the given one, the earlier one, or one drawn."""
    given: dict[str, str] = {}
    settled: dict[str, str] = {}
    for candidate, group in kept:
        if candidate.earlier:
            settled[group] = candidate.earlier
        elif candidate.split not in {None, "train"}:
            given[group] = candidate.split
    pool = [i for i, (_, group) in enumerate(kept) if group not in given]
    drawn = assign(
        [kept[i][0].labels for i in pool],
        [kept[i][1] for i in pool],
        fractions,
        seed,
        settled=settled,
    )
    sides = [given.get(group, "train") for _, group in kept]
    for i, side in zip(pool, drawn, strict=True):
        sides[i] = side
    labels = {label for c, _ in kept for label in c.labels}
    both = zip(kept, sides, strict=True)
    trained = {n for (c, _), side in both if side == "train" for n in c.labels}
    if missing := in_natural_order(labels - trained):
        raise DatasetError(
            f"No images to train on for {', '.join(missing)}: only val or test has "
            "any.",
            hint="Look for a spelling that differs between the folders, or for copies "
            "that were removed from train.",
        )
    return sides


def assign(
    labels: Sequence[Sequence[str]],
    groups: Sequence[str],
    fractions: Mapping[str, float],
    seed: int,
    *,
    settled: Mapping[str, str] | None = None,
) -> list[str]:
    """Share examples out.

    Of each label, every side gets its fraction of the examples, rounded, and at least
    one; train gets what is left, at least one too. Groups larger than one example can
    make it deviate from that.

    Args:
        labels: The labels of each example, one at least.
        groups: The group of each; a group may hold several labels.
        fractions: For "val" and "test" the share of the examples; 0, or none, for no
            such side.
        seed: Another seed, another draw.
        settled: Groups whose side stands: "train" or a key of the fractions. A label
            of theirs need not be on every side.

    Returns:
        The side of each example, "train" or a key of the fractions.

    Raises:
        DatasetError: A label has fewer groups than there are sides.
    """
    sides = ["train", *(side for side, share in fractions.items() if share > 0)]
    members: dict[str, Counter[str]] = defaultdict(Counter)
    counts: Counter[str] = Counter()
    for own, group in zip(labels, groups, strict=True):
        members[group].update(own)
        counts.update(own)
    holders: dict[str, list[str]] = defaultdict(list)
    for group, held in members.items():
        for label in held:
            holders[label].append(group)
    settled = settled or {}
    new = {n: own for n, own in holders.items() if not settled.keys() & set(own)}
    _check(new, counts, sides)
    wanted = {
        label: _wanted(count, fractions, sides) for label, count in counts.items()
    }
    best: tuple[float, dict[str, str]] | None = None
    lacking: list[str] = []
    for draw in range(DRAWS):
        chosen, off = _draw(members, holders, wanted, f"{seed}:{draw}", settled)
        lacking = _lacking(chosen, new, sides)
        if not lacking and (best is None or off < best[0]):
            best = off, chosen
        if best is not None and best[0] == 0:
            break
    if best is None:
        raise DatasetError(
            f"No split gives every side a part of {', '.join(lacking)}: there are too "
            "few groups of images, and they hold other classes as well.",
            hint="Add photos of these, take them out, or do with fewer sides "
            "(--test 0).",
        )
    return [best[1][group] for group in groups]


def _wanted(
    count: int, fractions: Mapping[str, float], sides: Sequence[str]
) -> dict[str, int]:
    numbers = {side: max(1, round(count * fractions[side])) for side in sides[1:]}
    # Train keeps at least one: the largest of the others gives way.
    while sum(numbers.values()) >= count:
        largest = max(numbers, key=lambda side: numbers[side])
        numbers[largest] -= 1
    return {"train": count - sum(numbers.values()), **numbers}


def _draw(
    members: Mapping[str, Counter[str]],
    holders: Mapping[str, list[str]],
    wanted: Mapping[str, Mapping[str, int]],
    salt: str,
    settled: Mapping[str, str],
) -> tuple[dict[str, str], float]:
    # The side of each group, and how far all of that is from what was wanted.
    # Iterative stratification after Sechidis (2011): rare labels first, each group to
    # a side that still wants as much of the label.
    need = {label: dict(numbers) for label, numbers in wanted.items()}
    chosen = dict(settled)
    for group, side in settled.items():
        for label, count in members[group].items():
            need[label][side] -= count
    for label in sorted(holders, key=lambda label: (len(holders[label]), label)):
        reached = {chosen[group] for group in holders[label] if group in chosen}
        free = [group for group in holders[label] if group not in chosen]
        # Large groups first, while there is room; else by lot.
        free.sort(key=lambda group: (-members[group][label], _lot(salt, group)))
        for left, group in zip(range(len(free), 0, -1), free, strict=True):
            size = members[group][label]
            side = _side(need[label], reached, left, size)
            chosen[group] = side
            reached.add(side)
            for other, count in members[group].items():
                need[other][side] -= count
    off = sum(
        abs(left) / wanted[label][side]
        for label, numbers in need.items()
        for side, left in numbers.items()
    )
    return chosen, off


def _side(need: Mapping[str, int], reached: set[str], left: int, size: int) -> str:
    empty = [side for side in need if side not in reached]
    if empty and left <= len(empty):
        return max(empty, key=lambda side: need[side])
    # Train last: then the draw of one more image moves few others.
    for side in [*list(need)[1:], "train"]:
        if need[side] >= size:
            return side
    return max(need, key=lambda side: need[side])


def _lot(salt: str, group: str) -> bytes:
    return hashlib.sha256(f"{salt}/{group}".encode()).digest()


def _lacking(
    chosen: Mapping[str, str],
    holders: Mapping[str, list[str]],
    sides: Sequence[str],
) -> list[str]:
    return sorted(
        label
        for label, groups in holders.items()
        if {chosen[group] for group in groups} != set(sides)
    )


def _check(
    holders: Mapping[str, list[str]], counts: Counter[str], sides: Sequence[str]
) -> None:
    small = [label for label in sorted(holders) if len(holders[label]) < len(sides)]
    if not small:
        return
    lines = [
        f"  {label}: {counts[label]} example(s) in {len(holders[label])} group(s)"
        for label in small
    ]
    raise DatasetError(
        f"{len(small)} class(es) too small to be split into {', '.join(sides)}; each "
        f"needs {len(sides)} images that are no copies of one another:\n"
        + "\n".join(lines),
        hint="Add photos of these, take these classes out, or do with fewer sides "
        "(--test 0). Crops of one photo count as one group, and so "
        "do near copies unless they are left alone (--no-near).",
    )
