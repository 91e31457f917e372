"""What the commands of ``segkit`` do; ``segkit.cli`` lists them."""

from __future__ import annotations

from segkit.lazy_face import lazy_face

_HOMES = {
    "choose_device": "segkit.commands.device",
    "output_in": "segkit.commands.predict",
    "run_evaluate": "segkit.commands.evaluate",
    "run_predict": "segkit.commands.predict",
}

__all__ = list(_HOMES)
__getattr__, __dir__ = lazy_face(__name__, _HOMES)
