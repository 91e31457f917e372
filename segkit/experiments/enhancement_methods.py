"""Methods that train the deep layers of a U-Net, as data: one network, one training, different bottlenecks.

They are what recipes and benchmarks of feature random enhancement compare. The widths, B and X of a paper stand in its
recipe.

Reference:
    Ando & Hotta (2021), "Cell Image Segmentation by Feature Random Enhancement Module", Secs. 3 and 4.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from segkit.errors import InputError
from segkit.tasks.classes import ClassesTask

if TYPE_CHECKING:
    import keras


@dataclasses.dataclass(frozen=True, kw_only=True)
class Method:
    """What a method does to the U-Net with squeeze and excitation.

    Attributes:
        name: Name on the command line and in tables; never renamed.
        title: Name for readers.
        levels_left_out: Levels of the encoder that are left out, from the deepest up.
        enhance: When ``FREnhance`` draws, ``"epoch"`` or ``"never"``; ``None`` for no such layer.
        num_enhanced: Number of enhanced maps where the method fixes it; else the run's.
        gain: Factor of enhanced maps where the method fixes it; else the run's.
        dropout: Drop elements of the bottleneck, with the share of maps that would be enhanced.
        supervision: A second head on the bottleneck, with a share of the loss.
        match_skip: The bottleneck is given the mean and variance of its skip.
        searched: Settings that are worth a search.
    """

    name: str
    title: str
    levels_left_out: int = 0
    enhance: Literal["epoch", "never"] | None = None
    num_enhanced: int | None = None
    gain: float | None = None
    dropout: bool = False
    supervision: bool = False
    match_skip: bool = False
    searched: tuple[str, ...] = ()


METHODS = {
    method.name: method
    for method in (
        Method(name="plain", title="U-Net + SE"),
        Method(name="shallow", title="without deep layers", levels_left_out=1),
        Method(name="supervision", title="+ supervision", supervision=True, searched=("supervision",)),
        Method(name="dropout", title="dropout, rate B / maps", dropout=True),
        Method(name="fre", title="FREnhance", enhance="epoch", searched=("num_enhanced", "gain")),
        Method(name="match", title="bottleneck normalised to its skip", match_skip=True),  # Sec. 3.1
        Method(name="fixed", title="10 fixed maps, 10,000 times", enhance="never", num_enhanced=10, gain=1e4),  # Tab. 3
    )
}


def method_of(model: Mapping[str, Any]) -> Method:
    """Return the method that a plan's ``model`` names.

    Raises:
        InputError: If it names none, or an unknown one.
    """
    method = METHODS.get(model.get("method"))
    if method is None:
        raise InputError(f"plan: method {model.get('method')!r}; give one of {', '.join(METHODS)}")
    return method


def task_of(class_names: Sequence[str], model: Mapping[str, Any]) -> ClassesTask:
    """Return the task of a method's network: of one with a second head, that takes its share of the loss.

    Args:
        class_names: Names of the classes in the order of their labels.
        model: Settings of a plan's network: ``method``, ``supervision``.
    """
    supervised = METHODS[model["method"]].supervision
    return ClassesTask(class_names=tuple(class_names), supervision=model["supervision"] if supervised else 0.0)


def check_enhancement(method: Method, filters: Sequence[int], num_enhanced: int, gain: float) -> tuple[int, float]:
    """Return B and X of a method: its own where it fixes them, else the run's.

    Raises:
        InputError: If B or X is out of range for the network.
    """
    maps = filters[-1]
    enhanced, gain = method.num_enhanced or num_enhanced, method.gain or gain
    if (method.enhance or method.dropout) and not 1 <= enhanced <= maps:
        remedy = "give a wider network" if method.num_enhanced else f"give --num-enhanced from 1 to {maps}"
        raise InputError(f"{enhanced} of {maps} feature maps to be enhanced; {remedy}")
    if method.dropout and enhanced == maps:
        raise InputError(
            f"dropout of {enhanced} of {maps} feature maps leaves nothing; give --num-enhanced below {maps}"
        )
    if method.enhance and not 0 < gain < float("inf"):
        raise InputError(f"gain {gain:g}; give a positive, finite --gain")
    return enhanced, gain


def build_network(
    method: Method,
    *,
    num_classes: int,
    filters: Sequence[int],
    num_enhanced: int,
    gain: float,
    normalization: str = "batch",
    seed: int = 0,
    l2: float = 0.0,
) -> keras.Model:
    """Build the network of a method for images of one channel and any size.

    Args:
        method: What is done to it.
        num_classes: Number of classes.
        filters: Channels of each level of the encoder.
        num_enhanced: B, the number of maps that are enhanced; ``dropout`` drops as large a share of the elements.
        gain: X, the factor of enhanced maps.
        normalization: ``"batch"`` or ``"renorm"``.
        seed: Seed of the draws and of dropout.
        l2: Strength of the L2 penalty.

    Raises:
        InputError: If B or X is out of range for the network.
    """
    # Here, so that the methods can be listed without waiting for Keras.
    import keras

    from segkit.layers.fr_enhance import FREnhance
    from segkit.models.unet_se import unet_se

    enhanced, gain = check_enhancement(method, filters, num_enhanced, gain)
    bottleneck: list[keras.layers.Layer] = []
    if method.enhance:
        bottleneck.append(FREnhance(enhanced, gain, redraw=method.enhance, seed=seed, name="enhance"))
    if method.dropout:
        bottleneck.append(keras.layers.Dropout(enhanced / filters[-1], seed=seed, name="dropout"))
    return unet_se(
        (None, None, 1),
        num_classes,
        # Levels are left out from the deepest up.
        filters=tuple(filters)[: len(filters) - method.levels_left_out],
        bottleneck=bottleneck,
        match_skip=method.match_skip,
        supervision=method.supervision,
        normalization=normalization,
        l2=l2,
    )
