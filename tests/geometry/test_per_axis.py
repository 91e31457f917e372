import pytest

from segkit.geometry.per_axis import along_axes, positive_per_axis


def test_a_number_stays_a_number_and_a_list_becomes_a_tuple():
    assert positive_per_axis("strides", 3) == 3
    assert positive_per_axis("strides", [1, 2]) == (1, 2)
    assert along_axes("strides", 3, 2) == (3, 3)
    assert along_axes("strides", (1, 2), 2) == (1, 2)


@pytest.mark.parametrize("value", [0, -1, (1, 0), (), 1.5, (1, 2.0), None])
def test_refuses_what_is_not_whole_and_positive(value):
    with pytest.raises(ValueError, match="`strides` must be a positive whole number, or one per axis"):
        positive_per_axis("strides", value)


def test_refuses_another_number_of_axes():
    with pytest.raises(ValueError, match="`strides` must be one number, or 3, one per axis"):
        along_axes("strides", (1, 2), 3)
