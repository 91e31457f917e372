"""Arguments that every recipe on images with classes takes, and what they mean."""

from __future__ import annotations

import argparse
import pathlib

from segkit.data.sources import Source
from segkit.errors import InputError
from segkit.experiments.arguments import (
    add_annotation_argument,
    add_normalization_argument,
    add_reading_arguments,
    add_slice_arguments,
    annotated_slices,
    check_annotated,
)
from segkit.experiments.names import plain_stem
from segkit.experiments.shares import split_in_order
from segkit.progress import ProgressLine
from segkit.volumes.checks import check_annotation_file, check_not_image
from segkit.volumes.files import open_volume


def add_image_arguments(parser: argparse.ArgumentParser) -> argparse._ArgumentGroup:
    """Add images with labels, the names of the classes, and which images are for what."""
    data = parser.add_argument_group("data")
    data.add_argument("--images", metavar="FILE", help="stack of grey images, or a folder of them")
    data.add_argument("--labels", metavar="FILE", help="stack of the same shape with the classes 0, 1, 2, ...")
    data.add_argument("--name", help="what is segmented; names the run and the served model (the images' file name)")
    data.add_argument(
        "--class-names", metavar="A,B,...", help="names of the classes 0, 1, 2, ..., including those that do not occur"
    )
    data.add_argument("--ignore-value", type=int, metavar="V", help="label of unannotated pixels")
    data.add_argument("--flip-y", action="store_true", help="flip the labels in y")
    add_reading_arguments(data)
    add_annotation_argument(data)
    add_normalization_argument(data)
    add_slice_arguments(data)
    return data


def images_name(args: argparse.Namespace) -> str:
    """Return the name of what is segmented: as given, or the images' file name."""
    return args.name or plain_stem(args.images, "images")


def images_shape(args: argparse.Namespace) -> tuple[int, ...]:
    """Return images, rows and columns.

    Raises:
        InputError: If images or labels cannot be read, their shapes differ, or they are the same file or exchanged.
    """
    images, labels = (
        open_volume(path, channel=channel, progress=ProgressLine(f"opening {pathlib.Path(path).name}", "bytes"))
        for path, channel in ((args.images, args.channel), (args.labels, None))
    )
    check_annotation_file(labels, images)
    check_not_image(labels)
    return images.shape


def images_source(args: argparse.Namespace, count: int) -> Source:
    """Return the images with what each is for: as given, or 70, 10 and 20 % in their order.

    Args:
        args: The command line.
        count: Number of images.

    Raises:
        InputError: If they are too few, or ranges cannot be read, reach outside, or overlap.
    """
    chosen = (args.train_z, args.validation_z, args.test_z)
    if any(chosen) and not (args.train_z and args.validation_z):
        raise InputError("give --train-z and --validation-z together, or neither")
    annotated = annotated_slices(args, args.labels, count)
    check_annotated(args, annotated, args.labels, count)
    parts = [text or "" for text in chosen] if any(chosen) else split_in_order(args.images, annotated)
    uses = dict(zip(("train", "validation", "test"), parts, strict=True))
    in_part = args.annotation != "complete"
    strokes = args.annotation == "strokes"
    files = {"tomogram": args.images, "mask": args.labels, "flip_y": args.flip_y}
    reading = {"channel": args.channel, "unsigned": args.unsigned}
    source = Source(**files, **reading, annotated_in_part=in_part, strokes=strokes, **uses)
    source.split(count)  # refuses slices that are used twice
    return source


def class_names(args: argparse.Namespace, known: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Return the names of all classes: as given, as known for the data, or numbered like the labels that are found.

    Args:
        args: The command line.
        known: Names that the data are known to have; empty for none.

    Raises:
        InputError: If the labels cannot be read, or are no classes.
    """
    if args.class_names:
        names = tuple(name.strip() for name in args.class_names.split(","))
        if len(names) < 2 or len(set(names)) < len(names) or not all(names):
            raise InputError(f"--class-names {args.class_names!r}; give two or more different names")
        return names
    if known:
        return known
    # Here, not above: --help and mistakes need not wait for what checks labels.
    from segkit.volumes.label_checks import check_labels

    source = Source(tomogram=args.images, mask=args.labels, strokes=args.annotation == "strokes")
    labels = source.open_mask(progress=ProgressLine(f"opening {pathlib.Path(args.labels).name}", "bytes"))
    found = check_labels(labels, ignore_value=args.ignore_value, progress=ProgressLine("reading the labels", "slices"))
    return ("background", *(f"class-{label}" for label in range(1, found.num_classes)))
