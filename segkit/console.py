"""What every command of segkit has in common: one line for a user's mistake, quiet libraries, a readable log."""

from __future__ import annotations

import argparse
import difflib
import errno
import logging
import os
import pathlib
import re
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NoReturn

from segkit.errors import InputError
from segkit.progress import ProgressLine
from segkit.quiet_tensorflow import loud_tensorflow, quiet_tensorflow

_BACKENDS = {"tensorflow", "jax", "jaxlib", "torch"}

STARTED = time.monotonic()
"""When this process began, as far as can be told: every program imports this module first."""

EXIT_INPUT = 2
EXIT_INTERRUPTED = 130


class CommandParser(argparse.ArgumentParser):
    """A parser whose complaints are one line, with the option that may have been meant.

    Options are not abbreviated: what is short for one option today could be short for two tomorrow.

    Raises:
        InputError: By ``parse_args``, if the command line is wrong.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"allow_abbrev": False, **kwargs})

    def parse_args(self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None) -> Any:
        """Read a command line; options that do not exist come before all that is missing because of them."""
        words = list(sys.argv[1:] if args is None else args)
        commands = _commands(self)
        if words and commands and words[0] not in {*commands, *_options(self), "-h"}:
            raise InputError(f"{self.prog}: no command {words[0]!r}{_meant(words[0], commands)}")
        chosen = commands.get(words[0], self) if words else self
        for word in words:
            option = word.partition("=")[0]
            if option.startswith("--") and option not in (known := _options(chosen)):
                raise InputError(f"{chosen.prog}: no option {option}{_meant(option, known)}; see {chosen.prog} --help")
        return super().parse_args(words, namespace)

    def error(self, message: str) -> NoReturn:
        """Raise the complaint."""
        raise InputError(f"{self.prog}: {message}; see {self.prog} --help")


_OTHER_WORDS = {
    "--mask": ("--labels", "--reference"),
    "--masks": ("--mask", "--labels", "--reference"),
    "--labels": ("--mask", "--reference"),
    "--tomogram": ("--images", "--input"),
    "--images": ("--tomogram", "--input"),
    "--saved-models": ("--root",),
    "--root": ("--saved-models",),
}
"""Options of one command, and what other commands call the same; the first one that a command has is meant."""


def _meant(word: str, known: Iterable[str]) -> str:
    known = list(known)
    same = [other for other in _OTHER_WORDS.get(word, ()) if other in known]
    close = same or difflib.get_close_matches(word, known, n=1)
    return f"; did you mean {close[0]}?" if close else ""


def _options(parser: argparse.ArgumentParser) -> list[str]:
    """Return the long options of a parser."""
    return [option for action in parser._actions for option in action.option_strings if option.startswith("--")]


def _commands(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    found = [action.choices for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    return {name: command for choices in found for name, command in choices.items()}


def add_console_arguments(parser: argparse.ArgumentParser) -> None:
    """Add how much a command tells."""
    level = parser.add_argument_group("messages").add_mutually_exclusive_group()
    level.add_argument("--quiet", action="store_true", help="print warnings and errors only")
    level.add_argument("--verbose", action="store_true", help="print details too, and TensorFlow's own messages")


def set_console(args: argparse.Namespace) -> None:
    """Print as much as a command line asks for; before TensorFlow is imported."""
    logging.getLogger("segkit").setLevel(
        logging.WARNING if args.quiet else logging.DEBUG if args.verbose else logging.INFO
    )
    ProgressLine.is_shown = not args.quiet
    if args.verbose:
        loud_tensorflow()
        os.environ["TF_CPP_MIN_LOG_LEVEL"] = "0"
        logging.getLogger("tensorflow").setLevel(logging.INFO)


def run_command(
    main: Callable[[Sequence[str]], None], argv: Sequence[str] | None = None, *, when_interrupted: str = ""
) -> int:
    """Run a command and return its exit status.

    A user's mistake and a full disk end in one line and status 2, Ctrl-C in a line that says how to resume and status
    130. Anything else is a bug and keeps its traceback.

    Args:
        main: The command, called with the arguments.
        argv: Arguments; those of the process by default.
        when_interrupted: What to say after Ctrl-C.
    """
    _set_up_output()
    try:
        main(sys.argv[1:] if argv is None else argv)
    except InputError as fault:
        say(f"error: {fault}")
        return EXIT_INPUT
    except OSError as fault:
        if fault.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS):
            raise
        say(f"error: {fault.filename or 'output'}: {fault.strerror}; free some space, or choose another folder")
        return EXIT_INPUT
    except ModuleNotFoundError as fault:
        if fault.name not in _BACKENDS:
            raise
        chosen = os.environ.get("KERAS_BACKEND")
        remedy = f"install it, or choose another KERAS_BACKEND than {chosen}" if chosen else "install it"
        say(f"error: the package {fault.name} is not installed; {remedy}")
        return EXIT_INPUT
    except KeyboardInterrupt:
        sys.stderr.write("\n")  # behind the ^C of the terminal
        say(f"interrupted. {when_interrupted}".rstrip())
        return EXIT_INTERRUPTED
    return 0


def parse_size(text: str | None) -> int | None:
    """Return a memory size such as ``"500M"`` or ``"4G"`` in bytes; ``None`` stays ``None``.

    Raises:
        InputError: If the text is not a size.

    Example:
        >>> parse_size("4G")
        4294967296
    """
    if text is None:
        return None
    units = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?", text.strip(), re.IGNORECASE)
    if match is None or not float(match[1]):
        raise InputError(f"size {text!r} cannot be read; write a number with K, M or G, such as 4G")
    return round(float(match[1]) * units[match[2].upper()])


def whole_numbers(text: str, count: int, name: str) -> tuple[int, ...]:
    """Return positive numbers written with commas between them.

    Args:
        text: The numbers.
        count: How many there must be.
        name: The option that gives them, for the message.

    Raises:
        InputError: If there are others, or another number of them.

    Example:
        >>> whole_numbers("2,3", 2, "--windows")
        (2, 3)
    """
    try:
        numbers = tuple(int(part) for part in text.split(","))
    except ValueError:
        numbers = ()
    if len(numbers) != count or min(numbers) < 1:
        raise InputError(f"{name} {text!r}; give {count} positive whole numbers with commas between them")
    return numbers


def first_given(args: argparse.Namespace, names: Sequence[str]) -> str | None:
    """Return the first of some options that the command line gives, as it is written there; 0 counts as given.

    Args:
        args: The command line as it was read; options that are not given are ``None``, or ``False``.
        names: Names of their values.

    Example:
        >>> first_given(argparse.Namespace(slice_wise=False, min_depth=0.0), ["slice_wise", "min_depth"])
        '--min-depth'
    """
    for name in names:
        value = getattr(args, name)
        if value is not None and value is not False:
            return f"--{name.replace('_', '-')}"
    return None


def _set_up_output() -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # before TensorFlow is loaded; faults still raise
    quiet_tensorflow()
    handler = _LineHandler(sys.stderr)
    handler.setFormatter(_Formatter("%(message)s"))
    log = logging.getLogger("segkit")
    # Replaced, not added: a second command in one process would write every line twice.
    log.handlers[:] = [handler]
    log.setLevel(logging.INFO)
    log.propagate = False
    ProgressLine.is_shown = True
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # it warns of networks that are compiled one after another
    warnings.showwarning = _show_own_warning


class _Formatter(logging.Formatter):
    """Lets warnings be told from what is only reported, whoever logs them."""

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        is_marked = record.levelno < logging.WARNING or text.startswith("warning: ")
        return text if is_marked else f"warning: {text}"


def _show_own_warning(message, category, filename, lineno, file=None, line=None) -> None:
    # Warnings of libraries are for programmers.
    if pathlib.Path(filename).is_relative_to(pathlib.Path(__file__).parent):
        say(f"warning: {message}")


def printable(text: str) -> str:
    r"""Return a line with control characters as escapes: names of files and classes may hold any character.

    Example:
        >>> printable("a\x1b[2Jb\nc")
        'a\\x1b[2Jb\\nc'
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def say(line: str) -> None:
    """Write a line to standard error, in place of a line of progress on a terminal."""
    sys.stderr.write(f"{_clear_line()}{printable(line)}\n")


def _clear_line() -> str:
    return "\r\x1b[K" if sys.stderr.isatty() else ""


class _LineHandler(logging.StreamHandler):
    """Overwrite the line of progress on the terminal."""

    terminator = "\n"

    def format(self, record: logging.LogRecord) -> str:
        return printable(super().format(record))

    def emit(self, record: logging.LogRecord) -> None:
        self.stream.write(_clear_line())
        super().emit(record)
