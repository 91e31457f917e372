"""Write ``gallery.md`` from the reports of finished runs: a middle slice of each, its scores and its command.

python docs/make_gallery.py runs/centriole runs/cells --machine "two CPU cores" --to docs
"""

from __future__ import annotations

import argparse
import base64
import html
import io
import json
import pathlib
import re

from PIL import Image, ImageDraw

GAP_PX, TITLE_PX, SIDE_PX = 8, 18, 240
HEAD = """# Gallery

Each picture is a middle slice of those that the report shows; the scores are of all scored slices. Made by
`docs/make_gallery.py`."""


def figure_of(page: str) -> tuple[str, list[tuple[str, Image.Image]]]:
    """Return the caption of the middle figure of a report's slices, and its pictures with their titles."""
    slices = page[page.index("<h2>Slices</h2>") :].split("</section>")[0]
    figures = re.findall(r"<figure>(.*?)</figure>", slices, re.DOTALL)
    chosen = figures[len(figures) // 2]
    caption = html.unescape(re.search(r"<figcaption>(.*?)</figcaption>", chosen)[1])
    panels = re.findall(r'<div class="panel"><span>(.*?)</span><img src="data:image/\w+;base64,([^"]*)"', chosen)
    return caption, [(html.unescape(title), _opened(data)) for title, data in panels]


def _opened(data: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB")


def side_by_side(panels: list[tuple[str, Image.Image]]) -> Image.Image:
    """Return pictures of one size in a row, with their titles above."""
    height = round(SIDE_PX * panels[0][1].height / panels[0][1].width)
    whole = Image.new("RGB", (len(panels) * (SIDE_PX + GAP_PX) - GAP_PX, height + TITLE_PX), "white")
    draw = ImageDraw.Draw(whole)
    for number, (title, picture) in enumerate(panels):
        left = number * (SIDE_PX + GAP_PX)
        draw.text((left, 2), title, fill="black")
        whole.paste(picture.resize((SIDE_PX, height)), (left, TITLE_PX))
    return whole


def section(run: pathlib.Path, pictures: pathlib.Path) -> str:
    """Write the picture of a run and return its part of the page."""
    page = (run / "report.html").read_text(encoding="utf-8")
    plan, scores = (json.loads((run / name).read_text()) for name in ("plan.json", "scores.json"))
    caption, panels = figure_of(page)
    name = f"{plan['recipe']}-{plan['structure']}".lower()
    side_by_side(panels).save(pictures / f"{name}.jpg", quality=85)
    numbers = re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", page)
    shown = ", ".join(f"{html.unescape(title)} {html.unescape(value)}" for title, value in numbers)
    command = (run / "commands.txt").read_text().splitlines()[0]
    notice = f"{scores['notices'][0]}\n\n" if scores["notices"] else ""
    return (
        f"\n## {plan['recipe']}: {plan['structure']}\n\n```text\n{command}\n```\n\n![{caption}]"
        f"({pictures.name}/{name}.jpg)\n\n{caption}. {shown}; {scores['epochs']} epochs in "
        f"{scores['training_seconds'] / 60:.0f} min.\n\n{notice}"
    ).rstrip() + "\n"


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", type=pathlib.Path, nargs="+")
    parser.add_argument("--machine", metavar="WORDS", help='what "The runs had ..." tells of the machine')
    parser.add_argument("--to", type=pathlib.Path, default=pathlib.Path(__file__).parent)
    args = parser.parse_args()
    pictures = args.to / "images"
    pictures.mkdir(exist_ok=True)
    machine = f" The runs had {args.machine}." if args.machine else ""
    (args.to / "gallery.md").write_text(HEAD + machine + "\n" + "".join(section(run, pictures) for run in args.runs))


if __name__ == "__main__":
    main()
