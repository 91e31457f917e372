"""Snapshots are whole, few, and belong to one network; how a killed training goes on is in ``test_resume``."""

import keras
import numpy as np
import pytest

from segkit.errors import InputError
from segkit.training.snapshots import Snapshots, restore_variables


def trained(units=3, steps=1, clear=True):
    if clear:
        keras.backend.clear_session()  # layers are named as in a process of its own
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(units), keras.layers.Dropout(0.5)])
    model.compile("adam", "mse")
    model.optimizer.build(model.trainable_variables)
    for _ in range(steps):
        model.train_on_batch(np.ones((4, 2)), np.ones((4, units)))
    return model


def values(model):
    return [keras.ops.convert_to_numpy(variable) for variable in [*model.variables, *model.optimizer.variables]]


def test_weights_slots_and_generators_come_back(tmp_path):
    model = trained(steps=3)
    snapshots = Snapshots(tmp_path)
    snapshots.write(3, model, {"best": 0.25})
    facts, arrays = snapshots.latest()
    assert facts == {"best": 0.25}
    other = trained()
    assert any((one != two).any() for one, two in zip(values(other), values(model), strict=True))
    restore_variables(other, arrays)
    for one, two in zip(values(other), values(model), strict=True):
        np.testing.assert_array_equal(one, two)


def test_a_network_that_is_built_again_in_one_process_is_the_same(tmp_path):
    model = trained(steps=3)
    Snapshots(tmp_path).write(3, model, {})
    other = trained(clear=False)
    assert [one.path for one in other.variables] != [one.path for one in model.variables]
    restore_variables(other, Snapshots(tmp_path).latest()[1])
    for one, two in zip(values(other), values(model), strict=True):
        np.testing.assert_array_equal(one, two)


def test_the_last_two_are_kept_and_a_damaged_one_is_passed_over(tmp_path, caplog):
    snapshots = Snapshots(tmp_path / "state")
    assert snapshots.latest() is None
    model = trained()
    for epoch in (9, 10, 11):
        snapshots.write(epoch, model, {"epoch": epoch})
    newest = tmp_path / "state" / "epoch-00011.npz"
    assert sorted(path.name for path in newest.parent.iterdir()) == ["epoch-00010.npz", newest.name]
    newest.write_bytes(newest.read_bytes()[:100])
    assert snapshots.latest()[0] == {"epoch": 10}
    assert f"{newest}: cannot be read as a snapshot" in caplog.text
    assert "trying the snapshot before it" in caplog.text
    caplog.clear()
    (newest.parent / "epoch-00010.npz").write_bytes(b"")
    assert snapshots.latest() is None
    assert [line.rpartition("; ")[2] for line in caplog.messages] == [
        "trying the snapshot before it",
        "there is no other snapshot",
    ]


def test_an_unfinished_one_is_none(tmp_path, monkeypatch):
    def full(_descriptor):
        raise OSError(28, "No space left on device")

    snapshots = Snapshots(tmp_path)
    monkeypatch.setattr("segkit.training.snapshots.os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        snapshots.write(1, trained(), {})
    assert snapshots.latest() is None


def test_another_network_is_refused(tmp_path):
    snapshots = Snapshots(tmp_path)
    snapshots.write(1, trained(units=3), {})
    _, arrays = snapshots.latest()
    with pytest.raises(
        InputError, match=r"another network: .* has shape \(2, 3\), .*\(2, 4\); .*in Python overwrite=True"
    ):
        restore_variables(trained(units=4), arrays)
    arrays.popitem()
    with pytest.raises(InputError, match="is in only one of them"):
        restore_variables(trained(units=3), arrays)


def test_the_newest_that_can_be_read_is_kept_alone(tmp_path):
    snapshots, model = Snapshots(tmp_path), trained()
    for epoch in (1, 2):
        snapshots.write(epoch, model, {"epoch": epoch})
    (tmp_path / "epoch-00002.npz").write_bytes(b"")
    snapshots.keep_newest()
    assert [path.name for path in tmp_path.iterdir()] == ["epoch-00001.npz"]
    for epoch in (2, 3):
        snapshots.write(epoch, model, {"epoch": epoch})
    snapshots.keep_newest()
    assert [path.name for path in tmp_path.iterdir()] == ["epoch-00003.npz"]
