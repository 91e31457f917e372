"""Programs in processes of their own that do not import TensorFlow again: the fixture ``warm_python``.

A server imports the heavy libraries once and forks a child for every program. The child has its own memory, signals
and exit status, as any process has, and imports segkit itself. Where the start of a process is what is tested (how
long it takes, which modules it finds), use ``subprocess``.

The tests' own process cannot fork: it has used TensorFlow, whose threads a child would not have. Variables that
libraries read while they are imported (``KERAS_BACKEND``, ``KERAS_HOME``) are those of the tests in every program.
"""

import gc
import itertools
import json
import os
import pathlib
import runpy
import signal
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).parents[1]
LIBRARIES = ("keras", "tensorflow", "keras_tuner", "matplotlib.pyplot", "scipy.ndimage", "scipy.optimize", "skimage")


class WarmPython:
    """A server that runs Python programs.

    Programs are given as the words behind ``python``: ``["-m", "recipes.fre", "--resume"]``, ``["-c", "code"]`` or
    ``["program.py", "argument"]``.
    """

    def __init__(self):
        self._place = tempfile.TemporaryDirectory(prefix="warm-python-")
        self._folders = (pathlib.Path(self._place.name, str(number)) for number in itertools.count())
        variables = {**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
        with open(pathlib.Path(self._place.name, "log"), "w") as log:
            self._server = subprocess.Popen(
                [sys.executable, str(pathlib.Path(__file__))],
                env=variables,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )

    def start(self, words, cwd=ROOT, **variables):
        """Start a program; environment variables are added to those of the tests."""
        output = next(self._folders)
        output.mkdir()
        words = [str(word) for word in words]
        pid = self.ask(do="start", words=words, cwd=str(cwd), variables=variables, output=str(output))
        return Program(self, pid, words, output)

    def run(self, words, cwd=ROOT, **variables):
        """Run a program to its end; arguments are those of ``start``, what is returned is that of ``wait``."""
        return self.start(words, cwd, **variables).wait()

    def ask(self, **request):
        """Send a request to the server and return its answer, a number."""
        self._server.stdin.write(json.dumps(request) + "\n")
        self._server.stdin.flush()
        answer = self._server.stdout.readline()
        assert answer, pathlib.Path(self._place.name, "log").read_text()
        return int(answer)

    def close(self):
        """End the server; all programs must have ended."""
        self._server.communicate()
        self._place.cleanup()


class Program:
    """A program that was started."""

    def __init__(self, python, pid, words, output):
        self._python, self._pid, self._words, self._output = python, pid, words, output

    def wait(self):
        """Wait for the end; return a ``subprocess.CompletedProcess`` with its output."""
        status = self._python.ask(do="wait", pid=self._pid)
        return subprocess.CompletedProcess(self._words, status, self._read("stdout"), self.errors())

    def is_running(self):
        """Return whether it has not ended yet."""
        return bool(self._python.ask(do="look", pid=self._pid))

    def kill(self):
        """End it by SIGKILL, as ``kill -9`` does; it must still be waited for."""
        os.kill(self._pid, signal.SIGKILL)

    def errors(self):
        """Return what it has written to standard error until now."""
        return self._read("stderr")

    def _read(self, name):
        file = self._output / name
        return file.read_text() if file.exists() else ""


def serve():
    """Answer requests until standard input ends; in a child, run its program and return."""
    for name in LIBRARIES:
        __import__(name)
    gc.freeze()  # what was imported stays in memory that the children share, and is not searched for garbage
    gc.set_threshold(100_000, 50, 100)  # graphs are traced by millions of small objects
    for line in sys.stdin:
        request = json.loads(line)
        if request["do"] == "wait":
            _, status = os.waitpid(request["pid"], 0)
            answer = os.waitstatus_to_exitcode(status)
        elif request["do"] == "look":  # and leave its status to those who wait
            answer = int(os.waitid(os.P_PID, request["pid"], os.WEXITED | os.WNOHANG | os.WNOWAIT) is None)
        elif (answer := os.fork()) == 0:
            become(**request)
            return
        sys.stdout.write(f"{answer}\n")
        sys.stdout.flush()


def become(*, words, cwd, variables, output, **_):
    """Run a program in this process as ``python`` would."""
    for stream, path in enumerate((os.devnull, f"{output}/stdout", f"{output}/stderr")):
        opened = os.open(path, os.O_WRONLY | os.O_CREAT if stream else os.O_RDONLY)
        os.dup2(opened, stream)
        os.close(opened)
    os.chdir(cwd)
    os.environ.update(variables)
    sys.orig_argv = [sys.executable, *words]
    sys.path[:1] = [os.getcwd(), *filter(None, variables.get("PYTHONPATH", "").split(os.pathsep))]
    if words[0] == "-m":
        sys.argv = words[1:]
        runpy.run_module(words[1], run_name="__main__", alter_sys=True)
    elif words[0] == "-c":
        sys.argv = ["-c", *words[2:]]
        exec(compile(words[1], "<string>", "exec"), {"__name__": "__main__"})
    else:
        sys.argv, sys.path[0] = words, os.path.dirname(os.path.abspath(words[0]))
        runpy.run_path(words[0], run_name="__main__")


if __name__ == "__main__":
    serve()
