"""Pictures in, hashes out, features in, like pairs out: imagededup, in its process."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures.process import BrokenProcessPool
from types import TracebackType
from typing import Any, cast

import numpy as np
from loky import ProcessPoolExecutor

from tlkit.errors import TlkitError

HASHED_AT_ONCE = 256
# Rows whose cosines with all others are held at once, 120 MB for 20,000 others.
COMPARED_AT_ONCE = 1000
# More like pairs a picture are no information, and would take more and more memory.
PAIRS_A_PICTURE = 50


class Hasher:
    """imagededup's perceptual hash and cosine search, in a process of its own.

    Importing it takes seconds, for it brings torch, and torch and TensorFlow abort
    each other in one process; so it is loaded apart, while pictures are decoded. Its
    own search forks a pool of processes, which is not safe in a process with threads,
    so the hashes are compared here.
    """

    def __init__(self) -> None:
        self._pool = ProcessPoolExecutor(
            max_workers=1, env={"CUDA_VISIBLE_DEVICES": ""}
        )
        self._pool.submit(_hash, ())

    def __enter__(self) -> Hasher:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._pool.shutdown(wait=True, kill_workers=True)

    def hashes(self, lumas: Sequence[np.ndarray]) -> np.ndarray:
        """Hash pictures.

        Args:
            lumas: Grey pictures uint8 [H, W].

        Returns:
            uint64 [N].

        Raises:
            TlkitError: imagededup cannot be imported, or its process was killed.
        """
        # In parts: one message with all of them would hold each twice in memory.
        jobs = (
            (_hash, lumas[i : i + HASHED_AT_ONCE])
            for i in range(0, len(lumas), HASHED_AT_ONCE)
        )
        texts = [text for part in self._run(jobs) for text in part]
        return np.array([int(text, 16) for text in texts], np.uint64)

    def similar(
        self, features: np.ndarray, above: float
    ) -> list[tuple[int, int, float]] | None:
        """Find rows that point the same way, by comparing all with all.

        Args:
            features: float32 [N, C], finite.
            above: Cosine of two like rows, at least.

        Returns:
            Two indices, the lower one first, and the cosine, to three decimals; None
            where there are more than PAIRS_A_PICTURE times N.

        Raises:
            TlkitError: imagededup cannot be imported, or its process was killed.
        """
        (found,) = self._run([(_similar, features, above)])
        return cast("list[tuple[int, int, float]] | None", found)

    def _run(self, jobs: Iterable[tuple[Any, ...]]) -> list[Any]:
        try:
            return [job.result() for job in [self._pool.submit(*job) for job in jobs]]
        except (ImportError, OSError, BrokenProcessPool) as error:
            raise TlkitError(
                f"imagededup, which finds near copies, cannot be loaded: {error}.",
                hint="Install it again, or leave near copies alone (--no-near).",
            ) from error


def _hash(lumas: Sequence[np.ndarray]) -> list[str]:  # pragma: no cover - elsewhere
    from imagededup.methods import PHash

    method = PHash(verbose=False)
    return [method.encode_image(image_array=luma) for luma in lumas]


def _similar(  # pragma: no cover - elsewhere
    features: np.ndarray, above: float
) -> list[tuple[int, int, float]] | None:
    from imagededup.handlers.search.retrieval import cosine_similarity_chunk

    found: list[tuple[int, int, float]] = []
    for start in range(0, len(features), COMPARED_AT_ONCE):
        rest = features[start:]
        count = min(COMPARED_AT_ONCE, len(rest))
        cosines = cosine_similarity_chunk((rest, (0, count)))
        like = np.triu(cosines >= above, k=1)
        if len(found) + np.count_nonzero(like) > PAIRS_A_PICTURE * len(features):
            return None
        found += [
            (start + int(i), start + int(j), float(cosines[i, j]))
            for i, j in zip(*np.nonzero(like), strict=True)
        ]
    return found
