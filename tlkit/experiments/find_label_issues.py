"""Labels and held-out probabilities in, the labels that are probably wrong out.

Confident learning (Northcutt, Jiang and Chuang 2021, arXiv 1911.00068), by cleanlab: an
example counts for another class where that class is more probable than it is on average
for its own examples; as many of each pair of classes as this makes wrong are listed.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tlkit.imports import bare

# Only what both rules of cleanlab list, by the rate of noise and by the counts.
RULE = "both"
RANKED_BY = "normalized_margin"


class Suspects(NamedTuple):
    """Examples whose label is probably wrong, the most probably so first.

    Attributes:
        places: int [n], which examples.
        quality: float [N], of the label of every example, 0 to 1: half of one plus
            the probability of its label minus that of the best other one.
    """

    places: np.ndarray
    quality: np.ndarray


def find_suspects(targets: np.ndarray, shares: np.ndarray) -> Suspects:
    """Find labels that are probably wrong."""
    # Its own __init__ would import what trains networks, where that is installed.
    with bare("cleanlab"):
        from cleanlab.filter import find_label_issues
        from cleanlab.rank import get_label_quality_scores
    shares = shares.astype(np.float64)
    shares /= shares.sum(axis=1, keepdims=True)
    places = find_label_issues(
        targets,
        shares,
        filter_by=RULE,
        return_indices_ranked_by=RANKED_BY,
        min_examples_per_class=0,
        n_jobs=1,
    )
    quality = get_label_quality_scores(targets, shares, method=RANKED_BY)
    return Suspects(np.asarray(places, np.int64), np.asarray(quality, np.float64))
