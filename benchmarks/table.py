"""What every benchmark does with its table."""

from __future__ import annotations

import pathlib
from collections.abc import Sequence


def show_table(lines: Sequence[str], out: pathlib.Path | None) -> None:
    """Print the lines and, where a file is named, write them there too."""
    text = "\n".join(lines) + "\n"
    print(text)
    if out:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text)
