"""The command line: one file a verb, and here what holds for all of them.

Every verb ends with exit code 0 only if everything asked for was done; 2 says that the command
line itself was wrong, 1 that the work failed, in one sentence on standard error, 130 that it was
interrupted, and 143 that it was told to end (SIGTERM).
"""

from __future__ import annotations

import contextlib
import io
import signal
import sys
from types import FrameType
from typing import Any

from deepmatte.errors import MattingError, printable


def main() -> None:
    """Run the command line; what goes wrong becomes one sentence and an exit code."""
    with contextlib.suppress(ValueError):  # not the main thread
        signal.signal(signal.SIGTERM, _end)
    try:
        sys.exit(_run())
    except KeyboardInterrupt:
        sys.exit(130)
    except ImportError as error:
        # An extension module that is interrupted while it loads turns that into its own failure.
        if isinstance(error.__cause__ or error.__context__, KeyboardInterrupt):
            sys.exit(130)
        raise
    except MattingError as error:
        _fail(str(error))
    except MemoryError:
        _fail("There is not enough memory for this picture.")
    except OSError as error:
        where = "" if error.filename is None else f": {error.filename}"
        _fail(f"{error.strerror or error}{where}.")


def _run() -> int:
    """The exit code of the verb."""
    import typer  # imported here, so that an interrupt is caught already

    from deepmatte.cli.app import app

    # ClickException, of which newer versions of Typer have their own.
    wrong_use: Any = typer.BadParameter.__mro__[2]
    try:
        return app(prog_name="deepmatte", standalone_mode=False) or 0
    except typer.Abort:
        return 130
    except wrong_use as error:
        message = io.StringIO()
        error.show(message)
        for line in message.getvalue().splitlines():
            print(printable(line), file=sys.stderr)
        return int(error.exit_code)


def _fail(sentence: str) -> None:
    sys.exit(f"deepmatte: {printable(sentence)}")


def _end(number: int, frame: FrameType | None) -> None:
    """End as if by an error, so that temporary files are removed on the way out."""
    sys.exit(128 + number)
