"""What is fuzzed: for every reader small valid files, how they are damaged, and how they are read."""

import bz2
import gzip
import io
import json
import pathlib
import struct
import zipfile
import zlib

import numpy as np
from mutations import mutated, mutated_json


class Subject:
    """One reader.

    Args:
        make: Returns the valid files by name, made in an empty folder that it is given.
        read: Reads the file, or the folder, at a path, all of it.
        mutate: Damages the bytes of a file, ``(data, rng) -> bytes``.
        in_folder: What is read is the folder, and one file of it is damaged.
        imports: Modules to import before the clock runs.
    """

    def __init__(self, make, read, mutate=mutated, in_folder=False, imports=()):
        self.make, self.read, self.mutate, self.in_folder, self.imports = make, read, mutate, in_folder, imports


def _image(dtype=np.uint8, shape=(5, 24, 20)):
    return np.random.default_rng(0).integers(0, 100, shape).astype(dtype)


def _read_volume(path):
    from segkit.volumes.description import describe
    from segkit.volumes.files import open_volume

    describe(open_volume(path))


def _volumes(suffixes, kinds=("int8", "uint16", "float32")):
    def make(folder):
        from segkit.volumes.files import save_volume
        from segkit.volumes.volume import Volume

        for kind in kinds:
            for suffix in suffixes:
                volume = Volume(array=_image(kind), voxel_size_nm=(2.0, 1.0, 1.0))
                save_volume(folder / f"{kind}{suffix}", volume)
        return {path.name: path.read_bytes() for path in folder.iterdir()}

    return make


def _tiffs(folder):
    import tifffile

    image = _image(np.uint16)
    options = {
        "plain": {},
        "deflate": {"compression": "zlib"},
        "lzma": {"compression": "lzma"},
        "tiled": {"tile": (16, 16), "compression": "zlib"},
        "ome": {"ome": True, "metadata": {"axes": "ZYX", "PhysicalSizeX": 0.01, "PhysicalSizeXUnit": "µm"}},
        "ome_deflate": {"ome": True, "compression": "zlib", "metadata": {"axes": "ZYX"}},
        "imagej": {"imagej": True, "resolution": (10, 10), "metadata": {"axes": "ZYX", "spacing": 2.0, "unit": "nm"}},
        "big": {"bigtiff": True},
        "other_order": {"byteorder": ">"},
    }
    for name, settings in options.items():
        tifffile.imwrite(folder / f"{name}.tif", image, photometric="minisblack", **settings)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def _niftis(folder):
    import nibabel

    for kind in ("int16", "float32"):
        image = nibabel.Nifti1Image(_image(kind).T, np.eye(4))
        image.header.set_xyzt_units("micron")
        nibabel.save(image, folder / f"{kind}.nii")
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def _amiras(folder):
    header = (
        "# AmiraMesh BINARY-LITTLE-ENDIAN 2.1\ndefine Lattice 20 24 5\nParameters {{ BoundingBox 0 19 0 23 0 4,\n"
        'CoordType "uniform" }}\nLattice {{ byte Labels }} @1{}\n\n@1\n'
    )
    data = (_image() // 50).tobytes()
    runs = b"".join(bytes([0x81, byte]) for byte in data)
    for name, stored, packing in (
        ("raw", data, ""),
        ("zip", zlib.compress(data), f"(HxZip,{len(zlib.compress(data))})"),
        ("runs", runs, f"(HxByteRLE,{len(runs)})"),
    ):
        (folder / f"{name}.am").write_bytes(header.format(packing).encode() + stored)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def _hdf5s(folder):
    import h5py

    image = _image(np.uint16)
    for name, settings in {
        "plain": {},
        "gzip": {"chunks": (1, 24, 20), "compression": "gzip"},
        "shuffle": {"chunks": (2, 8, 8), "compression": "gzip", "shuffle": True, "fletcher32": True},
        "newest": {"chunks": (1, 24, 20), "compression": "lzf"},
    }.items():
        with h5py.File(folder / f"{name}.h5", "w", libver="latest" if name == "newest" else None) as file:
            file.create_group("group").create_dataset("raw", data=image, **settings)
            file["group/raw"].attrs["element_size_um"] = [0.2, 0.1, 0.1]
            file["group/raw"].attrs["note"] = "text of any length"
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def _pngs(folder):
    from PIL import Image

    eight = _image(shape=(24, 20))
    Image.fromarray(eight).save(folder / "0.png")
    Image.fromarray(eight).save(folder / "1.png")
    return {"1.png": (folder / "1.png").read_bytes()}


def _png_files(folder):
    from PIL import Image

    Image.fromarray(_image(shape=(24, 20))).save(folder / "eight.png")
    Image.fromarray(_image(np.uint16, shape=(24, 20))).save(folder / "sixteen.png")
    Image.fromarray(_image(shape=(24, 20))).convert("P").save(folder / "palette.png")
    Image.fromarray(_image(shape=(24, 20)) > 50).save(folder / "bits.png")
    Image.fromarray(_image(shape=(24, 20))).convert("RGBA").save(folder / "colour.png")
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def _mutate_png(data, rng):
    """Damage a PNG file; every second time the check sums of its chunks are put right afterwards."""
    data = mutated(data, rng)
    if rng.random() < 0.5:
        return data
    found, at = bytearray(data[:8]), 8
    while at + 8 <= len(data):
        (size,) = struct.unpack_from(">I", data, at)
        content = data[at + 4 : at + 8 + size]
        found += data[at : at + 4] + content + struct.pack(">I", zlib.crc32(content))
        at += size + 12
    return bytes(found)


def _mutate_packed(data, rng):
    """Damage a compressed file, or what is inside it."""
    if rng.random() < 0.5:
        return mutated(data, rng)
    if data.startswith(b"BZh"):
        return bz2.compress(mutated(bz2.decompress(data), rng))
    return gzip.compress(mutated(gzip.decompress(data), rng))


def _mutate_archive(data, rng):
    """Damage a zip archive, or a member of it."""
    if rng.random() < 0.3:
        return mutated(data, rng)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = rng.choice(sorted(members))
    if rng.random() < 0.1:
        del members[name]
    elif name.endswith(".json"):
        members[name] = mutated_json(members[name].decode(), rng)
    else:
        members[name] = mutated(members[name], rng)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


def _mutate_text(data, rng):
    return mutated_json(data.decode(), rng)


def _models(folder):
    import keras

    from segkit.layers.fr_enhance import FREnhance
    from segkit.models.card import ModelCard
    from segkit.models.files import save_model
    from segkit.preprocessing.standardize import Standardize

    inputs = keras.Input((None, None, 1))
    features = FREnhance(num_enhanced=1, gain=2.0, seed=0)(keras.layers.Conv2D(2, 3, padding="same")(inputs))
    model = keras.Model(inputs, {"logits": keras.layers.Conv2D(1, 1, dtype="float32")(features)})
    card = ModelCard(name="tiny", structure="golgi", preprocessing=Standardize(mean=10.0, std=4.0), multiple_px=8)
    save_model(model, folder / "model.keras", card)
    return {"model.keras": (folder / "model.keras").read_bytes()}


def _read_model(path):
    from segkit.models.files import load_model, read_card

    read_card(path)
    load_model(path)


def _cards(folder):
    _models(folder)
    with zipfile.ZipFile(folder / "model.keras") as archive:
        return {"segkit.json": archive.read("segkit.json")}


def _read_card(path):
    from segkit.models.files import read_card

    packed = pathlib.Path(path).with_suffix(".keras")
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("config.json", "{}")
        archive.writestr("segkit.json", pathlib.Path(path).read_bytes())
    read_card(packed)


def _plans(folder):
    from segkit.data.sources import Source
    from segkit.experiments.plan import RunPlan, write_plan
    from segkit.tasks.cells import CellsTask
    from segkit.tasks.classes import ClassesTask

    source = Source(tomogram="T.mrc", mask="M.mrc")
    settings = {"recipe": "segET", "structure": "golgi", "preset": "paper", "data": (source,)}
    write_plan(RunPlan(**settings), folder / "golgi.json")
    write_plan(RunPlan(**settings, task=CellsTask()), folder / "cells.json")
    write_plan(RunPlan(**settings, task=ClassesTask(class_names=("a", "b", "c"))), folder / "classes.json")
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def _read_plan(path):
    from segkit.experiments.plan import read_plan

    read_plan(pathlib.Path(path))


def _legends(folder):
    from segkit.inference.legend import write_legend

    write_legend(folder / "labels.legend.json", ["golgi", "synapse"])
    return {"labels.legend.json": (folder / "labels.legend.json").read_bytes()}


def _read_legend(path):
    from segkit.inference.legend import read_legend

    read_legend(path)


def _snapshots(folder):
    facts = np.frombuffer(json.dumps({"rows": [{"loss": 1.0}], "best_epoch": 0, "identity": {}}).encode(), np.uint8)
    np.savez(folder / "epoch-00001.npz", **{"facts.json": facts, "model/0/kernel": np.ones((3, 3), np.float32)})
    return {"epoch-00001.npz": (folder / "epoch-00001.npz").read_bytes()}


def _read_snapshots(path):
    from segkit.training.snapshots import Snapshots

    Snapshots(pathlib.Path(path).parent).latest()


SUBJECTS = {
    "mrc": Subject(_volumes((".mrc",)), _read_volume),
    "mrc_packed": Subject(_volumes((".mrc.gz", ".mrc.bz2"), kinds=("int8",)), _read_volume, _mutate_packed),
    "tiff": Subject(_tiffs, _read_volume, imports=("tifffile",)),
    "nifti": Subject(_niftis, _read_volume, imports=("nibabel",)),
    "amira": Subject(_amiras, _read_volume),
    "hdf5": Subject(_hdf5s, _read_volume, imports=("h5py",)),
    "png": Subject(_png_files, _read_volume, _mutate_png),
    "png_folder": Subject(_pngs, _read_volume, _mutate_png, in_folder=True),
    "keras": Subject(_models, _read_model, _mutate_archive, imports=("tensorflow", "keras")),
    "plan": Subject(_plans, _read_plan, _mutate_text),
    "card": Subject(_cards, _read_card, _mutate_text, imports=("keras",)),
    "snapshot": Subject(_snapshots, _read_snapshots, _mutate_archive, imports=("keras",)),
    "legend": Subject(_legends, _read_legend, _mutate_text),
}
