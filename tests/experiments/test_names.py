import pytest

from segkit.errors import InputError
from segkit.experiments.names import check_name, is_plain_name, plain_stem


@pytest.mark.parametrize("name", ["golgi", "Zellkern", "nuclei 2", "a.b-c_d+e", "2nd", "Kerne-ä"])
def test_plain_names(name):
    assert is_plain_name(name)
    check_name(name, "--name")


@pytest.mark.parametrize("name", ["", "a/b", "../a", ".hidden", "-x", "a\nb", "a\\b", "a:b"])
def test_names_that_no_file_should_have(name):
    with pytest.raises(InputError, match=r"structure .*: it becomes part of file names; use letters, digits, - and _"):
        check_name(name, "structure")


@pytest.mark.parametrize(
    ("path", "name"),
    [("a/HeLa cells (2).ome.tif", "HeLa-cells-2"), ("x.h5:raw", "x"), ("folder", "folder"), ("(((.tif", "images")],
)
def test_the_name_of_a_file_as_a_plain_name(path, name):
    assert plain_stem(path, "images") == name
    assert is_plain_name(name)
