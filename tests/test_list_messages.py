"""What users are told is found, wherever it is written."""

from list_messages import ROOT, messages

PROGRAM = '''
"""Not a message."""
def f(parser, value, fault):
    parser.add_argument("--x", help="what it is")
    _LOG.warning("warning: %s", value)
    _log.info("done: %d", 3)
    say("told" if value else f"told of {value.name}")
    text = "no message"
    if value < 0:
        raise InputError(f"{value}: wrong; give " "another") from fault
    raise ValueError(f"`value` must be {value!r}.")
'''


def test_every_kind_is_found_in_its_line():
    assert messages(PROGRAM) == [
        (4, "help", "what it is"),
        (5, "warning", "warning: %s"),
        (6, "info", "done: %d"),
        (7, "shown", "told | told of {value.name}"),
        (10, "error", "{value}: wrong; give another"),
        (11, "python", "`value` must be {value}."),
    ]


def test_an_error_for_users_is_one_line_without_a_period():
    found = [
        (f"{path.name}:{line}", text)
        for path in sorted((ROOT / "segkit").rglob("*.py"))
        for line, kind, text in messages(path.read_text())
        if kind == "error"
    ]
    assert len(found) > 200
    assert [entry for entry in found if "\n" in entry[1] or entry[1].endswith((".", "!"))] == []
