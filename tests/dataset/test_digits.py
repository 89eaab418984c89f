import tlkit
from tlkit.dataset.digits import NAMES, write_digits


def test_prepare_finds_every_planted_fault(tmp_path):
    planted = write_digits(tmp_path / "photos", each=8)
    manifest = tlkit.prepare(tmp_path / "photos", tmp_path / "data", workers=0)
    counts = manifest.info["counts"]
    assert counts["found"] == planted.pictures == 10 * 8 + 3 + 1 + 1
    assert counts["rejected"] == {
        "duplicate": planted.copies,
        "conflict": 2 * planted.conflicts,
        "not-an-image": planted.broken,
    }
    assert set(manifest.labels) == set(NAMES)
