"""A grey thumbnail in, the 64 bits out by which near copies are found: imagededup's."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np

from tlkit.errors import TlkitError
from tlkit.imports import bare


def perceptual_hash(luma: np.ndarray) -> int:
    """Hash a picture: the signs of the lowest frequencies of its cosine transform.

    Args:
        luma: uint8 [H, W], grey.

    Returns:
        64 bits; those of near copies differ in few.

    Raises:
        TlkitError: imagededup cannot be imported.
    """
    return int(_encode()(image_array=luma), 16)


@functools.cache
def _encode() -> Callable[..., str]:
    try:
        # By its own ways in it imports torch, which takes seconds, and may not share a
        # process with TensorFlow; its hashes need none of that.
        with bare("imagededup.methods", "imagededup.utils"):
            from imagededup.methods.hashing import PHash
    except (ImportError, OSError) as error:
        raise TlkitError(
            f"imagededup, which finds near copies, cannot be loaded: {error}.",
            hint="Install it again, as the README says.",
        ) from error
    encode: Callable[..., str] = PHash(verbose=False).encode_image
    return encode
