import keras
import numpy as np
import pytest

from tlkit.errors import RunError
from tlkit.training import checkpoint
from tlkit.training.checkpoint import Checkpoint, State, read_state


def network():
    image = keras.Input((3,))
    x = keras.layers.Dense(2, name="below", trainable=False)(image)
    made = keras.Model(image, keras.layers.Dense(1, name="above")(x))
    made.compile("adam", "mse")
    return made


@pytest.fixture
def saving(tmp_path):
    (tmp_path / "checkpoint").mkdir()

    def make(model, state=None):
        made = Checkpoint(
            tmp_path / "checkpoint",
            state or State(),
            monitor="val_loss",
            frozen=("below",),
            watched=[],
            history_csv=tmp_path / "history.csv",
            phase="head",
        )
        made.set_model(model)
        return made

    return make


def set_all(model, value):
    for weight in model.get_layer("above").weights:
        weight.assign(np.full(weight.shape, value))


def epoch(saved, model, number, loss):
    set_all(model, number)
    saved.on_epoch_end(number, {"loss": loss, "val_loss": loss})


def test_the_best_epoch_comes_back_and_is_a_copy(saving):
    model = network()
    saved = saving(model)
    for number, loss in enumerate([3.0, 1.0, 2.0]):
        epoch(saved, model, number, loss)
    saved.restore_best(model)
    assert (np.asarray(model.get_layer("above").kernel) == 1).all()
    assert saved.state.best_epoch == 2


def test_what_is_saved_at_once_is_saved_after_every_epoch(
    saving, tmp_path, monkeypatch
):
    monkeypatch.setattr(checkpoint, "SHARE", 0)
    model = network()
    saved = saving(model)
    for number, loss in enumerate([3.0, 1.0, 2.0]):
        epoch(saved, model, number, loss)
        assert read_state(tmp_path / "checkpoint").epochs == number + 1
    names = sorted(path.name for path in (tmp_path / "checkpoint").glob("*.npz"))
    assert names == ["best-0002.npz", "last-0003.npz"]


def test_saving_takes_a_tenth_of_the_time(saving, tmp_path, monkeypatch):
    now = [100.0]
    monkeypatch.setattr("tlkit.training.checkpoint.time.monotonic", lambda: now[0])
    save = Checkpoint._save

    def in_a_second(self, variables):
        now[0] += 1
        save(self, variables)

    monkeypatch.setattr(Checkpoint, "_save", in_a_second)
    model = network()
    saved = saving(model)
    losses = [5.0, 1.0, 2.0, 3.0]
    for number, loss in enumerate(losses):
        now[0] += checkpoint.SHARE / 3 + 0.1
        epoch(saved, model, number, loss)
        # The first one, and the first ten seconds behind it.
        assert read_state(tmp_path / "checkpoint").epochs == (1 if number < 3 else 4)
    state = read_state(tmp_path / "checkpoint")
    assert (state.epochs, state.best_epoch) == (4, 2)
    saved.on_train_end()
    later = network()
    resumed = saving(later, state)
    resumed.on_train_begin()
    assert (np.asarray(later.get_layer("above").kernel) == 3).all()
    resumed.restore_best(later)
    assert (np.asarray(later.get_layer("above").kernel) == 1).all()
    table = (tmp_path / "history.csv").read_text().splitlines()
    assert len(table) == 1 + len(losses)


def test_another_network_is_refused(saving, tmp_path):
    model = network()
    saved = saving(model)
    epoch(saved, model, 0, 1.0)
    image = keras.Input((3,))
    other = keras.Model(image, keras.layers.Dense(4, name="above")(image))
    with pytest.raises(RunError, match="another network"):
        saved.restore_best(other)
