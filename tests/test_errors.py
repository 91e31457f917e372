"""What libraries raise over damaged files becomes one line."""

import pytest

from segkit.errors import InputError, faults_told


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (ValueError("two\nlines"), r"^a\.tif: cannot be read as TIFF \(two lines\); it may be cut off"),
        (KeyError(), r"cannot be read as TIFF \(KeyError\)"),
        (ZeroDivisionError("division by zero"), "division by zero"),
        (RecursionError("too deep"), "too deep"),
        (MemoryError(), "more memory is needed than is free to read it as TIFF"),
        (OSError("damaged"), "damaged"),
    ],
)
def test_a_fault_is_told_and_kept_as_the_cause(fault, message):
    with pytest.raises(InputError, match=message) as caught, faults_told("a.tif", "TIFF"):
        raise fault
    assert caught.value.__cause__ is fault


@pytest.mark.parametrize(
    "fault", [InputError("said already"), FileNotFoundError("a"), PermissionError("a"), KeyboardInterrupt()]
)
def test_what_is_no_fault_of_the_content_is_passed_on(fault):
    with pytest.raises(type(fault)) as caught, faults_told("a.tif", "TIFF"):
        raise fault
    assert caught.value is fault
