"""The command line: one file per command; this file has what they share.

Exit codes: 0 if everything asked for was done, 1 if the work failed (one sentence on standard error
says why), 2 if the command line was wrong, 130 after Ctrl-C, 143 after SIGTERM.
"""

from __future__ import annotations

import contextlib
import io
import os
import shlex
import signal
import sys
from types import FrameType
from typing import Any

from deepmatte.errors import MattingError, printable

# What names the output of the verbs that have no -o.
_OUTPUTS = {
    "batch": "the second argument is the folder for the results: deepmatte batch photos out",
    "demo": "the argument is the folder for the results: deepmatte demo folder",
    "serve": "each answer is a result: curl -o cutout.png ...",
    "studio": "Save in the page names the file",
}


def main() -> None:
    """Run the command line; an error becomes one sentence and an exit code."""
    with contextlib.suppress(ValueError):  # not the main thread
        signal.signal(signal.SIGTERM, _end)
    try:
        sys.exit(_run())
    except KeyboardInterrupt:
        sys.exit(130)
    except ImportError as error:
        # An extension module that is interrupted while it loads raises an error of its own.
        if isinstance(error.__cause__ or error.__context__, KeyboardInterrupt):
            sys.exit(130)
        if not _lacks_memory(error):
            raise
        _fail("There is not enough memory to load what this needs.")
    except RuntimeError as error:
        if not _lacks_memory(error):
            raise
        _fail("There is not enough memory for another thread.")
    except MattingError as error:
        _fail(str(error))
    except MemoryError:
        _fail("There is not enough memory for this picture.")
    except OSError as error:
        if _lacks_memory(error):  # numba's, which rembg loads
            _fail("There is not enough memory to load what this needs.")
        where = "" if error.filename is None else f": {error.filename}"
        _fail(f"{error.strerror or error}{where}.")


def _run() -> int:
    """The exit code of the verb."""
    import typer  # imported here, so that Ctrl-C is handled

    from deepmatte.cli.app import app

    # ClickException; newer versions of Typer have their own.
    wrong_use: Any = typer.BadParameter.__mro__[2]
    try:
        return app(prog_name="deepmatte", standalone_mode=False) or 0
    except typer.Abort:
        return 130
    except wrong_use as error:
        message = io.StringIO()
        error.show(message)
        for line in message.getvalue().splitlines():
            # Pydantic, which checks values for Typer, puts its own words before the sentence.
            print(printable(line.replace("Value error, ", "")), file=sys.stderr)
        verb = error.ctx.info_name if error.ctx else ""
        if getattr(error, "option_name", "") in ("-o", "--out") and verb in _OUTPUTS:
            print(f"There is no -o here; {_OUTPUTS[verb]}.", file=sys.stderr)
        elif len(sys.argv) > 1 and verb == "deepmatte" and os.path.isfile(sys.argv[1]):
            picture = printable(shlex.quote(sys.argv[1]))
            print(f"To cut out a picture: deepmatte matte {picture} TRIMAP", file=sys.stderr)
        return int(error.exit_code)


def _lacks_memory(error: BaseException | None) -> bool:
    """Whether a library could not be loaded, or a thread begun, for want of memory."""
    signs = ("failed to map segment", "annot allocate memory", "start new thread", "bad_alloc")
    while error is not None:
        if isinstance(error, MemoryError) or any(sign in str(error) for sign in signs):
            return True
        error = error.__cause__ or error.__context__
    return False


def _fail(sentence: str) -> None:
    sys.exit(f"deepmatte: {printable(sentence)}")


def _end(number: int, frame: FrameType | None) -> None:
    """Exit by an exception, so that temporary files are removed."""
    sys.exit(128 + number)
