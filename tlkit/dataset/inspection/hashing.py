"""The perceptual hash and the cosines of imagededup.

Imported the usual way it brings torch along, which takes seconds and may not share a
process with TensorFlow; what is used here needs none of that.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator

import numpy as np

from tlkit.errors import TlkitError
from tlkit.imports import bare


def perceptual_hash(luma: np.ndarray) -> int:
    """Hash a gray image: the signs of its lowest cosine frequencies."""
    return int(_encode()(image_array=luma), 16)


def cosines(features: np.ndarray, count: int) -> np.ndarray:
    """Compute the cosines of the first `count` rows with all, [count, N]."""
    return np.asarray(_compare()((features, (0, count))))


@functools.cache
def _encode() -> Callable[..., str]:
    with _imagededup():
        from imagededup.methods.hashing import PHash
    encode: Callable[..., str] = PHash(verbose=False).encode_image
    return encode


@functools.cache
def _compare() -> Callable[..., np.ndarray]:
    with _imagededup():
        from imagededup.handlers.search.retrieval import cosine_similarity_chunk
    compare: Callable[..., np.ndarray] = cosine_similarity_chunk
    return compare


@contextlib.contextmanager
def _imagededup() -> Iterator[None]:
    try:
        with bare("imagededup.methods", "imagededup.utils"):
            yield
    except (ImportError, OSError) as error:
        raise TlkitError(
            f"imagededup, which finds near-duplicates, cannot be loaded: {error}.",
            hint="Install it again, as in the README.",
        ) from error
