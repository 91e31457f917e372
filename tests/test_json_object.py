"""JSON files that are no JSON, or hold something else than an object."""

import pytest

from segkit.errors import InputError
from segkit.json_object import parse_object, read_object


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"not a plan \(Expecting value"),
        (b'{"a": ', r"not a plan \(Expecting value"),
        (b"\xff\xfe", r"not a plan \('utf-8' codec"),
        (b'{"a": {"b": 1, "c": 2, "b": 1}}', r"not a plan \(the entry 'b' is there twice\); .* correct it"),
        (b"[]", r"not a plan \(a JSON object is expected\)"),
        (b"[" * 100_000, "not a plan"),
    ],
)
def test_everything_else_is_one_line(tmp_path, content, message):
    path = tmp_path / "plan.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message) as fault:
        read_object(path, "a plan")
    assert str(fault.value).startswith(f"{path}: ") and "\n" not in str(fault.value)


def test_objects_are_read_and_missing_files_are_missing(tmp_path):
    (tmp_path / "a.json").write_text('{"b": [1, "ä"]}', encoding="utf-8")
    assert read_object(tmp_path / "a.json", "a plan") == {"b": [1, "ä"]}
    with pytest.raises(FileNotFoundError):
        read_object(tmp_path / "none.json", "a plan")


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity"])
def test_what_is_no_number_is_refused_where_it_was_asked_for(constant):
    content = f'{{"mean": {constant}}}'.encode()
    with pytest.raises(InputError, match=f"{constant} is not a number"):
        parse_object(content, "card", "a card", is_finite=True)
    assert set(parse_object(content, "card", "a card")) == {"mean"}
