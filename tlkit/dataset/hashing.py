"""Pictures in, imagededup's perceptual hashes out, by a process of its own."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures.process import BrokenProcessPool
from types import TracebackType

import numpy as np
from loky import ProcessPoolExecutor

from tlkit.errors import TlkitError

HASHED_AT_ONCE = 256


class Hasher:
    """imagededup's perceptual hash, in a process of its own.

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
        try:
            # In parts: one message with all of them would hold each twice in memory.
            jobs = [
                self._pool.submit(_hash, lumas[i : i + HASHED_AT_ONCE])
                for i in range(0, len(lumas), HASHED_AT_ONCE)
            ]
            texts = [text for job in jobs for text in job.result()]
        except (ImportError, OSError, BrokenProcessPool) as error:
            raise TlkitError(
                f"imagededup, which finds near copies, cannot be loaded: {error}.",
                hint="Install it again, or leave near copies alone (--no-near).",
            ) from error
        return np.array([int(text, 16) for text in texts], np.uint64)


def _hash(lumas: Sequence[np.ndarray]) -> list[str]:  # pragma: no cover - elsewhere
    from imagededup.methods import PHash

    method = PHash(verbose=False)
    return [method.encode_image(image_array=luma) for luma in lumas]
