"""Where the blocks of a volume are computed: in this process, or in several."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import importlib
import logging
import multiprocessing
import os
import pickle
import signal
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from multiprocessing.connection import Connection, wait
from typing import Any, Protocol

from segkit.errors import InputError
from segkit.quiet_tensorflow import quiet_tensorflow

# Read by TensorFlow, the BLAS libraries, NumExpr and OpenCV when they start.
_THREAD_LIMITS = (
    "TF_NUM_INTRAOP_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "OPENCV_FOR_THREADS_NUM",
)

_END_TIMEOUT_S = 30.0
"""How long processes that are asked to end may take until they are killed: a network's batch is computed to its end."""

_Record = tuple[str, int, str]
"""Name of the logger, level and message."""

_Warning = tuple[str, type[Warning], str, int]
"""Text, category, and the file and line that it is about."""


@dataclasses.dataclass(frozen=True)
class Share:
    """Which of several processes one is.

    Attributes:
        index: Its number, from 0 on.
        count: Number of processes.
        started: When the command began [s since the epoch]; ``None`` where it is this process alone.
    """

    index: int = 0
    count: int = 1
    started: float | None = None


def rising(progress: Callable[[int, int], None] | None) -> Callable[[int, int], None]:
    """Return a function that passes numbers of finished blocks on where they are higher than all before.

    One process may know of fewer blocks than another.

    Args:
        progress: Called as ``progress(done, total)``; may be missing.
    """
    shown = -1

    def watch(done: int, total: int) -> None:
        nonlocal shown
        if progress is not None and done > shown:
            shown = done
            progress(done, total)

    return watch


class Work(Protocol):
    """What an executor runs, once in each process; it ends when all blocks are finished, whoever computed them."""

    def __call__(self, *, share: Share, on_block: Callable[[int, int], None]) -> Any:
        """Compute blocks that no other process computes, until all are finished.

        Args:
            share: Which of the processes this is, so that they begin at different blocks.
            on_block: To be called as ``on_block(done, total)`` after every block, and now and then while others are
                waited for, with the number of blocks that are known to be finished.

        Returns:
            Whatever the caller of the executor wants from each process.
        """


class Executor(Protocol):
    """Run the work in one or more processes.

    The processes share nothing but the folder of blocks and need no further coordination: an executor for a cluster
    submits the same work, which can be pickled, to as many of its workers as it likes.
    """

    def run(self, work: Work, watch: Callable[[int, int], None]) -> list[Any]:
        """Run the work to its end.

        Args:
            work: The work.
            watch: To be called with what the work tells of its progress.

        Returns:
            What the work returned in each process, in the order of their shares.

        Raises:
            Exception: What the work raises, as it is. Blocks that are finished stay.
        """


@dataclasses.dataclass(frozen=True)
class InProcess:
    """Compute all blocks in this process.

    Args:
        share: Which of several processes that were started by other means this is.
    """

    share: Share = Share()

    def run(self, work: Work, watch: Callable[[int, int], None]) -> list[Any]:
        """Run the work once."""
        return [work(share=self.share, on_block=watch)]


@dataclasses.dataclass(frozen=True)
class Processes:
    """Compute blocks in several processes of this machine, started afresh ("spawn").

    What is computed must be picklable, or a ``Deferred``. The processes end with this one, however it ends. A program
    that uses this needs the guard ``if __name__ == "__main__":``, as for every use of ``multiprocessing``.

    Args:
        num_workers: Number of processes, positive.
        num_threads: Threads that numerical libraries may use in each of them; by default an even share of the cores.
            JAX knows no such limit on CPUs: its processes compete for the cores.
        modules: Names of modules that each process imports first, such as those that register kinds of tasks, layers
            or formats. They must be on ``sys.path``.

    Raises:
        ValueError: If a number is not positive.
    """

    num_workers: int
    num_threads: int | None = None
    modules: Sequence[str] = ()

    def __post_init__(self) -> None:
        """Refuse numbers that are not positive."""
        if self.num_workers < 1 or (self.num_threads is not None and self.num_threads < 1):
            raise ValueError(
                "`num_workers` and `num_threads` must be positive. "
                f"Received: num_workers={self.num_workers}, num_threads={self.num_threads}"
            )

    def run(self, work: Work, watch: Callable[[int, int], None]) -> list[Any]:
        """Run the work once in every process.

        Raises:
            InputError: If a process dies, or a module cannot be imported.
            Exception: What the work raises in one of them, as it is; the others are ended.
        """
        # Once for all workers, and before the first is started, so that work that cannot be pickled fails early.
        pickled = pickle.dumps(work)
        workers: list[_Worker] = []
        told: set[_Record | _Warning] = set()
        started = time.time()

        def once(tell: Callable[..., None]) -> Callable[[Any], None]:
            def tell_new(content: Any) -> None:
                if content not in told:  # all workers have the same to say of a volume
                    told.add(content)
                    tell(*content)

            return tell_new

        try:
            # Environment variables are inherited by the processes, whose libraries read them when they start.
            with _environment(self._limits()):
                for index in range(self.num_workers):
                    workers.append(_Worker(pickled, Share(index, self.num_workers, started), self.modules))
            handlers = {
                "log": once(lambda name, level, message: logging.getLogger(name).log(level, "%s", message)),
                "warning": once(warnings.warn_explicit),
                "block": lambda state: watch(*state),
            }
            while running := [worker for worker in workers if not worker.is_done]:
                # Until one of them sends a message or ends.
                wait([handle for worker in running for handle in worker.handles])
                for worker in running:
                    worker.take_messages(handlers)
        finally:
            for worker in workers:  # all first: the others would go on claiming blocks
                worker.ask_to_end()
            deadline = time.monotonic() + _END_TIMEOUT_S
            for worker in workers:
                worker.end(deadline)
        return [worker.result for worker in workers]

    def _limits(self) -> dict[str, str]:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        threads = self.num_threads or max(1, cores // self.num_workers)
        return {**dict.fromkeys(_THREAD_LIMITS, str(threads)), "TF_NUM_INTEROP_THREADS": "1"}


class _Worker:
    """A process that does the work, seen from the one that started it."""

    def __init__(self, pickled: bytes, share: Share, modules: Sequence[str]) -> None:
        context = multiprocessing.get_context("spawn")
        self._messages, theirs = context.Pipe()
        self._process = context.Process(target=_run_worker, args=(theirs, pickled, share, tuple(modules)), daemon=True)
        self._process.start()
        # Only the worker keeps its end open: the pipe then reports when it has ended.
        theirs.close()
        self.handles = [self._messages, self._process.sentinel]
        self.is_done, self.result = False, None

    def take_messages(self, handlers: Mapping[str, Callable[[Any], None]]) -> None:
        """Handle what the process has sent; raise what it raised, or that it has died."""
        has_ended = not self._process.is_alive()  # looked at first: its last messages may still be unread
        with contextlib.suppress(EOFError, ConnectionError):
            while not self.is_done and self._messages.poll():
                kind, content = self._messages.recv()
                if kind == "error":
                    raise content
                if kind == "done":
                    self.is_done, self.result = True, content
                else:
                    handlers[kind](content)
        if has_ended and not self.is_done:
            code = self._process.exitcode
            how = f"was killed by signal {-code}" if code < 0 else f"ended with status {code}"
            raise InputError(
                f"a worker process {how} (memory may have run out); finished blocks are kept: run the same command "
                "again, if necessary with fewer workers"
            )

    def ask_to_end(self) -> None:
        if not self.is_done:
            self._process.terminate()

    def end(self, deadline: float) -> None:
        """Wait for the process until a time of ``time.monotonic``, then kill it."""
        self._process.join(max(0.0, deadline - time.monotonic()))
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self._process.close()
        self._messages.close()


def _run_worker(messages: Connection, pickled: bytes, share: Share, modules: Sequence[str]) -> None:
    """Do the work in a process of its own."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all; the first process ends the others
    signal.signal(signal.SIGTERM, _leave)
    threading.Thread(target=_end_with_parent, args=(messages,), daemon=True).start()
    quiet_tensorflow()
    log = logging.getLogger("segkit")
    log.handlers[:], log.propagate = [_Forward(messages)], False
    log.setLevel(logging.INFO)
    warnings.showwarning = functools.partial(_forward_warning, messages)
    try:
        for name in modules:
            _import(name)
        work = pickle.loads(pickled)
        with contextlib.ExitStack() as stack:
            if hasattr(work, "close"):
                stack.callback(work.close)
            result = work(share=share, on_block=lambda *state: messages.send(("block", state)))
    except SystemExit:
        # Asked to end: no message is expected.
        raise
    except BaseException as fault:
        # Pickling loses the traceback and keeps notes. An `InputError` is one line for the user and needs none.
        if not isinstance(fault, InputError):
            fault.add_note(f"in a worker process:\n{traceback.format_exc()}")
        messages.send(("error", _picklable(fault)))
    else:
        messages.send(("done", result))


def _import(name: str) -> None:
    try:
        importlib.import_module(name)
    except ImportError as fault:
        raise InputError(
            f"module {name}: cannot be imported ({fault}); give the name of an installed module, or set PYTHONPATH"
        ) from fault


def _leave(signal_number: int, _: object) -> None:
    """Unwind the work, so that it leaves the folder of blocks as one that has ended does."""
    raise SystemExit(128 + signal_number)


def _end_with_parent(messages: Connection) -> None:
    """End this process when the one that started it is gone, also after ``kill -9``."""
    with contextlib.suppress(EOFError, OSError):
        # Nothing is ever sent this way: it returns when the other end is closed.
        messages.recv()
    # Without cleaning up, as the main thread may be anywhere in a library's code.
    os._exit(1)


def _picklable(fault: BaseException) -> BaseException:
    try:
        pickle.loads(pickle.dumps(fault))
    except Exception:  # a library's own exception may raise anything here
        return RuntimeError("".join(traceback.format_exception(fault)))
    return fault


def _forward_warning(
    messages: Connection,
    message: Warning,
    category: type[Warning],
    filename: str,
    lineno: int,
    *_: object,
    **__: object,
) -> None:
    """Send a warning to the process that started this one, whose filters and form of output then hold."""
    messages.send(("warning", (str(message), category, filename, lineno)))


class _Forward(logging.Handler):
    """Send what is logged to the process that started this one."""

    def __init__(self, messages: Connection) -> None:
        super().__init__()
        self._messages = messages

    def emit(self, record: logging.LogRecord) -> None:
        self._messages.send(("log", (record.name, record.levelno, record.getMessage())))


@contextlib.contextmanager
def _environment(changes: dict[str, str]) -> Iterator[None]:
    """Change environment variables for processes that are started meanwhile."""
    before: dict[str, Any] = {name: os.environ.get(name) for name in changes}
    os.environ.update(changes)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
