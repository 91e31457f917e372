"""Seeded electron tomograms with known masks: tests, demonstrations and benchmarks without real data."""
