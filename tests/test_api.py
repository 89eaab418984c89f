import subprocess
import sys

import pytest

import tlkit


def test_the_public_names_are_these():
    assert sorted(tlkit.__all__) == [
        "CVResult", "Comparison", "Config", "Converted", "Exported",
        "LabelIssues", "LearningCurve", "Manifest", "Prediction", "Progress",
        "Run", "SearchResult", "TlkitError", "annotate", "check", "compare",
        "convert", "cross_validate", "embedder", "evaluate", "export", "finetune",
        "label_issues", "learning_curve", "lr_find", "predict", "prepare", "resume",
        "search",
    ]  # fmt: skip
    for name in tlkit.__all__:
        assert getattr(tlkit, name).__doc__
    assert set(tlkit.__all__) < set(dir(tlkit))


def test_another_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="nope"):
        tlkit.nope  # noqa: B018


def test_importing_is_free():
    code = "import sys, tlkit; print(sorted({'numpy', 'keras'} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_prepare_loads_neither_tensorflow_nor_torch(photo_folder, tmp_path):
    # In one process the two abort each other.
    source = photo_folder({"disc": 8, "bar": 8})
    code = (
        "import sys, tlkit\n"
        f"tlkit.prepare({str(source)!r}, {str(tmp_path / 'data')!r}, workers=1)\n"
        "heavy = {'tensorflow', 'keras', 'torch', 'imagededup'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
