"""The command line in the process of the tests: one of its own takes half a second to start."""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
import warnings
from contextlib import ExitStack
from pathlib import Path

import pytest

from deepmatte.cli import main


def run(
    *arguments: str | Path, folder: Path, stdin: bytes = b""
) -> subprocess.CompletedProcess[bytes]:
    """What ``deepmatte ARGUMENTS`` does in a folder, but for what only a process can do."""
    words = ["deepmatte", *map(str, arguments)]
    terminated = signal.getsignal(signal.SIGTERM)
    with ExitStack() as stack, pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        # As in a process of its own: an older typer imports what click will give up.
        warnings.simplefilter("ignore", DeprecationWarning)
        given, output, errors = (stack.enter_context(tempfile.TemporaryFile()) for _ in range(3))
        given.write(stdin)
        given.seek(0)
        patch.chdir(folder)
        patch.setattr(sys, "argv", words)
        for name, file in (("stdin", given), ("stdout", output), ("stderr", errors)):
            mode, how = ("r", "strict") if name == "stdin" else ("w", "backslashreplace")
            text = stack.enter_context(
                open(file.fileno(), mode, encoding="utf-8", errors=how, closefd=False)
            )
            patch.setattr(sys, name, text)
        with pytest.raises(SystemExit) as ended:
            main()
        code = ended.value.code
        if isinstance(code, str):  # which Python says at the end of a process
            print(code, file=sys.stderr)
            code = 1
        signal.signal(signal.SIGTERM, terminated)
        sys.stdout.flush()
        sys.stderr.flush()
        said = []
        for file in (output, errors):
            file.seek(0)
            said.append(file.read())
    return subprocess.CompletedProcess(words, code or 0, *said)


def run_as_text(*arguments: str | Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """The same, with what it said as text."""
    done = run(*arguments, folder=folder)
    said = done.stdout.decode(), done.stderr.decode()
    return subprocess.CompletedProcess(done.args, done.returncode, *said)
