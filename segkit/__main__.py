"""``python -m segkit`` is the ``segkit`` command."""

from segkit.cli import run

if __name__ == "__main__":
    run()
