"""Confident learning on probabilities with a result known by hand."""

from __future__ import annotations

import subprocess
import sys

import numpy as np

from tlkit.experiments.confident_learning import find_suspects


def test_a_label_is_listed_where_another_class_is_as_sure_as_of_its_own():
    """Two of class 0 look like class 1; class 1 is sure of its own by 0.9 on average.

    One of both is surer than that.
    """
    targets = np.repeat([0, 1], 12)
    probabilities = np.where(np.arange(2) == targets[:, None], 0.9, 0.1)
    probabilities[3], probabilities[7] = (0.2, 0.8), (0.05, 0.95)
    indices, quality = find_suspects(targets, probabilities)
    assert indices.tolist() == [7]
    # Half of one plus the margin: (1 + 0.05 - 0.95) / 2, and so on.
    np.testing.assert_allclose(quality[[7, 3, 0, 23]], [0.05, 0.2, 0.9, 0.9])


def test_what_is_merely_uncertain_is_not_listed():
    targets = np.repeat([0, 1, 2], 8)
    probabilities = np.where(np.arange(3) == targets[:, None], 0.5, 0.25)
    probabilities[5] = (0.42, 0.38, 0.2)
    indices, _ = find_suspects(targets, probabilities)
    assert indices.tolist() == []


def test_nothing_that_trains_networks_is_imported():
    code = (
        "import sys, numpy\n"
        "from tlkit.experiments.confident_learning import find_suspects\n"
        "find_suspects(numpy.array([0, 1, 0, 1]), numpy.full((4, 2), 0.5))\n"
        "assert 'cleanlab.filter' in sys.modules\n"
        "print(sorted({'torch', 'tensorflow', 'keras', 'datasets'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
