"""A model is served from a folder of its name."""

import pytest

from segkit.models.card_name import check_card_name, is_folder_name


@pytest.mark.parametrize("name", ["segET-centriole", "nuclei 2.1", ".hidden", "é"])
def test_what_can_be_a_folder_is_a_name(name, tmp_path):
    check_card_name(name)
    (tmp_path / name).mkdir()
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/a", "a/", "../../evil", "a\0b"])
def test_what_cannot_is_none(name):
    assert not is_folder_name(name)
    with pytest.raises(ValueError, match=r"`name` must be text that can be the name of a folder.*Received: name="):
        check_card_name(name)


@pytest.mark.parametrize("name", [5, None, b"a"])
def test_only_text_is_a_name(name):
    with pytest.raises(ValueError, match=f"`name` must be text.*Received: name={name!r}"):
        check_card_name(name)
