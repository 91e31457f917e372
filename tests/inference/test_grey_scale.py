"""The same volume on other grey scales: the same mask, or a warning, in every case."""

import dataclasses

import numpy as np
import pytest
from tiny_models import pointwise

from segkit.errors import InputError
from segkit.inference.grey_scale import GreyScale, grey_scale
from segkit.inference.loaded_model import LoadedModel
from segkit.inference.predict_options import PredictOptions
from segkit.inference.predict_volume import predict_volume
from segkit.models.card import ModelCard
from segkit.preprocessing.color_slices import ColorSlices
from segkit.preprocessing.colorings import GreyTriple
from segkit.preprocessing.grey_values import GreyValues, measure_grey_values
from segkit.preprocessing.pseudocolor import Pseudocoloring
from segkit.preprocessing.standardize import Standardize
from segkit.preprocessing.standardize_each import StandardizeEach
from segkit.volumes.files import open_volume
from segkit.volumes.volume import Volume

RNG = np.random.default_rng(0)


def section():
    """Dark blobs on a bright, noisy ground, as stained sections have them: 30 to 190, uint8."""
    y, x = np.mgrid[:48, :64]
    image = RNG.normal(150, 12, (4, 48, 64))
    for cy, cx in ((12, 12), (30, 40), (38, 10)):
        image -= 85 * ((y - cy) ** 2 + (x - cx) ** 2 < 36)
    return np.clip(image, 1, 254).round().astype(np.uint8)


SECTION = section()
SIGNED = (SECTION.astype(int) - 128).astype(np.int8)


def model(preprocessing, trained_on=SECTION):
    """A network that finds what is darker than one standard deviation below 0."""
    measured = preprocessing.measured([(trained_on, range(4))])
    grey_values = measure_grey_values([(trained_on, range(4))])
    return pointwise(-8.0, -8.0, preprocessing=measured, dtype=str(trained_on.dtype), grey_values=grey_values)


def predicted(loaded, array, folder, caplog, **options):
    caplog.clear()
    done = predict_volume([loaded], Volume(array=array), folder / "m.mrc", PredictOptions(**options), overwrite=True)
    lines = [record.getMessage() for record in caplog.records]
    warned = [line for line in lines if line.startswith("warning: ") and "voxel size" not in line]
    return np.asarray(open_volume(done.path).array[:]), warned


SITUATIONS = {
    "as it was": SECTION,
    "uint16": SECTION.astype(np.uint16),
    "float32": SECTION.astype(np.float32),
    "int8, shifted": SIGNED,
    "int8, the same bits": SECTION.view(np.int8),
    "brighter": (SECTION.astype(np.int16) + 700),
    "brighter by half a deviation": SECTION + 0.5 * SECTION.std().astype(np.float32),
    "contrast of 0.6": SECTION.mean() + np.float32(0.6) * (SECTION - SECTION.mean()),
    "256 times": SECTION.astype(np.uint16) * 256,
    "mean 0, deviation 1": ((SECTION - SECTION.mean()) / SECTION.std()).astype(np.float32),
    "inverted": 255 - SECTION,
    "inverted about its mean": (2 * SECTION.mean() - SECTION).astype(np.float32),
}
SCALES = {"run": Standardize(), "volume": StandardizeEach(per="volume"), "slice": StandardizeEach(per="slice")}


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("situation", SITUATIONS)
def test_the_same_mask_or_a_warning(situation, scale, tmp_path, caplog):
    loaded, array = model(SCALES[scale]), SITUATIONS[situation]
    expected, warned = predicted(loaded, SECTION, tmp_path, caplog)
    assert 0.03 < expected.mean() < 0.2 and not warned
    found, warned = predicted(loaded, array, tmp_path, caplog)
    if not (is_same := (found != expected).mean() < 0.002):
        assert len(warned) == 1 and "m.mrc" not in warned[0]
    # What is said matters: of a scale that a normalisation takes away nothing, of exchanged light and dark always.
    is_inverted, has_other_bits = "inverted" in situation, situation == "int8, the same bits"
    if scale != "run" and not has_other_bits:
        assert is_same != is_inverted
    if is_inverted:
        assert "use --invert" in warned[0]
    if situation in ("uint16", "float32"):
        assert is_same and not warned
    if "int8" in situation and scale == "run":
        assert is_same and "bytes were" in warned[0]


@pytest.mark.parametrize("situation", ["brighter", "256 times", "mean 0, deviation 1"])
def test_other_scales_are_matched_where_that_is_asked_for(situation, tmp_path, caplog):
    loaded = model(Standardize())
    expected, _ = predicted(loaded, SECTION, tmp_path, caplog)
    found, warned = predicted(loaded, SITUATIONS[situation], tmp_path, caplog, match_grey_values=True)
    assert (found != expected).mean() < 0.002 and not warned


@pytest.mark.parametrize("scale", SCALES)
def test_light_and_dark_are_exchanged_where_that_is_asked_for(scale, tmp_path, caplog):
    loaded = model(SCALES[scale])
    expected, _ = predicted(loaded, SECTION, tmp_path, caplog)
    options = {"invert": True, "match_grey_values": scale == "run"}
    found, warned = predicted(loaded, SITUATIONS["inverted"], tmp_path, caplog, **options)
    assert (found != expected).mean() < 0.002 and not warned


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("situation", ["as it was", "256 times", "inverted", "inverted about its mean"])
def test_exchanged_light_and_dark_are_told_of_where_values_are_matched_too(scale, situation, tmp_path, caplog):
    loaded, is_inverted = model(SCALES[scale]), "inverted" in situation
    for inverts in (False, True):
        options = {"match_grey_values": True, "invert": inverts}
        _, warned = predicted(loaded, SITUATIONS[situation], tmp_path, caplog, **options)
        assert len(warned) == (is_inverted != inverts)
        if warned:
            remedy = "exchanged by --invert: if they are, leave it out" if inverts else "if they are, use --invert"
            assert remedy in warned[0] and "--match-grey-values" not in warned[0]
    _, warned = predicted(loaded, SITUATIONS[situation], tmp_path, caplog, invert=True)
    assert is_inverted or "leave it out" in warned[0]


def test_inverted_values_are_compared_with_the_training_too(tmp_path, caplog):
    loaded = model(Standardize())
    expected, _ = predicted(loaded, SECTION, tmp_path, caplog)
    about_its_mean = SITUATIONS["inverted about its mean"]
    found, warned = predicted(loaded, about_its_mean, tmp_path, caplog, invert=True)
    assert (found != expected).mean() < 0.002 and not warned
    found, (warning,) = predicted(loaded, 3 * about_its_mean, tmp_path, caplog, invert=True)
    assert "the result may be empty or wrong" in warning and "--match-grey-values" in warning


def test_a_model_of_signed_bytes_takes_unsigned_ones(tmp_path, caplog):
    loaded = model(Standardize(), SIGNED)
    expected, warned = predicted(loaded, SIGNED, tmp_path, caplog)
    assert expected.any() and not warned
    found, (warning,) = predicted(loaded, SECTION, tmp_path, caplog)
    np.testing.assert_array_equal(found, expected)
    assert "uint8 bytes were shifted by 128" in warning


def test_cards_of_before_know_mean_and_deviation(caplog, tmp_path):
    old = dataclasses.replace(model(Standardize()).card, grey_values=None)
    volume = Volume(array=SITUATIONS["mean 0, deviation 1"])
    (remark,) = grey_scale(volume, old, PredictOptions()).remarks
    assert "trained on uint8 of mean" in remark and "and deviation" in remark
    # Without the type of the training bytes cannot be read in another way.
    unknown = dataclasses.replace(old, dtype=None)
    assert grey_scale(Volume(array=SIGNED), unknown, PredictOptions()).reading is None


def test_nothing_is_known_of_the_training(caplog):
    card = dataclasses.replace(model(Standardize()).card, preprocessing=ColorSlices(coloring=GreyTriple()))
    card = dataclasses.replace(card, grey_values=None, dtype=None)
    assert grey_scale(Volume(array=SECTION), card, PredictOptions()).is_as_stored
    inverted = grey_scale(Volume(array=SECTION), card, PredictOptions(invert=True))
    found = inverted(SECTION)
    assert found.mean() == pytest.approx(SECTION.mean(), rel=5e-3)
    assert np.corrcoef(found.ravel(), SECTION.ravel())[0, 1] == pytest.approx(-1)
    with pytest.raises(InputError, match="its card does not hold the grey values of the training"):
        grey_scale(Volume(array=SECTION), card, PredictOptions(match_grey_values=True))


def test_cards_of_before_know_the_type_of_coloured_slices_alone():
    card = ModelCard(name="m", structure="s", preprocessing=ColorSlices(coloring=Pseudocoloring()), dtype="uint8")
    assert grey_scale(Volume(array=SECTION), card, PredictOptions()) == GreyScale()
    inverted = grey_scale(Volume(array=SECTION), card, PredictOptions(invert=True))
    assert inverted(SECTION).dtype == np.uint8 and inverted(SECTION).mean() == pytest.approx(SECTION.mean(), rel=5e-3)
    with pytest.raises(InputError, match="leave out --match-grey-values"):
        grey_scale(Volume(array=SECTION), card, PredictOptions(match_grey_values=True))


def test_a_card_travels_with_its_grey_values(tmp_path):
    loaded = model(Standardize())
    assert type(loaded.card).from_dict(loaded.card.to_dict()) == loaded.card
    assert isinstance(loaded, LoadedModel)


FEW_BRIGHT = np.where(RNG.random((4, 48, 64)) < 0.1, RNG.normal(170, 20, (4, 48, 64)), RNG.normal(8, 3, (4, 48, 64)))
FEW_BRIGHT = FEW_BRIGHT.clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("scale", SCALES)
def test_bytes_of_the_other_sign_are_never_taken_as_they_are_in_silence(scale, tmp_path, caplog):
    # As signed bytes the bright ones are negative, and mean and deviation are still like those of the training.
    loaded = model(SCALES[scale], FEW_BRIGHT)
    expected, warned = predicted(loaded, FEW_BRIGHT, tmp_path, caplog)
    assert not warned
    found, (warning,) = predicted(loaded, FEW_BRIGHT.view(np.int8), tmp_path, caplog)
    assert np.array_equal(found, expected) and "int8 bytes were read as bytes of the other sign" in warning
    neither = np.tile(np.arange(256, dtype=np.uint8), (4, 48, 1)).view(np.int8)
    _, (warning,) = predicted(loaded, neither, tmp_path, caplog)
    assert "the result may be" in warning


@pytest.mark.parametrize("options", [{"match_grey_values": True}, {"invert": True}])
def test_converted_values_have_the_type_that_equalising_needs(options):
    trained = GreyValues(dtype="uint8", mean=100.0, std=30.0, skewness=1.0)
    volume = Volume(array=(10 * SECTION.astype(np.float32)))
    for coloring, dtype in ((Pseudocoloring(), np.uint8), (GreyTriple(), np.float32)):
        card = ModelCard(
            name="m", structure="s", preprocessing=ColorSlices(coloring=coloring), dtype="uint8", grey_values=trained
        )
        found = np.asarray(grey_scale(volume, card, PredictOptions(**options)).of(volume).array[0])
        assert found.dtype == dtype
        if "match_grey_values" in options:
            assert abs(found.mean() - 100) < 2 and abs(found.std() - 30) < 2
