"""What is printed while TensorFlow is imported."""

import subprocess
import sys
import textwrap

import pytest

STAND_IN = """
import os
os.write(2, b"chatter of its libraries\\n")
import tensorflow.inner
assert __loader__ is __spec__.loader and type(__loader__).__name__ == "SourceFileLoader"
{end}
"""


def imported(folder, end="", quiet="quiet_tensorflow()"):
    package = folder / "tensorflow"
    package.mkdir()
    (package / "__init__.py").write_text(STAND_IN.format(end=end))
    (package / "inner.py").write_text("")
    program = f"""
        import sys
        from segkit.quiet_tensorflow import loud_tensorflow, quiet_tensorflow
        sys.path.insert(0, {str(folder)!r})
        {quiet}
        import tensorflow
        import tensorflow.inner
        print("behind it", file=sys.stderr)
    """
    command = [sys.executable, "-c", textwrap.dedent(program)]
    return subprocess.run(command, capture_output=True, text=True, check=False).stderr


def test_nothing_is_printed(tmp_path):
    assert imported(tmp_path) == "behind it\n"


def test_a_failure_is_printed_with_what_came_before_it(tmp_path):
    told = imported(tmp_path, end="raise ImportError('broken')")
    assert told.startswith("chatter of its libraries\n") and told.endswith("ImportError: broken\n")


@pytest.mark.parametrize("quiet", ["", "quiet_tensorflow(); loud_tensorflow()"])
def test_everything_is_printed_where_nobody_has_asked(tmp_path, quiet):
    assert imported(tmp_path, quiet=quiet) == "chatter of its libraries\nbehind it\n"
