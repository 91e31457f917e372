import keras
import pytest

from segkit.errors import InputError
from segkit.inference.loaded_model import LoadedModel
from segkit.models.card import ModelCard
from segkit.models.check_outputs import check_outputs
from segkit.models.files import save_model
from segkit.tasks.centers import CentersTask
from segkit.tasks.classes import ClassesTask

MASK = ModelCard(name="mito", structure="mito")
CLASSES = ModelCard(name="three", structure="all", task=ClassesTask(class_names=("a", "b", "c")))
CELLS = ModelCard(name="nuclei", structure="nuclei", task=CentersTask())


def network(**channels):
    """One convolution for each output."""
    inputs = keras.Input((None, None, 1))
    outputs = {name: keras.layers.Conv2D(count, 1, name=name)(inputs) for name, count in channels.items()}
    return keras.Model(inputs, outputs)


def bare():
    inputs = keras.Input((None, None, 1))
    return keras.Model(inputs, keras.layers.Conv2D(1, 1, name="last")(inputs))


class Own(keras.Model):
    """A network of which Keras does not know what it gives."""

    def call(self, inputs):
        return {"logits": inputs}


REFUSED = [
    (bare, MASK, "mito: the model gives last, expected logits for a task of the kind 'foreground'"),
    (lambda: network(probability=1), MASK, "mito: the model gives probability, expected logits"),
    (Own, MASK, "mito: the model gives no outputs that it names, expected logits"),
    (
        lambda: network(logits=3),
        MASK,
        "mito: the model gives 3 channels in logits, its task of the kind 'foreground' has 1",
    ),
    (
        lambda: network(logits=2),
        CLASSES,
        "three: the model gives 2 channels in logits, its task of the kind 'classes' has 3",
    ),
    (
        lambda: network(logits=1),
        CELLS,
        "nuclei: the model gives logits, expected centers for a task of the kind 'centers'",
    ),
]


@pytest.mark.parametrize(("build", "card", "message"), REFUSED)
def test_a_network_that_a_card_cannot_use_is_neither_saved_nor_used(build, card, message, tmp_path):
    model = build()
    with pytest.raises(InputError, match=message):
        check_outputs(model, card)
    with pytest.raises(InputError, match=message):
        save_model(model, tmp_path / "m.keras", card)
    assert not list(tmp_path.iterdir())
    if isinstance(model, Own):
        return
    with pytest.raises(InputError, match=message):
        LoadedModel(model, card)


def test_outputs_that_only_the_training_needs_may_be_missing_or_more():
    supervised = ModelCard(name="a", structure="a", task=ClassesTask(class_names=("a", "b"), supervision=0.3))
    assert len(supervised.task.outputs) > len(supervised.task.predicted)
    check_outputs(network(logits=2), supervised)
    check_outputs(network(logits=1, other=4), MASK)
