"""What the papers do, taken away point by point: the tests of each module must notice.

python tests/mutation/paper_points.py
"""

import pathlib
import sys
import tempfile

from run_mutations import ROOT, WarmPython, check_unchanged, outcome

POINTS = (
    ("adaptive weights off", "targets/foreground", "min(background / foreground, limit)", "1.0"),
    ("adaptive weights not passed on", "training/preparation", "weight_limit=plan.weight_limit", "weight_limit=None"),
    ("positive copies off", "training/preparation", "_copies(plan.positive_copies)", "_copies(0)"),
    (
        "mean and deviation over held-out slices too", "training/preparation",
        "trained = [(volume.tomogram.array, volume.split.train) for",
        "trained = [(volume.tomogram.array, range(volume.tomogram.shape[0])) for",
    ),
    ("no time decay", "training/fit", "        plan.decay,\n", "        0.0,\n"),
    ("early stopping never", "training/fit", "patience=plan.early_stopping_patience", "patience=10**9"),
    (
        "mean 0 and deviation 1 on the card", "experiments/training_run",
        "preprocessing=prepared.preprocessing", "preprocessing=type(prepared.preprocessing)(mean=0.0, std=1.0)",
    ),
    ("no CLAHE", "preprocessing/pseudocolor", ".apply(values))", ".apply(values) * 0 + values)"),
    ("no blur", "preprocessing/pseudocolor", "cv2.blur(equalized, (self.blur_px, self.blur_px))", "equalized"),
    ("squeeze by maximum", "layers/squeeze_excite", "ops.mean(", "ops.max("),
    ("softplus for sigmoid", "layers/squeeze_excite", 'activation="sigmoid"', 'activation="softplus"'),
    (
        "squeeze and excitation before the second convolution", "layers/conv_pair_se",
        "self.squeeze_excite(self.second(self.first(inputs, training=training), training=training))",
        "self.second(self.squeeze_excite(self.first(inputs, training=training)), training=training)",
    ),
    ("nearest for bilinear", "ops/linear_up", 'size, "bilinear"', 'size, "nearest"'),
    ("average for max pooling", "models/unet_se", "MaxPooling2D", "AveragePooling2D"),
)  # fmt: skip
"""What is taken away, the module, and the text that is replaced, which stands in it once."""


def main():
    python, alive = WarmPython(), 0
    with tempfile.TemporaryDirectory(prefix="points-") as folder:
        modules = [f"segkit/{module}.py" for _, module, *_ in POINTS]
        check_unchanged(python, modules, pathlib.Path(folder))
        for (title, _, before, after), module in zip(POINTS, modules, strict=True):
            source = (ROOT / module).read_text()
            assert source.count(before) == 1, f"{module}: {before!r} stands in it {source.count(before)} times"
            found = outcome(python, module, source.replace(before, after), pathlib.Path(folder))
            alive += not found["dies"]
            print(f"{title:<56}{'dies' if found['dies'] else 'SURVIVES':<10}{found['by'] or ''}", flush=True)
    python.close()
    print(f"{alive} of {len(POINTS)} survive")
    sys.exit(alive > 0)


if __name__ == "__main__":
    main()
