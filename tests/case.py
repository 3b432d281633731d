# SPDX-License-Identifier: GPL-2.0-or-later
"""Tests of the program as its user meets it: run it in an empty directory, look at what it said. Prints KTAP."""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import traceback

TREE = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
CASES = []
NOBODY = 65534
SECONDS = 120  # for one command


class Skip(Exception):
    """Why a test cannot be run here."""


def case(function):
    """Registers a test; its name says what must hold."""
    CASES.append(function)
    return function


class Result:
    def __init__(self, command, done):
        self.command, self.code, self.raw = command, done.returncode, done.stdout
        self.out = done.stdout.decode(errors="replace")
        self.err = done.stderr.decode(errors="replace")

    def __str__(self):
        words = " ".join(str(word) for word in self.command)
        return f"{words[:300]}: exit {self.code}\n--- stdout\n{self.out[-2000:]}\n--- stderr\n{self.err[-2000:]}"

    def expect(self, code, out=None, err=None):
        """The exit code, and regexes that must be found."""
        assert self.code == code, f"exit code is not {code}: {self}"
        assert out is None or re.search(out, self.out), f"no '{out}' in stdout: {self}"
        assert err is None or re.search(err, self.err), f"no '{err}' in stderr: {self}"
        assert "Sanitizer" not in self.err and "runtime error" not in self.err, f"{self}"
        return self


class Box:
    """An empty directory with the program: removed after the test."""

    def __init__(self, binary):
        self.dir = tempfile.mkdtemp(prefix="sunder-test-")
        os.chmod(self.dir, 0o755)
        self.binary = binary

    def path(self, name):
        return os.path.join(self.dir, name)

    def write(self, name, content):
        with open(self.path(name), "wb") as f:
            f.write(content if isinstance(content, bytes) else content.encode())
        return self.path(name)

    def start(self, *args, program=None, **options):
        """A running program, for tests that signal it."""
        command = [program or self.binary, *args]
        return subprocess.Popen(command, cwd=self.dir, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, **options)

    def sunder(self, *args, program=None, stdin=b"", seconds=SECONDS, **options):
        command = [program or self.binary, *args]
        done = subprocess.run(command, cwd=self.dir, input=stdin, capture_output=True, timeout=seconds,
                              check=False, **options)
        return Result(command, done)

    def unprivileged(self, *args, **options):
        """As a user with no rights, in a directory of its own."""
        if os.geteuid() != 0:
            return self.sunder(*args, **options)
        home = self.path("nobody")
        if not os.path.isdir(home):
            os.mkdir(home)
            shutil.copy(self.binary, home)
            os.chown(home, NOBODY, NOBODY)
        program = os.path.join(home, os.path.basename(self.binary))
        return self.sunder(*args, program=program, user=NOBODY, group=NOBODY, extra_groups=[], **options)

    def close(self):
        shutil.rmtree(self.dir, ignore_errors=True)


def need_root():
    if os.geteuid() != 0:
        raise Skip("needs root")


def run_case(number, function, binary):
    name, start, box = function.__name__.replace("_", "-"), time.monotonic(), Box(binary)
    try:
        function(box)
        verdict, note = "ok", ""
    except Skip as why:
        verdict, note = "ok", f"SKIP {why}"
    except Exception as error:  # a test's own mistake fails it too
        verdict, note = "not ok", ""
        text = str(error) if isinstance(error, AssertionError) and str(error) else traceback.format_exc()
        print("".join(f"# {line}\n" for line in text.splitlines()), end="")
    finally:
        box.close()
    print(f"{verdict} {number} {name} # {note or f'{time.monotonic() - start:.1f} s'}", flush=True)
    return verdict == "ok"


def main():
    parser = argparse.ArgumentParser(description=sys.modules["__main__"].__doc__)
    parser.add_argument("--binary", default=os.path.join(TREE, "build", "sunder"), help="the program (default: %(default)s)")
    parser.add_argument("name", nargs="*", help="tests to run; all otherwise")
    options = parser.parse_args()
    binary = os.path.realpath(options.binary)
    if not os.access(binary, os.X_OK):
        sys.exit(f"{binary} is not there: build it first")
    known = {function.__name__.replace("_", "-"): function for function in CASES}
    chosen = [known.get(name) or sys.exit(f"there is no test {name}") for name in options.name] or list(known.values())
    print(f"KTAP version 1\n1..{len(chosen)}", flush=True)
    passed = [run_case(number, function, binary) for number, function in enumerate(chosen, 1)]
    sys.exit(0 if all(passed) else 1)
