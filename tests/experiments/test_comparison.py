"""Variants times seeds, tidy rows, and the tables made of them."""

import json
import pathlib

import pytest

from segkit.experiments.comparison import Findings, Trial, run_trials, tidy_rows
from segkit.experiments.tables import Column, Table, mean_and_deviation, spread_text, summary_table

ROOT = pathlib.Path(__file__).parents[2]


def test_all_variants_of_a_seed_come_before_the_next_seed():
    seen = []
    trials = run_trials(
        "ab", [3, 5], lambda variant, seed: {"at": f"{variant}{seed}"}, lambda so_far: seen.append(len(so_far))
    )
    assert [trial.result["at"] for trial in trials] == ["a3", "b3", "a5", "b5"]
    assert seen == [1, 2, 3, 4]


def test_a_trial_that_was_cut_off_is_run_again_and_the_finished_ones_are_not(tmp_path):
    trained = []

    def run(variant, seed):
        place = tmp_path / f"{variant}-{seed}.json"
        if not place.exists():
            if len(trained) == 2:
                raise KeyboardInterrupt
            trained.append((variant, seed))
            place.write_text(json.dumps({"score": seed}))
        return json.loads(place.read_text())

    with pytest.raises(KeyboardInterrupt):
        run_trials("ab", [0, 1], run)
    assert trained == [("a", 0), ("b", 0)]
    trained.append(None)
    assert [trial.result["score"] for trial in run_trials("ab", [0, 1], run)] == [0, 0, 1, 1]
    assert trained[3:] == [("a", 1), ("b", 1)]


TRIALS = [Trial("a", 0, {"seg": 0.5}), Trial("b", 0, {"seg": 0.25}), Trial("c", 0, None), Trial("a", 1, {"seg": 0.7})]


def rows():
    return tidy_rows(TRIALS, lambda result: [{"score": "seg", "value": result["seg"]}], {"a": {"kind": "large"}})


def test_a_row_is_one_score_of_one_trial():
    assert rows() == [
        {"variant": "a", "seed": 0, "kind": "large", "score": "seg", "value": 0.5},
        {"variant": "b", "seed": 0, "score": "seg", "value": 0.25},
        {"variant": "a", "seed": 1, "kind": "large", "score": "seg", "value": 0.7},
    ]


def test_a_line_of_the_table_is_mean_and_sample_deviation_over_the_seeds():
    table = summary_table(
        rows(),
        {"variant": "method"},
        [
            Column(head="SEG", score="seg", form=".2f"),
            Column(head="each", score="seg", show=lambda values: "/".join(map(str, values))),
            Column(head="Dice", score="dice", missing="not scored"),
        ],
        titles={"a": "the large one"},
    )
    assert table == Table(
        ["method", "seeds", "SEG", "each", "Dice"],
        [["the large one", "2", "0.60 ± 0.14", "0.5/0.7", "not scored"], ["b", "1", "0.25", "0.25", "not scored"]],
    )
    assert table.to_markdown().splitlines()[:3] == [
        "| method | seeds | SEG | each | Dice |",
        "|---|---|---|---|---|",
        "| the large one | 2 | 0.60 ± 0.14 | 0.5/0.7 | not scored |",
    ]


def test_groups_are_told_by_all_entries_of_the_index():
    found = [
        {"variant": "a", "statistics": kind, "seed": 0, "score": "iou", "value": value}
        for kind, value in (("running", 0.2), ("new", 0.4))
    ]
    columns = [Column(head="IoU", score="iou", form=".1f")]
    table = summary_table(found, {"variant": "a", "statistics": "s"}, columns, count=None)
    assert table.rows == [["a", "running", "0.2"], ["a", "new", "0.4"]]


def test_text_is_escaped_in_both_forms():
    table = Table(["<a>"], [["b|c & <d>"]])
    assert table.to_markdown().splitlines()[2] == "| b\\|c & <d> |"
    assert "<td>b|c &amp; &lt;d&gt;</td>" in table.to_html()
    assert "<th>&lt;a&gt;</th>" in table.to_html()


def test_values_that_are_not_known_do_not_count():
    assert mean_and_deviation([None, 1.0, 3.0]) == (2.0, pytest.approx(2**0.5))
    assert spread_text([None]) == "-"
    assert spread_text([0.5]) == "0.5000"


def test_rows_and_table_are_written_beside_the_entries(tmp_path):
    from segkit.experiments.compare import write_rows

    table = summary_table(rows(), {"variant": "method"}, [Column(head="SEG", score="seg")])
    write_rows(Findings(title="t", rows=rows(), table=table, entries={"classes": ["x"]}), tmp_path, "ablation")
    assert json.loads((tmp_path / "ablation.json").read_text()) == {"classes": ["x"], "rows": rows()}
    assert (tmp_path / "ablation.md").read_text() == table.to_markdown() + "\n"


def test_a_table_of_methods_has_the_statistics_that_there_are():
    from benchmarks.fre_table import gain_table

    summary = [
        {"method": method, "statistics": "running", "mean_iou": [value, None]}
        for method, value in (("plain", 0.5), ("fre", 0.6))
    ]
    table = gain_table(summary, {"plain": 59.5, "fre": 61.0})
    assert table == Table(
        ["method", "running", "the paper"], [["U-Net + SE", "+0.00", "+0.00"], ["FREnhance", "+10.00", "+1.50"]]
    )


@pytest.mark.parametrize(("name", "data"), [("fre_hela_nucleolus", "mouse"), ("fre_sstem_vnc", "drosophila")])
def test_the_committed_tables_of_methods_follow_from_their_trials(name, data):
    from benchmarks.fre_table import PAPER, page, read_cells
    from segkit.experiments.class_comparison import class_rows, class_summary, class_table
    from segkit.experiments.enhancement_methods import METHODS

    cells = read_cells(ROOT / "benchmarks/results/cells" / name)
    trials = [Trial(method, seed, cell) for method, found in cells.items() for seed, cell in enumerate(found)]
    classes = trials[0].result["plan"]["classes"]
    table = class_table(class_rows(trials), classes, {m.name: m.title for m in METHODS.values()}).to_markdown()
    assert (ROOT / f"benchmarks/results/{name}.md").read_text().startswith(table + "\n")
    assert (ROOT / f"benchmarks/results/{name}.md").read_text() == page(cells, PAPER[data]) + "\n"
    (entry,) = (
        row
        for row in class_summary(class_rows(trials), classes)
        if (row["method"], row["statistics"]) == ("fre", "running")
    )
    scores = [cell["tiles"]["test"]["running"]["mean_iou"] for cell in cells["fre"]]
    assert entry["mean_iou"] == list(mean_and_deviation(scores))
    assert (entry["tiles"], entry["seeds"]) == ("test", len(scores))


def test_the_committed_table_of_colorings_follows_from_its_trials():
    from benchmarks.coloring_runs import table

    committed = (ROOT / "benchmarks/results/coloring.md").read_text()
    assert committed.strip() == table(ROOT / "benchmarks/results/cells/coloring").to_markdown()
