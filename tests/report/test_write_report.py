"""The page is one file that says what it was given."""

from __future__ import annotations

import base64
import datetime
import html.parser
import io
import math
import pathlib
import re

import numpy as np
import pytest
from PIL import Image

from segkit.errors import InputError
from segkit.monitor import Monitor
from segkit.report import sections
from segkit.report import write_report as module
from segkit.report.overlay import overlay
from segkit.report.page import Section, image_tag, render_page
from segkit.report.sections import scale_bar_nm
from segkit.report.write_report import write_report
from segkit.tasks.cells import CellsTask
from segkit.volumes.volume import Volume

RNG = np.random.default_rng(0)
TRUTH = np.zeros((600, 500), np.uint8)
TRUTH[100:200, 100:200] = 1
EVERYTHING = {
    "title": "segET-centriole",
    "summary": [("Foreground IoU", "0.835")],
    "notices": ["Trained on a phantom with the demo preset."],
    "plan": {
        "structure": "centriole",
        "training": {"patch_px": 512, "weight_limit": None, "augmentation": {"flips": True}, "decay": 1e-6},
        "model": {"filters": [16, 32]},
        "data": [{"tomogram": "A.mrc"}, {"tomogram": "B.mrc"}],
    },
    "history": [{"epoch": i, "loss": 1.0, "val_loss": 1.5, "mean_iou": 0.5, "val_mean_iou": 0.1 * i,
                 "learning_rate": 1e-3} for i in range(4)],
    "evaluation": {
        "total": {"foreground_iou": 0.83449, "mean_iou": 0.9, "true_positives": 1234567},
        "slices": [
            {"z": 0, "foreground_iou": math.nan, "mean_iou": 0.5, "true_positives": 0},
            {"z": 5, "foreground_iou": 0.25, "mean_iou": None, "true_positives": 7},
        ],
    },
    "overlays": [
        overlay(RNG.normal(size=(600, 500)), TRUTH, TRUTH, caption="Best slice: z = 5",
                voxel_size_nm=(2.0, 2.0, 2.0)),
        overlay(RNG.normal(size=(40, 40)), TRUTH[:40, :40], TRUTH[90:130, 90:130], caption="Small: z = 7"),
    ],
    "provenance": sections.Provenance(
        versions={"keras": "3.15.1"}, seed=1729, seconds=3725.0,
        command=["python", "-m", "recipes.segET", "--out", "my runs"],
    ),
    "created": datetime.datetime(2031, 5, 4, 13, 7, tzinfo=datetime.UTC),
}  # fmt: skip


class Page(html.parser.HTMLParser):
    """Collects what a page refers to, its visible text, and whether its elements are closed in order."""

    VOID = ("meta", "img", "path", "use", "wbr")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag == "wbr":
            self.text = self.text.removesuffix("\n")
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.text += f"{data}\n"

    def images(self) -> list[np.ndarray]:
        sources = [attributes["src"] for tag, attributes in self.elements if tag == "img"]
        return [np.asarray(Image.open(io.BytesIO(base64.b64decode(source.split(",", 1)[1])))) for source in sources]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("run") / "report.html"
    assert write_report(path, **EVERYTHING) == path
    assert [p.name for p in path.parent.iterdir()] == ["report.html"]
    return path.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(source: str) -> Page:
    return Page(source)


def test_refers_to_nothing_outside_itself(source: str, page: Page) -> None:
    assert not re.search(r"https?:|file:|//\w", re.sub(r"base64,[\w+/=]+", "", source))
    for tag, attributes in page.elements:
        assert tag not in ("script", "link", "iframe", "object")
        assert not any(name.startswith("on") for name in attributes)
        for name in ("src", "href", "xlink:href"):
            assert attributes.get(name, "#").startswith(("#", "data:image/"))
    styles = re.findall(r"url\((.*?)\)", source)
    assert all(target.startswith("#") for target in styles)


def test_everything_that_is_referred_to_is_there(page: Page) -> None:
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    targets = {attributes["xlink:href"][1:] for _, attributes in page.elements if "xlink:href" in attributes}
    clips = {attributes["clip-path"][5:-1] for _, attributes in page.elements if "clip-path" in attributes}
    assert len(targets) >= 3 and targets | clips <= set(ids)
    assert len(ids) == len(set(ids))
    assert [tag for tag, _ in page.elements].count("style") == 1  # one in a figure would reach the whole page


def test_images_decode(page: Page) -> None:
    shapes = [image.shape[:2] for image in page.images()]
    assert shapes == [(560, 467)] * 4 + [(200, 200)] * 4 + [(280, 280)] * 4
    assert all(np.ptp(image) > 50 for image in page.images())
    for tag, attributes in page.elements:
        if tag == "img":
            assert re.match(r"(Slice|Truth|Prediction|Errors)(, detail)?: (Best slice|Small)", attributes["alt"])


def test_small_images_are_kept_to_the_bit() -> None:
    image = RNG.integers(0, 255, (4, 4, 3)).astype(np.uint8).repeat(20, 0).repeat(20, 1)
    [decoded] = Page(image_tag(image, "noise")).images()
    np.testing.assert_array_equal(decoded, image)


def test_says_what_it_was_given(page: Page) -> None:
    lines = [line.strip() for line in page.text.splitlines() if line.strip()]

    def after(name: str, count: int = 1) -> list[str]:
        return lines[lines.index(name) + 1 : lines.index(name) + 1 + count]

    assert after("segET-centriole", 2) == ["segET-centriole", "4 May 2031, 13:07"]  # title, heading
    assert after("Foreground IoU") == ["0.835"]
    assert "Trained on a phantom with the demo preset." in lines
    settings = {"structure": "centriole", "patch_px": "512", "weight_limit": "none", "decay": "1e-06"}
    assert {name: after(name)[0] for name in settings} == settings
    assert after("augmentation.flips") == ["yes"]
    assert [after(f"Data {i}", 2) for i in (1, 2)] == [["tomogram", "A.mrc"], ["tomogram", "B.mrc"]]
    assert after("filters") == ["16, 32"]
    assert [after(n)[0] for n in ("seed", "time", "keras")] == ["1729", "1:02:05 (h:mm:ss)", "3.15.1"]
    assert "python -m recipes.segET --out 'my runs'" in lines
    assert "Best slice: z = 5" in lines
    assert "200 nm" in lines  # the scale bar of a slice 1000 nm wide
    legend = {
        "agreement (true positive)",
        "only in the prediction (false positive)",
        "only in the truth (false negative)",
    }
    assert legend <= set(lines)


def test_warnings_come_first_and_look_different_from_plain_information(tmp_path: pathlib.Path) -> None:
    path = write_report(tmp_path / "r.html", title="t", notices=["a phantom", sections.Warned("no <cell>")])
    source = path.read_text(encoding="utf-8")
    assert '<ul class="notices"><li class="warned">no &lt;cell&gt;</li><li>a phantom</li></ul>' in source
    assert "li.warned" in source


def test_names_of_settings_break_between_their_words(source: str) -> None:
    assert "<th>patch_<wbr>px</th>" in source
    assert "<th>augmentation.<wbr>flips</th>" in source


def test_the_page_says_how_slices_and_rows_are_counted(source: str) -> None:
    assert "Slices, rows and columns are counted from 0. Pictures show row 0 at the top" in source


def test_score_table(source: str, page: Page) -> None:
    rows = [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in re.findall(r"<tr><td>.*?</tr>", source)]
    assert rows == [
        ["All slices", "0.9000", "0.8345"],
        ["All slices", "1\u202f234\u202f567"],
        ["z = 0", "0.5000", "\N{EN DASH}"],
        ["z = 5", "\N{EN DASH}", "0.2500"],
    ]
    assert "--share:0.250" in source
    folded = source[source.index("<summary>Scores of 2 slices") :]
    assert "z = 5" in folded[: folded.index("</details>")]


def test_text_is_escaped(tmp_path: pathlib.Path) -> None:
    evil = "<script>alert('x')</script>&\"'"
    path = write_report(
        tmp_path / "report.html",
        title=evil,
        summary=[(evil, evil)],
        notices=[evil],
        plan={evil: evil, "nested": {evil: [evil]}, evil + "2": {"a": 1}},
        evaluation={"total": {evil: 1}, "slices": [{"z": evil, evil: evil}]},
        overlays=[overlay(np.eye(4), np.eye(4), np.eye(4), caption=evil)],
        provenance=sections.Provenance(versions={evil: evil}, command=evil),
    )
    source = path.read_text(encoding="utf-8")
    assert "<script" not in source
    page = Page(source)
    assert page.text.count("alert('x')") >= 12
    alts = [attributes["alt"] for tag, attributes in page.elements if tag == "img"]
    assert alts[0] == f"Slice: {evil}"


def test_only_a_title_is_needed(tmp_path: pathlib.Path) -> None:
    page = Page(write_report(tmp_path / "report.html", title="bare").read_text(encoding="utf-8"))
    assert not {tag for tag, _ in page.elements} & {"section", "table", "img", "svg", "dl", "ul", "h2"}
    assert page.text.split()[:2] == ["bare", "bare"]  # of the tab and of the page


def test_other_sections_join(tmp_path: pathlib.Path) -> None:
    path = write_report(tmp_path / "report.html", title="t", extra=[Section("Instances", "<p>17 nuclei</p>")])
    assert "<section><h2>Instances</h2><p>17 nuclei</p></section>" in path.read_text(encoding="utf-8")
    assert "<h2>" not in render_page("t", [Section("Nothing", "")])


def test_an_existing_page_is_kept_unless_told(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "report.html"
    path.write_text("mine")
    with pytest.raises(InputError, match=r"report\.html: already exists; choose another name or allow overwriting"):
        write_report(path, title="t")
    assert path.read_text() == "mine"
    write_report(path, title="t", overwrite=True)
    assert "<h1>t</h1>" in path.read_text(encoding="utf-8")


def test_whole_or_not_at_all(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module.os, "replace", fail)
    with pytest.raises(InputError, match=r"cannot be written \(No space left on device\); free some space there"):
        write_report(tmp_path / "report.html", title="t")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(InputError, match="cannot be written"):
        write_report(tmp_path / "missing" / "report.html", title="t")


@pytest.mark.parametrize(
    ("width", "bar"), [(400.0, 100.0), (399.0, 50.0), (4617.0, 1000.0), (30.0, 5.0), (8.1, 2.0), (0.9, 0.2)]
)
def test_scale_bar(width: float, bar: float) -> None:
    assert scale_bar_nm(width) == pytest.approx(bar)


def test_scores_of_classes_and_their_confusion() -> None:
    evaluation = {
        "classes": ["background", "mRNA"],
        "total": {"mean_iou": 0.5, "iou": {"background": 0.75, "mRNA": None}, "confusion": [[9, 12], [30, 4]]},
        "slices": [
            {"z": 3, "mean_iou": 0.5, "iou": {"background": 0.25, "mRNA": 0.125}, "confusion": [[1, 2], [3, 4]]}
        ],
    }
    body = sections.scores(evaluation).body
    assert re.findall("<th[^>]*>([^<]*)</th>", body) == [
        *("", "Mean IoU", "IoU: background", "IoU: mRNA"),
        *("", "background", "mRNA"),
        *("", "Mean IoU", "IoU: background", "IoU: mRNA"),
    ]
    assert [int(count) for count in re.findall("<td>([0-9]+)</td>", body)] == [9, 12, 30, 4]
    assert "0.1250" in body
    assert body.count("confusion") == 0


def test_trainings_are_compared_by_the_score_of_their_task() -> None:
    monitor = Monitor(name="val_psnr", mode="max", title="PSNR")
    body = sections.validation_curves({"plain": [{"val_psnr": 21.0}, {"val_psnr": 24.0}]}, monitor=monitor).body
    assert "Validation PSNR" in body
    assert 'class="series-plain"' in body


def test_panoptic_quality_is_a_score_of_cells_and_predicted_objects_are_counted() -> None:
    ids = Volume(array=np.array([[[1, 1, 0, 2]]], np.uint8))
    evaluation = CellsTask().evaluate(ids, ids).to_dict()
    scored, counted = sections.scores(evaluation, CellsTask.score_titles).body.split("Counts")
    assert re.findall("<th>([PSR]Q)</th>", scored) == ["PQ", "SQ", "RQ"]
    assert re.findall("<th>([^<]+)</th>", counted.split("</details>")[0]) == ["Objects", "Predicted"]
    row = sections.score_rows([("", {"objects": 2, "found": 2})])
    assert re.findall("<th>([^<]+)</th>", row) == ["Objects", "Predicted"]


def test_scores_of_another_kind_are_columns_under_their_titles() -> None:
    evaluation = {"total": {"mse": 312.5, "pixels": 70}, "slices": [{"z": 3, "mse": 312.5, "dice": 0.5}]}
    body = sections.scores(evaluation, {"mse": "MSE"}).body
    assert body.count("<th>MSE</th>") == 2
    assert "<td>312.5000</td>" in body.split("Scores of 1 slice")[1], "no bar: it is no share"
    assert "--share:0.500" in body
    assert "<th>Pixels</th>" in body.split("Counts")[1]
