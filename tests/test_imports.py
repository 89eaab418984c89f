import subprocess
import sys

import pytest

from tlkit.imports import bare, hidden


def test_a_hidden_package_looks_as_if_it_were_not_installed():
    sys.modules.pop("tabnanny", None)
    with hidden("tabnanny"), pytest.raises(ImportError):
        __import__("tabnanny")
    assert __import__("tabnanny").check


def test_what_was_imported_before_stays():
    with hidden("sys"):
        assert __import__("sys") is sys


def test_albumentations_comes_without_torch_and_openvino_without_telemetry(tmp_path):
    code = (
        "import sys\n"
        "from tlkit.inputs.augment import import_albumentations\n"
        "from tlkit.features.engines.openvino import OpenVinoEngine\n"
        "from tlkit.features.machine import Measurements\n"
        "from pathlib import Path\n"
        "import_albumentations()\n"
        f"OpenVinoEngine(None, Measurements(Path({str(tmp_path)!r})))\n"
        "assert 'openvino.tools.ovc' in sys.modules\n"
        "print(sorted({'torch', 'openvino_telemetry'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_a_bare_package_gives_its_modules_but_does_not_run():
    for name in [name for name in sys.modules if name.split(".")[0] == "wsgiref"]:
        del sys.modules[name]
    with bare("wsgiref"):
        from wsgiref import util

        assert util.guess_scheme({"HTTPS": "on"}) == "https"
        assert not hasattr(sys.modules["wsgiref"], "__file__")
    assert "wsgiref" not in sys.modules
    with pytest.raises(ImportError, match="no package nosuch"), bare("nosuch"):
        pass
    with bare("json"):  # is there already
        assert hasattr(sys.modules["json"], "loads")
