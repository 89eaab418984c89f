"""A process of its own, whatever becomes of it."""

from __future__ import annotations

import pytest

from tlkit.errors import RunError
from tlkit.exporting.verify import FreshProcess


def test_an_artefact_that_is_none(tmp_path):
    with (
        FreshProcess() as fresh,
        pytest.raises(
            RunError, match=r"cannot be loaded in a fresh process: .*nothing"
        ),
    ):
        fresh.outputs(tmp_path / "nothing", tmp_path)


def test_it_ends_with_its_block_though_nobody_asked():
    with FreshProcess() as fresh:
        process = fresh._process
        assert process.poll() is None
    assert process.poll() is not None
