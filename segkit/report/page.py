"""A self-contained HTML page out of sections."""

from __future__ import annotations

import base64
import dataclasses
import html
import io
import re
from collections.abc import Iterable, Sequence

import numpy as np
from PIL import Image

from segkit.report.style import STYLE


@dataclasses.dataclass(frozen=True)
class Section:
    """A part of a page.

    Attributes:
        title: Heading; empty for none.
        body: HTML, its text escaped.
    """

    title: str
    body: str


def render_page(title: str, sections: Iterable[Section], *, subtitle: str = "", footer: str = "") -> str:
    """Return a whole HTML page that refers to nothing outside itself and runs no scripts.

    Args:
        title: Heading of the page.
        sections: Parts, from top to bottom; those without a body are left out.
        subtitle: Line below the heading.
        footer: Line at the end.
    """
    parts = [
        "<section>" + (f"<h2>{escape(part.title)}</h2>" if part.title else "") + part.body + "</section>"
        for part in sections
        if part.body
    ]
    body = "\n".join(parts)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{escape(title)}</title>
<style>{STYLE}</style>
</head>
<body>
<main>
<header><h1>{escape(title)}</h1>{f"<p>{escape(subtitle)}</p>" if subtitle else ""}</header>
{body}
{f"<footer>{escape(footer)}</footer>" if footer else ""}
</main>
</body>
</html>
"""


def escape(text: object) -> str:
    """Return text for use in HTML, attribute values included."""
    return html.escape(str(text), quote=True)


def table(head: Sequence[str], rows: Iterable[Sequence[str]], *, kind: str = "") -> str:
    """Return a table of cells that are HTML already; wide ones scroll by themselves.

    Args:
        head: Headings, plain text; empty for none.
        rows: Cells, each ``<td>...</td>`` or ``<th>...</th>``.
        kind: Class of the table, for its look.
    """
    thead = "<thead><tr>" + "".join(f"<th>{escape(h)}</th>" for h in head) + "</tr></thead>" if head else ""
    tbody = "".join(f"<tr>{''.join(row)}</tr>" for row in rows)
    return f'<div class="scroll"><table class="{escape(kind)}">{thead}<tbody>{tbody}</tbody></table></div>'


def image_tag(image: np.ndarray, description: str) -> str:
    """Return an ``<img>`` that holds the image itself.

    Args:
        image: uint8 ``(y, x, 3)``; stored as PNG or JPEG, whichever is smaller.
        description: What is shown, for those who do not see it.
    """
    # A grey picture needs one channel.
    grey = (image == image[..., :1]).all()
    picture = Image.fromarray(image[..., 0] if grey else image)
    encoded = {}
    # PNG is smaller for flat colours and masks, JPEG for noisy slices.
    for kind, options in (("png", {}), ("jpeg", {"quality": 80, "subsampling": 0})):
        target = io.BytesIO()
        picture.save(target, kind, **options)
        encoded[kind] = target.getvalue()
    kind = min(encoded, key=lambda name: len(encoded[name]))
    data = base64.b64encode(encoded[kind]).decode("ascii")
    size = f'width="{picture.width}" height="{picture.height}"'
    return f'<img src="data:image/{kind};base64,{data}" {size} alt="{escape(description)}">'


def inline_svg(figure: bytes, description: str) -> str:
    """Return an SVG figure of Matplotlib's as an element of a page.

    What only a file of its own needs is taken off: prolog, namespaces, size, its style sheet (which would
    reach the whole page) and the names of groups (which would repeat from figure to figure).

    Args:
        figure: Bytes of an SVG file.
        description: What is shown, for those who do not see it.
    """
    text = figure.decode("utf-8")
    text = text[text.index("<svg") :].strip()
    opening, rest = text.split(">", 1)
    view_box = re.search(r'viewBox="[^"]*"', opening)
    rest = re.sub(r"<style.*?</style>|<metadata.*?</metadata>", "", rest, flags=re.DOTALL)
    # Ids become classes: a page holds several figures, and an id may occur once.
    rest = re.sub(r'<g id="(?!series-|best-)[^"]*">', "<g>", rest)
    rest = re.sub(r'<g id="([^"]*)">', r'<g class="\1">', rest)
    return f'<svg {view_box[0] if view_box else ""} role="img" aria-label="{escape(description)}">{rest}'
