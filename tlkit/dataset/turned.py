"""Facts of pictures in, pairs of which one is the other turned or mirrored out.

Each of the other seven ways to lay a picture down is hashed and searched for among the
pictures as they are; a pair is confirmed on the turned thumbnails, as near copies are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tlkit.dataset.duplicates import Components, Pair, alike, telling
from tlkit.dataset.facts import Facts
from tlkit.dataset.hashing import Hasher
from tlkit.dataset.likeness import Thumbnails

# Whether mirrored left to right first, and then how many quarters turned clockwise.
TURNS = {
    "mirrored": (True, 0),
    "mirrored, turned by 90": (True, 1),
    "mirrored, turned by 180": (True, 2),
    "mirrored, turned by 270": (True, 3),
    "turned by 90": (False, 1),
    "turned by 180": (False, 2),
    "turned by 270": (False, 3),
}
# The only ones that are not their own inverse; a search for one finds the other.
INVERSE = {"turned by 90": "turned by 270", "turned by 270": "turned by 90"}
SEARCHED = tuple(turn for turn in TURNS if turn != "turned by 270")


@dataclass(frozen=True)
class Turned:
    """The thumbnails of a picture, turned.

    Attributes:
        picture: As it is.
        turn: One of TURNS.
    """

    picture: Thumbnails
    turn: str

    @property
    def luma(self) -> np.ndarray:
        """The whole picture in grey, uint8 [S, S]."""
        return turned(self.picture.luma, self.turn)

    @property
    def colour(self) -> np.ndarray:
        """The whole picture, uint8 [s, s, 3]."""
        return turned(self.picture.colour, self.turn)


def turned(pixels: np.ndarray, turn: str) -> np.ndarray:
    """Turn or mirror a picture.

    Args:
        pixels: [H, W, ...].
        turn: One of TURNS.

    Returns:
        A view of it, [W, H, ...] where it was laid on its side.
    """
    mirrored, quarters = TURNS[turn]
    return np.rot90(pixels[:, ::-1] if mirrored else pixels, -quarters)


def inverse(turn: str) -> str:
    """What undoes a turn.

    Args:
        turn: One of TURNS, or "" for none.

    Returns:
        The like.
    """
    return INVERSE.get(turn, turn)


def find_turned(
    facts: Sequence[Facts], pairs: Sequence[Pair], hasher: Hasher
) -> list[Pair]:
    """Find copies that are turned or mirrored.

    Args:
        facts: Pictures.
        pairs: The copies already found; what they relate is not looked at again.
        hasher: What hashes them.

    Returns:
        Pairs of the kind "turned", each with the turn that makes its first picture
        the second. Of a group that these relate, some pairs may be left out.
    """
    together = Components(pairs)
    chosen = telling(facts, pairs)
    plain: list[Thumbnails] = [facts[i] for i in chosen]
    hashes = hasher.hashes([one.luma for one in plain])
    found: list[Pair] = []

    def known(one: int, other: int) -> bool:
        # Pictures lie before the turned ones; only one with another's turned is new.
        beyond = other - len(chosen)
        return (
            one >= len(chosen)
            or beyond < 0
            or together[chosen[one]] == together[chosen[beyond]]
        )

    for turn in SEARCHED:
        laid = [Turned(one, turn) for one in plain]
        both = np.concatenate([hashes, hasher.hashes([one.luma for one in laid])])
        for one, other, distance, _ in alike([*plain, *laid], both, known):
            # The other one turned is this one.
            first, second, way = chosen[other - len(chosen)], chosen[one], turn
            if first > second:
                first, second, way = second, first, inverse(turn)
            together.join(first, second)
            found.append(Pair(first, second, "turned", distance, False, way))
    return found
