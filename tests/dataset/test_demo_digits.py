import tlkit
from tlkit.dataset.demo_digits import NAMES, write_digits, write_new_digits


def test_prepare_finds_every_planted_fault(tmp_path):
    planted = write_digits(tmp_path / "photos", each=8)
    manifest = tlkit.prepare(tmp_path / "photos", tmp_path / "data", workers=0)
    counts = manifest.info["counts"]
    assert counts["found"] == planted.images == 10 * 8 + 3 + 1 + 1
    assert counts["rejected"] == {
        "duplicate": planted.copies,
        "conflict": 2 * planted.conflicts,
        "not-an-image": planted.broken,
    }
    assert set(manifest.labels) == set(NAMES)


def test_new_digits_are_none_of_the_others(tmp_path):
    write_digits(tmp_path / "photos", each=30)
    write_new_digits(tmp_path / "new", after=30)
    new = sorted((tmp_path / "new").iterdir())
    assert [path.name for path in new] == [f"a-{name}.png" for name in sorted(NAMES)]
    known = {path.read_bytes() for path in (tmp_path / "photos").glob("*/*")}
    assert not known & {path.read_bytes() for path in new}
