"""Nuclei of the Data Science Bowl 2018 as the recipe takes them: a folder of images and one of labels.

    python -m benchmarks.dsb2018_folders dsb_fluo_256x256.npz dsb_fluo_360x360.npz ... --out data/dsb2018

Files are named by the images' ids, which are hashes: in their order the two kinds of images are mixed, and the recipe's
split by order is one by chance.
"""

from __future__ import annotations

import argparse
import pathlib

import numpy as np

from segkit.volumes.files import save_volume
from segkit.volumes.volume import Volume


def main() -> None:
    """Write the folders."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("npz", nargs="+", help="arrays image, label and id")
    parser.add_argument("--out", type=pathlib.Path, required=True)
    args = parser.parse_args()
    count = 0
    for path in args.npz:
        with np.load(path) as arrays:
            for image, labels, name in zip(arrays["image"], arrays["label"], arrays["id"], strict=True):
                for folder, array in (("images", image), ("labels", labels)):
                    target = args.out / folder / f"{name}.tif"
                    target.parent.mkdir(parents=True, exist_ok=True)
                    save_volume(target, Volume(array=array[None]), overwrite=True)
                count += 1
    print(f"{count} images in {args.out}")


if __name__ == "__main__":
    main()
