"""Settings that recipes share."""

from __future__ import annotations

import os

TINY = bool(os.environ.get("SEGKIT_TINY_PLAN"))
"""Set the variable to try every command in seconds: a tiny network, two epochs, small data. Scores mean nothing."""

NEVER = 10**6
"""Patience that no training reaches: a paper that trains to the end and keeps the best epoch."""
