import dataclasses
import pathlib
import textwrap
import zipfile

import keras
import numpy as np
import pytest

from segkit.errors import InputError
from segkit.model_path import resolve_model_path
from segkit.models.card import ModelCard
from segkit.models.files import load_model, read_card, replace_card, save_model
from segkit.models.precision import with_precision
from segkit.models.seget import seget
from segkit.models.unet import unet
from segkit.preprocessing.standardize import Standardize

CARD = ModelCard(
    name="segET-x", structure="x", preprocessing=Standardize(mean=3.0, std=2.0), voxel_size_nm=(1, 2.5, 2.5), halo_px=24
)


def tiny(**arguments):
    return seget(filters=(2, 4), dilation_rates=(1, 2), **arguments)


def voxels():
    return np.random.default_rng(0).normal(size=(1, 16, 16, 1)).astype("float32")


def test_model_and_card_come_back(tmp_path):
    model = tiny()
    save_model(model, tmp_path / "m.keras", CARD)
    assert read_card(tmp_path / "m.keras") == CARD
    expected = model.predict_on_batch(voxels())["logits"]
    np.testing.assert_array_equal(load_model(tmp_path / "m.keras").predict_on_batch(voxels())["logits"], expected)
    assert [path.name for path in tmp_path.iterdir()] == ["m.keras"]


def test_a_card_is_replaced_and_the_model_stays(tmp_path):
    path = tmp_path / "model.keras"
    save_model(tiny(), path, CARD)

    def members():
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            assert len(names) == len(set(names))
            return {name: archive.read(name) for name in names if name != "segkit.json"}

    before = members()
    other = dataclasses.replace(CARD, provenance={"best_epoch": 3})
    replace_card(tmp_path, other)
    assert (read_card(path), members()) == (other, before)
    load_model(path)
    assert [path.name for path in tmp_path.iterdir()] == ["model.keras"]
    (tmp_path / "none.keras").write_text("no archive")
    with pytest.raises(InputError, match="not a Keras model file"):
        replace_card(tmp_path / "none.keras", other)


def test_a_run_folder_means_its_model(tmp_path):
    save_model(tiny(), tmp_path / "model.keras", CARD)
    assert read_card(tmp_path) == CARD


def test_plain_keras_opens_a_model_once_the_classes_are_registered(tmp_path, warm_python):
    save_model(tiny(), tmp_path / "m.keras", CARD)
    code = """
        import keras
        from segkit.models.files import register_all
        register_all()
        print(keras.saving.load_model("m.keras").name)
        """
    opened = warm_python.run(["-c", textwrap.dedent(code)], tmp_path)
    assert opened.stdout.strip() == "seget", opened.stderr


def test_a_users_subclass_opens_in_a_fresh_process(tmp_path, warm_python):
    def in_fresh_process(code):
        return warm_python.run(["-c", textwrap.dedent(code)], tmp_path)

    (tmp_path / "my_blocks.py").write_text(
        textwrap.dedent(
            """
            import keras
            from segkit.layers import EncoderBlock

            @keras.saving.register_keras_serializable(package="mine")
            class DoubleEncoder(EncoderBlock):
                def call(self, inputs, training=False):
                    down, skip = super().call(inputs, training=training)
                    return 2 * down, skip
            """
        )
    )
    made = in_fresh_process(
        """
        import segkit
        from my_blocks import DoubleEncoder
        model = segkit.models.seget(filters=(2, 4), dilation_rates=(1,), encoder_block=DoubleEncoder)
        segkit.save_model(model, "m.keras", segkit.ModelCard(name="a", structure="a"))
        """
    )
    assert made.returncode == 0, made.stderr
    opened = in_fresh_process(
        """
        import my_blocks
        import segkit
        print(type(segkit.load_model("m.keras").get_layer("encoder_1")).__name__)
        """
    )
    assert opened.stdout.strip() == "DoubleEncoder", opened.stderr
    (tmp_path / "my_blocks.py").write_text("print('imported')")
    lost = in_fresh_process(
        """
        import segkit
        try:
            segkit.load_model("m.keras")
        except segkit.InputError as fault:
            print(fault)
        """
    )
    assert "needs the class 'mine>DoubleEncoder', of the module 'my_blocks', which is not imported" in lost.stdout
    assert lost.stdout.count("imported") == 1  # its own print has not run


@pytest.mark.parametrize(
    ("decorator", "name"),
    [('@keras.saving.register_keras_serializable(package="mine")', "mine>DoubleEncoder"), ("", "DoubleEncoder")],
)
def test_a_class_of_the_program_that_wrote_the_model_is_named_as_such(decorator, name, tmp_path, warm_python):
    made = warm_python.run(
        [
            "-c",
            textwrap.dedent(
                f"""
                import keras
                import segkit
                from segkit.layers import EncoderBlock

                {decorator}
                class DoubleEncoder(EncoderBlock):
                    pass

                model = segkit.models.seget(filters=(2, 4), dilation_rates=(1,), encoder_block=DoubleEncoder)
                segkit.save_model(model, "m.keras", segkit.ModelCard(name="a", structure="a"))
                """
            ),
        ],
        tmp_path,
    )
    assert made.returncode == 0, made.stderr
    with pytest.raises(InputError) as fault:  # in this program, which lacks the class
        load_model(tmp_path / "m.keras")
    assert f"needs the class {name!r}, which was defined in the program that wrote" in str(fault.value)
    assert "damaged" not in str(fault.value)


def test_what_is_no_model_is_said_in_one_line(tmp_path):
    (tmp_path / "text.keras").write_text("no model")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "plan.json").touch()
    keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]).save(tmp_path / "plain.keras")
    for path, message in (
        (tmp_path / "missing.keras", "no such file"),
        (tmp_path, "no model.keras in this folder; give"),
        (tmp_path / "run", r"run: no model.keras .* has not finished; finish it with its recipe's --out .*run --res"),
        (tmp_path / "text.keras", "not a Keras model file"),
        (tmp_path / "plain.keras", "without segkit's card"),
    ):
        with pytest.raises(InputError, match=message) as caught:
            read_card(path)
        assert "\n" not in str(caught.value)


def test_the_folder_of_several_runs_names_those_with_a_model(tmp_path):
    for name in "hgfedcb":
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.keras").touch()
    (tmp_path / "a").mkdir()
    told = "no model.keras in this folder, but in b, c, d, e, f, g, ... below it; give one of them, such as "
    with pytest.raises(InputError, match=f"{told}{tmp_path / 'b'}$"):
        resolve_model_path(tmp_path)
    with pytest.raises(InputError, match=r"no model\.keras in this folder; give"):
        resolve_model_path(tmp_path / "a")


@pytest.mark.parametrize(("kind", "title"), [("compare", "a comparison"), ("ablation", "an ablation")])
def test_the_folder_of_a_comparison_names_its_models(kind, title, tmp_path):
    (tmp_path / "plan.json").touch()
    (tmp_path / "mode.json").write_text(f'{{"kind": "{kind}"}}')
    with pytest.raises(InputError, match=rf"holds {title} of which no model .* its recipe's --out .* --resume"):
        resolve_model_path(tmp_path)
    for name in ("plain-0", "plain-1", "waits-0"):
        (tmp_path / "cells" / name).mkdir(parents=True)
    for name in ("plain-0", "plain-1"):
        save_model(tiny(), tmp_path / "cells" / name / "model.keras", CARD)
    with pytest.raises(InputError, match=rf"holds {title}; give one of its models, such as (.*)$") as caught:
        resolve_model_path(tmp_path)
    named = pathlib.Path(str(caught.value).rpartition("such as ")[2])
    assert resolve_model_path(named) == tmp_path / "cells" / "plain-0" / "model.keras"
    # Where the mode is missing or damaged, the results tell.
    (tmp_path / "mode.json").write_text("{")
    (tmp_path / "ablation.json").touch()
    with pytest.raises(InputError, match="holds an ablation; give one"):
        resolve_model_path(tmp_path)


def test_a_failed_save_leaves_the_older_file_alone(tmp_path, monkeypatch):
    save_model(tiny(), tmp_path / "m.keras", CARD)
    before = (tmp_path / "m.keras").read_bytes()

    def full(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("segkit.models.files.os.replace", full)
    with pytest.raises(OSError, match="No space left"):
        save_model(tiny(), tmp_path / "m.keras", CARD)
    assert (tmp_path / "m.keras").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["m.keras"]


def test_a_card_reads_later_versions_and_refuses_nonsense():
    assert ModelCard.from_dict({**CARD.to_dict(), "from_the_future": 1}) == CARD
    with pytest.raises(ValueError, match="`std` positive"):
        ModelCard(name="a", structure="a", preprocessing=Standardize(mean=0.0, std=0.0))


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../../evil", "a\0b", 5, None])
def test_a_name_that_no_folder_can_have_is_refused(name):
    with pytest.raises(ValueError, match=r"`name` must be text that can be the name of a folder.*Received: name="):
        ModelCard(name=name, structure="a")


@pytest.mark.parametrize(
    ("name", "read"),
    [("a/b", "a-b"), ("../../evil", "evil"), ("", "model"), ("..", "model"), ("nuclei 2.1", "nuclei 2.1")],
)
def test_a_card_that_was_given_any_name_still_opens(name, read):
    assert ModelCard.from_dict({**CARD.to_dict(), "name": name}) == dataclasses.replace(CARD, name=read)


def test_a_card_of_a_later_layout_is_refused():
    assert CARD.to_dict()["format"] == 2
    message = "model card: format 3, written by a later version of segkit; this one reads formats up to 2: install"
    with pytest.raises(InputError, match=message):
        ModelCard.from_dict({**CARD.to_dict(), "format": 3})
    for number in ("2", None, True):
        with pytest.raises(InputError, match=r"model card: format .*; give a whole number"):
            ModelCard.from_dict({**CARD.to_dict(), "format": number})
    assert ModelCard.from_dict({k: v for k, v in CARD.to_dict().items() if k != "format"}) == CARD


@pytest.mark.parametrize(
    ("entry", "value"),
    [
        ("multiple_px", 0),
        ("multiple_px", 2.5),
        ("halo_px", -3),
        ("tile_px", -1),
        ("voxel_size_nm", (0, -1, 1)),
        ("voxel_size_nm", (1.0, float("nan"), 1.0)),
        ("voxel_size_nm", (1.0, 2.0)),
        ("dtype", "foo"),
    ],
)
def test_numbers_that_no_model_has_are_refused(entry, value):
    with pytest.raises(ValueError, match=f"`{entry}` must be .*{entry}="):
        dataclasses.replace(CARD, **{entry: value})
    stored = {**CARD.to_dict(), entry: value}
    with pytest.raises(InputError, match=f"model card: .*{entry}"):
        ModelCard.from_dict(stored)


def test_precision_changes_the_arithmetic_and_keeps_weights_and_output():
    keras.utils.set_random_seed(0)  # logits that cancel out to nearly nothing would drown in rounding
    model = tiny()
    rough = with_precision(model, "mixed_bfloat16")
    assert with_precision(model, "float32") is model
    assert rough.get_layer("encoder_1").first.conv.compute_dtype == "bfloat16"
    assert rough.get_layer("logits").compute_dtype == "float32"
    for mine, other in zip(model.get_weights(), rough.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, other)
    exact = model.predict_on_batch(voxels())["logits"]
    np.testing.assert_allclose(rough.predict_on_batch(voxels())["logits"], exact, atol=0.1 * np.abs(exact).max())
    again = with_precision(rough, "float32")
    np.testing.assert_array_equal(again.predict_on_batch(voxels())["logits"], exact)


@pytest.mark.parametrize(
    ("name", "message"), [("m.h5", r"named \*\.keras"), ("none/m.keras", "there is no folder none")]
)
def test_a_place_for_no_model_file(tmp_path, monkeypatch, name, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=message):
        save_model(tiny(), name, CARD)
    assert not list(tmp_path.iterdir())


def test_numbers_of_numpy_on_a_card_are_written(tmp_path):
    card = ModelCard(
        name="m", structure="s", preprocessing=Standardize(mean=np.float32(1), std=np.float32(2)),
        multiple_px=np.int64(2), halo_px=np.int64(4), provenance={"score": np.float32(0.5)},
    )  # fmt: skip
    path = tmp_path / "m.keras"
    save_model(unet(filters=(2, 4)), path, card)
    found = read_card(path)
    assert (found.multiple_px, found.halo_px, found.preprocessing.std, found.provenance) == (2, 4, 2.0, {"score": 0.5})
