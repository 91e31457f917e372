import pytest
from hypothesis import given
from hypothesis import strategies as st

from segkit.errors import InputError
from segkit.geometry.region import Region


def test_bounds_left_out_are_the_volumes():
    assert Region.parse("3:5, :,100:").within((8, 20, 120)) == ((3, 5), (0, 20), (100, 120))


@given(st.tuples(*[st.tuples(st.integers(0, 50), st.integers(1, 50))] * 3))
def test_a_region_is_read_as_it_is_written(spans):
    region = Region(*((start, start + length) for start, length in spans))
    assert Region.parse(str(region)) == region


@pytest.mark.parametrize("text", ["", "1:2,3:4", "1:2,3:4,5", "a:b,:,:", "-1:2,:,:", "1:2,:,:,:"])
def test_another_form_is_refused(text):
    with pytest.raises(InputError, match="expected three spans of whole numbers z0:z1,y0:y1,x0:x1"):
        Region.parse(text)


def test_an_empty_region_is_refused():
    with pytest.raises(InputError, match="region :,4:4,: holds no voxel along y"):
        Region.parse(":,4:4,:")


@pytest.mark.parametrize(("text", "axis"), [("0:9,:,:", "z"), (":,20:,:", "y"), (":,:,0:121", "x")])
def test_a_region_beyond_the_volume_is_refused(text, axis):
    with pytest.raises(InputError, match=rf"reaches beyond the volume of 8 x 20 x 120 .* along {axis}"):
        Region.parse(text).within((8, 20, 120))
