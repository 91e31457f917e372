"""One volume stored in every way that grey values are stored in: is the mask the same, or is there a warning?

python -m benchmarks.grey_situations --model runs/centriole --input phantom.mrc --out grey_situations.md

Every row is a file of its own that ``segkit predict`` would be given. "equal" is the share of voxels of the result that
are those of the volume as it is; "warned" says what the log tells.
"""

from __future__ import annotations

import argparse
import logging
import pathlib
import tempfile
from collections.abc import Callable

import numpy as np

from benchmarks.table import show_table
from segkit.experiments.tables import Table
from segkit.inference.loaded_model import LoadedModel
from segkit.inference.predict_options import PredictOptions
from segkit.inference.predict_volume import predict_volume
from segkit.volumes.files import open_volume, save_volume
from segkit.volumes.volume import Volume

Stored = Callable[[np.ndarray], np.ndarray]


def _bytes(values: np.ndarray, dtype: type) -> np.ndarray:
    info = np.iinfo(dtype)
    return values.clip(info.min, info.max).astype(dtype)


def situations(values: np.ndarray) -> dict[str, tuple[np.ndarray, dict[str, bool]]]:
    """Return the same voxels stored otherwise, with the options that a user may give.

    Args:
        values: int8 or uint8, ``(z, y, x)``.
    """
    is_signed = values.dtype == np.int8
    other = np.uint8 if is_signed else np.int8
    grey = values.astype(np.float32)
    unsigned = grey + 128 * is_signed  # 0 to 255
    standard = (grey - grey.mean()) / grey.std()
    turned = grey.min() + grey.max() - grey
    return {
        "as it is": (values, {}),
        "the other sign, shifted by 128": (
            _bytes(unsigned, np.uint8) if is_signed else _bytes(grey - 128, np.int8),
            {},
        ),
        "the other sign, same bytes": (values.view(other), {}),
        "int16": (values.astype(np.int16), {}),
        "float32": (grey, {}),
        "uint16, 257 times": (_bytes(257 * unsigned, np.uint16), {}),
        "uint16, 257 times, --match-grey-values": (_bytes(257 * unsigned, np.uint16), {"match_grey_values": True}),
        "float32 of mean 0 and deviation 1": (standard, {}),
        "float32 of mean 0 and deviation 1, --match-grey-values": (standard, {"match_grey_values": True}),
        "float32 from 0 to 1": (unsigned / 255, {}),
        **{
            f"contrast of {name}": (_bytes(grey.mean() + factor * (grey - grey.mean()), values.dtype.type), {})
            for name, factor in {"three halves": 1.5, "two thirds": 2 / 3, "a half": 0.5, "a third": 1 / 3}.items()
        },
        "brighter by 10": (_bytes(grey + 10, values.dtype.type), {}),
        **{
            f"brighter by {name}": (_bytes(grey + factor * grey.std(), values.dtype.type), {})
            for name, factor in {"half a deviation": 0.5, "1 deviation": 1.0, "2 deviations": 2.0}.items()
        },
        "darker by 1 deviation": (_bytes(grey - grey.std(), values.dtype.type), {}),
        "inverted": (turned, {}),
        "inverted, --invert": (turned, {"invert": True}),
        "inverted, --match-grey-values": (turned, {"match_grey_values": True}),
        "as it is, --match-grey-values --invert": (values, {"match_grey_values": True, "invert": True}),
        "inverted, of mean 0 and deviation 1, both options": (-standard, {"match_grey_values": True, "invert": True}),
    }


class Remembered(logging.Handler):
    """Keeps the warnings of a prediction."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line, without the names of volume and model."""
        self.lines.append(record.getMessage().removeprefix("warning: ").split(": ", 1)[-1])


def main() -> None:
    """Predict all and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True)
    parser.add_argument("--input", required=True, help="int8 or uint8, as the model was trained on")
    parser.add_argument("--slices", type=int, default=4, metavar="N", help="of the middle of the volume")
    parser.add_argument("--out", type=pathlib.Path)
    args = parser.parse_args()
    model, volume = LoadedModel.open(args.model), open_volume(args.input)
    first = (volume.shape[0] - args.slices) // 2
    values = np.asarray(volume.array[first : first + args.slices])
    log = logging.getLogger("segkit")
    log.setLevel(logging.WARNING)
    log.propagate = False
    rows, expected = [], None
    with tempfile.TemporaryDirectory() as folder:
        for name, (stored, options) in situations(values).items():
            told = Remembered()
            log.handlers[:] = [told]
            paths = [pathlib.Path(folder, file) for file in ("in.h5", "out.h5")]
            save_volume(paths[0], Volume(array=stored, voxel_size_nm=volume.voxel_size_nm), overwrite=True)
            predict_volume([model], open_volume(paths[0]), paths[1], PredictOptions(**options), overwrite=True)
            found = np.asarray(open_volume(paths[1]).array[:])
            expected = found if expected is None else expected
            grey = [line for line in told.lines if "no voxel" not in line and "voxel size" not in line]
            rows.append(
                [
                    name,
                    f"{100 * (found == expected).mean():.3f} %",
                    str(np.count_nonzero(found)),
                    "; ".join(grey) or "-",
                ]
            )
    lines = [f"`{pathlib.Path(args.input).name}`, {args.slices} slices, model {model.card.name}.", ""]
    lines += Table(["stored as", "equal", "voxels that are not 0", "warned"], rows).to_markdown().splitlines()
    show_table(lines, args.out)


if __name__ == "__main__":
    main()
