import numpy as np

from segkit.instances.instance_settings import InstanceSettings
from segkit.instances.otsu import otsu_instances


def test_bright_objects_are_found_and_counted():
    stack = np.full((3, 40, 40), 10, np.uint8)
    stack[:, 5:15, 5:15] = stack[:, 25:35, 20:34] = 200
    for method in ("components", "distance", "centers"):
        found = otsu_instances(stack, InstanceSettings(method=method, smoothing=2.0))
        assert found.max() == 2
        assert found[1, 10, 10] != found[1, 30, 27]
        assert found[1, 1, 1] == 0


def test_a_stack_of_one_grey_value_holds_nothing():
    assert not otsu_instances(np.full((2, 8, 8), 7, np.uint16), InstanceSettings()).any()
