"""Model cards as earlier versions wrote them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from segkit.models.card_name import is_folder_name
from segkit.tasks.old_entries import preprocessing_of_entries, task_of_entries


def upgraded(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return a card's entries in today's layout.

    Args:
        values: Entries of a card, of any version.
    """
    name = values.get("name")
    # Any name was accepted before; as that of a folder it can be neither a path nor empty.
    if isinstance(name, str) and not is_folder_name(name):
        values = {**values, "name": re.sub(r"[\0/\\]+", "-", name).strip("-.") or "model"}
    # Cards name their task since format 2.
    if "task" in values:
        return dict(values)
    loss = "dice" if values.get("coloring") else "bce_jaccard"
    task = task_of_entries(values, loss=loss, threshold=values.get("threshold", 0.5))
    old = {"multiple_px": 16, "halo_px": 288, **values}  # what cards left out then
    return {**old, "task": task, "preprocessing": preprocessing_of_entries(values)}
