import keras
import pytest

from tlkit import device
from tlkit.errors import RunError


def test_a_gpu_is_taken_where_there_is_one(monkeypatch):
    monkeypatch.setattr(device, "gpus", lambda: ["/physical_device:GPU:0"])
    assert device.choose_device("auto") == "gpu:0"
    assert device.choose_device("gpu") == "gpu:0"
    assert device.choose_device("cpu") == "cpu:0"
    monkeypatch.setattr(device, "gpus", list)
    assert device.choose_device("auto") == "cpu:0"
    with pytest.raises(RunError, match="doctor"):
        device.choose_device("gpu")


def test_precision_follows_the_device():
    assert device.choose_precision("auto", "gpu:0") == "mixed_float16"
    assert device.choose_precision("auto", "cpu:0") == "float32"
    assert device.choose_precision("mixed_bfloat16", "cpu:0") == "mixed_bfloat16"


def fail_within(policy):
    with device.dtype_policy(policy):
        assert keras.config.dtype_policy().name == policy
        raise RuntimeError


def test_the_policy_comes_back_after_a_failure():
    with pytest.raises(RuntimeError):
        fail_within("mixed_bfloat16")
    assert keras.config.dtype_policy().name == "float32"
