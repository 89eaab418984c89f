"""The random split: stratified, seeded, groups whole.

A pure function: neither the order of the examples nor the file system has an influence,
and images that are added later leave most others in the split they were in.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from tlkit.dataset.example import Example
from tlkit.dataset.records import in_natural_order
from tlkit.dataset.splitting.examples import labels_of
from tlkit.errors import DatasetError

# So many draws are tried where groups keep the first from giving each split its share.
DRAWS = 30


def split_examples(
    examples: Sequence[Example], fractions: Mapping[str, float], seed: int
) -> list[Example]:
    """Give every example its split: the given one, the existing one, or one drawn."""
    existing = {e.group: e.split for e in examples if e.existing}
    given = {
        e.group: e.split
        for e in examples
        if not e.existing and e.split not in {"", "train"}
    }
    pool = [example for example in examples if example.group not in given]
    drawn = assign(
        [example.labels for example in pool],
        [example.group for example in pool],
        fractions,
        seed,
        settled=existing,
    )
    of_group = {e.group: split for e, split in zip(pool, drawn, strict=True)} | given
    placed = [replace(example, split=of_group[example.group]) for example in examples]
    trained = labels_of(example for example in placed if example.split == "train")
    if missing := in_natural_order({*labels_of(placed)} - {*trained}):
        raise DatasetError(
            f"No images to train on for {', '.join(missing)}: only val or test has "
            "any.",
            hint="Look for a spelling that differs between the folders, or for "
            "duplicates that were removed from train.",
        )
    return placed


def assign(
    labels: Sequence[Sequence[str]],
    groups: Sequence[str],
    fractions: Mapping[str, float],
    seed: int,
    *,
    settled: Mapping[str, str] | None = None,
) -> list[str]:
    """Assign examples to splits.

    Of each label, every split gets its fraction of the examples, rounded, and at least
    one; train gets what is left, at least one too. Groups larger than one example can
    make it deviate from that.

    Args:
        labels: The labels of each example, one at least.
        groups: The group of each; a group may hold several labels.
        fractions: For "val" and "test" the share of the examples; 0, or none, for no
            such split.
        seed: Another seed, another draw.
        settled: Groups whose split stands: "train" or a key of the fractions. A label
            of theirs need not be in every split.

    Returns:
        The split of each example, "train" or a key of the fractions.

    Raises:
        DatasetError: A label has fewer groups than there are splits.
    """
    splits = ["train", *(split for split, share in fractions.items() if share > 0)]
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
    _check(new, counts, splits)
    wanted = {
        label: _wanted(count, fractions, splits) for label, count in counts.items()
    }
    best: tuple[float, dict[str, str]] | None = None
    lacking: list[str] = []
    for draw in range(DRAWS):
        chosen, off = _draw(members, holders, wanted, f"{seed}:{draw}", settled)
        lacking = _lacking(chosen, new, splits)
        if not lacking and (best is None or off < best[0]):
            best = off, chosen
        if best is not None and best[0] == 0:
            break
    if best is None:
        raise DatasetError(
            f"No draw puts {', '.join(lacking)} into every split: too few groups of "
            "images have them, and these have other classes as well.",
            hint="Add photos of these classes, remove them, or use fewer splits "
            "(--test 0).",
        )
    return [best[1][group] for group in groups]


def _wanted(
    count: int, fractions: Mapping[str, float], splits: Sequence[str]
) -> dict[str, int]:
    numbers = {split: max(1, round(count * fractions[split])) for split in splits[1:]}
    # Train keeps at least one: the largest of the others gives way.
    while sum(numbers.values()) >= count:
        largest = max(numbers, key=lambda split: numbers[split])
        numbers[largest] -= 1
    return {"train": count - sum(numbers.values()), **numbers}


def _draw(
    members: Mapping[str, Counter[str]],
    holders: Mapping[str, list[str]],
    wanted: Mapping[str, Mapping[str, int]],
    salt: str,
    settled: Mapping[str, str],
) -> tuple[dict[str, str], float]:
    """Draw the split of each group; compute how far that is from what is wanted."""
    # Iterative stratification after Sechidis (2011): rare labels first, each group to
    # a split that still wants as much of the label.
    need = {label: dict(numbers) for label, numbers in wanted.items()}
    chosen = dict(settled)
    for group, split in settled.items():
        for label, count in members[group].items():
            need[label][split] -= count
    for label in sorted(holders, key=lambda label: (len(holders[label]), label)):
        reached = {chosen[group] for group in holders[label] if group in chosen}
        free = [group for group in holders[label] if group not in chosen]
        # Large groups first, while there is room; else by lot.
        free.sort(key=lambda group: (-members[group][label], _lot(salt, group)))
        for left, group in zip(range(len(free), 0, -1), free, strict=True):
            split = _choose(need[label], reached, left, members[group][label])
            chosen[group] = split
            reached.add(split)
            for other, count in members[group].items():
                need[other][split] -= count
    off = sum(
        # Nothing is wanted of a label in a split where it has too few examples: a class
        # that lost photos since the split was drawn.
        abs(left) / max(wanted[label][split], 1)
        for label, numbers in need.items()
        for split, left in numbers.items()
    )
    return chosen, off


def _choose(need: Mapping[str, int], reached: set[str], left: int, size: int) -> str:
    empty = [split for split in need if split not in reached]
    if empty and left <= len(empty):
        return max(empty, key=lambda split: need[split])
    # Train last: then the draw of one more image moves few others.
    for split in [*list(need)[1:], "train"]:
        if need[split] >= size:
            return split
    return max(need, key=lambda split: need[split])


def _lot(salt: str, group: str) -> bytes:
    return hashlib.sha256(f"{salt}/{group}".encode()).digest()


def _lacking(
    chosen: Mapping[str, str],
    holders: Mapping[str, list[str]],
    splits: Sequence[str],
) -> list[str]:
    return sorted(
        label
        for label, groups in holders.items()
        if {chosen[group] for group in groups} != set(splits)
    )


def _check(
    holders: Mapping[str, list[str]], counts: Counter[str], splits: Sequence[str]
) -> None:
    small = [label for label in sorted(holders) if len(holders[label]) < len(splits)]
    if not small:
        return
    lines = [
        f"  {label}: {counts[label]} example(s) in {len(holders[label])} group(s)"
        for label in small
    ]
    raise DatasetError(
        f"{len(small)} class(es) too small to be split into {', '.join(splits)}; each "
        f"needs {len(splits)} images that are not duplicates of one another:\n"
        + "\n".join(lines),
        hint="Add photos of these, take these classes out, or use fewer splits "
        "(--test 0). Crops of one photo count as one group, and so do near-duplicates "
        "unless they are not looked for (--no-near).",
    )
