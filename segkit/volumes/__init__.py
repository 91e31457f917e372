"""Volumes with their voxel size, and the files they live in: MRC, TIFF, HDF5 and folders of slices."""
