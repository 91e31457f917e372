"""From a volume in a file to its mask or label volume in a file, in several processes of one machine."""

from __future__ import annotations

import dataclasses
import os
import pathlib
from collections.abc import Callable, Sequence

from segkit.inference.engines import Deferred
from segkit.inference.executors import Processes, Share, rising
from segkit.inference.predict_options import PredictOptions
from segkit.inference.prediction import Prediction
from segkit.inference.prediction_output import PredictionOutput
from segkit.model_path import resolve_model_path
from segkit.process_memory import resident_bytes


def predict_in_processes(
    model_paths: Sequence[str | os.PathLike[str]],
    volume: Deferred,
    output_path: str | os.PathLike[str],
    options: PredictOptions | None = None,
    *,
    num_workers: int,
    overwrite: bool = False,
    progress: Callable[[int, int], None] | None = None,
    modules: Sequence[str] = (),
) -> Prediction:
    """Predict a volume as ``predict_volume`` does, in several processes at a time.

    This process loads neither Keras nor a backend, models or volume; each of the others does. They share the cores, and
    the memory bound of the options, evenly.

    Args:
        model_paths: ``.keras`` files or run folders, in the order of their labels.
        volume: How to open the input, such as ``Deferred(open_volume, path)``.
        output_path: File or folder to be written.
        options: How to predict; the defaults of ``PredictOptions`` if left out.
        num_workers: Number of processes, positive.
        overwrite: Replace an existing output.
        progress: Called as ``progress(done, total)`` with the number of blocks (slices or boxes).
        modules: Names of modules that each process imports first, as ``Processes`` takes them: those that register the
            tasks, layers and other kinds that the models are made of.

    Returns:
        What was written.

    Raises:
        InputError: As ``predict_volume`` does, or if a process dies. What is finished stays.
    """
    # Mistakes are found here where that needs no backend, which takes each process seconds to load.
    paths = tuple(map(resolve_model_path, model_paths))
    PredictionOutput(output_path, overwrite=overwrite).check()
    options = options or PredictOptions()
    if options.max_ram is not None:
        # This process counts in the bound too; the workers share the rest.
        options = dataclasses.replace(options, max_ram=max(options.max_ram - resident_bytes(), 1))
    work = _Prediction(paths, volume, pathlib.Path(output_path), options, overwrite)
    return Processes(num_workers, modules=modules).run(work, rising(progress))[0]


@dataclasses.dataclass(frozen=True)
class _Prediction:
    """What each of the processes does."""

    model_paths: tuple[pathlib.Path, ...]
    volume: Deferred
    output_path: pathlib.Path
    options: PredictOptions
    overwrite: bool

    def __call__(self, *, share: Share, on_block: Callable[[int, int], None]) -> Prediction | None:
        # Here, as the process that only starts the others has no use for a backend.
        from segkit.inference.loaded_model import LoadedModel
        from segkit.inference.predict_volume import predict_volume

        return predict_volume(
            [LoadedModel.open(path) for path in self.model_paths],
            self.volume.made(),
            self.output_path,
            self.options,
            overwrite=self.overwrite,
            progress=on_block,
            share=share,
        )
