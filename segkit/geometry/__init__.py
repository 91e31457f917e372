"""Boxes, block grids, tilings and sliding windows of any number of axes."""
