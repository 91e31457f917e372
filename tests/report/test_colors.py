"""Colours of classes."""

from segkit.report.colors import CLASSES, class_color, rgb


def test_classes_count_from_one_and_begin_again_after_the_last():
    assert [class_color(label) for label in (1, 2, len(CLASSES), len(CLASSES) + 1)] == [
        *CLASSES[:2],
        CLASSES[-1],
        CLASSES[0],
    ]
    assert len(set(CLASSES)) == len(CLASSES)


def test_red_green_and_blue():
    assert rgb("#2f7df6") == (47, 125, 246)
