"""Confident learning: the labels that contradict held-out probabilities, by cleanlab.

Northcutt, Jiang and Chuang 2021, arXiv 1911.00068. An example counts for another class
if that class is more probable for it than on average for the examples of that class.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tlkit.imports import bare

# Only what both rules of cleanlab list: by the noise rate, and by the counts.
RULE = "both"
RANKED_BY = "normalized_margin"


class Suspects(NamedTuple):
    """Examples whose label is probably incorrect, and the quality of all labels.

    `quality` is 0 to 1: half of 1 + p(label) - p(best other class).
    """

    indices: np.ndarray  # int [n], most suspect first.
    quality: np.ndarray  # float [N].


def find_suspects(targets: np.ndarray, probabilities: np.ndarray) -> Suspects:
    """Find labels that are probably incorrect."""
    # Its own __init__ would import what trains networks, where that is installed.
    with bare("cleanlab"):
        from cleanlab.filter import find_label_issues
        from cleanlab.rank import get_label_quality_scores
    probabilities = probabilities.astype(np.float64)
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    indices = find_label_issues(
        targets,
        probabilities,
        filter_by=RULE,
        return_indices_ranked_by=RANKED_BY,
        min_examples_per_class=0,
        n_jobs=1,
    )
    quality = get_label_quality_scores(targets, probabilities, method=RANKED_BY)
    return Suspects(np.asarray(indices, np.int64), np.asarray(quality, np.float64))
