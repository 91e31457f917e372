import json

import pytest

from segkit.errors import InputError
from segkit.geometry.region import Region
from segkit.inference.predict_options import PredictOptions


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"threshold": 1.2}, r"threshold 1.2: expected a probability from 0 to 1"),
        ({"threshold": 0.9, "probability": True}, r"threshold 0.9: cannot be combined with the probability"),
        ({"threshold": "0.5"}, r"prediction: threshold '0.5'; give a number or null"),
        ({"threshold": float("nan")}, r"prediction: threshold nan; give a number"),
        ({"tta": "no"}, r"prediction: tta 'no'; give true or false"),
        ({"max_ram": 1.5}, r"prediction: max_ram 1.5; give a whole number or null"),
        ({"roi": "0:2"}, r"prediction: roi '0:2'; give"),
        ({"halo_px": -1}, r"halo of -1 px: expected 0 or more"),
        ({"tile_px": 64, "halo_px": 32}, r"tile of 64 px: expected more than twice the halo of 32 px"),
        ({"tile_px": 0}, r"tile of 0 px: expected more than twice the halo"),
        ({"windows": (0, 2)}, r"windows \(0, 2\): expected two whole numbers \(y, x\), at least 1"),
        ({"windows": 2}, r"windows 2: expected two whole numbers"),
        ({"windows": (1.0, 2.0)}, r"windows \(1\.0, 2\.0\): expected two whole numbers"),
        ({"windows": (True, 2)}, r"windows \(True, 2\): expected two whole numbers"),
        ({"windows": (1, 2, 3)}, r"windows \(1, 2, 3\): expected two whole numbers"),
        ({"windows": "12"}, r"windows '12': expected two whole numbers"),
        ({"max_ram": 0}, r"memory bound of 0 bytes"),
        ({"precision": "float16"}, r"precision 'float16': expected one of float32, mixed_bfloat16"),
    ],
)
def test_choices_out_of_range_are_refused(choices, message):
    with pytest.raises(InputError, match=message):
        PredictOptions(**choices)


def test_what_counts_is_everything_but_memory():
    options = PredictOptions(max_ram=10**9, roi=Region((1, 2)), tta=True, windows=(2, 3))
    counts = options.what_counts()
    assert json.loads(json.dumps(counts)) == counts
    assert counts == PredictOptions(max_ram=5 * 10**9, roi=Region((1, 2)), tta=True, windows=(2, 3)).what_counts()
    assert counts != PredictOptions(max_ram=10**9, roi=Region((1, 3)), tta=True, windows=(2, 3)).what_counts()
    assert counts != PredictOptions(max_ram=10**9, roi=Region((1, 2)), tta=True).what_counts()
    assert set(counts) == {
        "threshold", "probability", "average", "tta", "roi", "halo_px", "tile_px", "windows", "rescale", "precision",
        "match_grey_values", "invert",
    }  # fmt: skip
