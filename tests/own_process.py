"""Runs Python code in a process of its own."""

import os
import subprocess
import sys
import textwrap


def run_python(code, *arguments, status=0, **environment):
    """Runs a program, which can import what the tests can; returns the finished process.

    Args:
        status: The exit status that it must have; None for any.
        environment: Environment variables that it has in addition.
    """
    environment = {"PYTHONPATH": os.pathsep.join(map(str, sys.path)), **environment}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(code), *map(str, arguments)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert status is None or done.returncode == status, done.stderr[-3000:]
    return done
