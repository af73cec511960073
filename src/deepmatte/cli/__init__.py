"""The command line: one file a verb, and here what holds for all of them.

Every verb ends with exit code 0 only if everything asked for was done; 2 says that the command
line itself was wrong, 1 that the work failed, in one sentence on standard error, and 130 that it
was interrupted.
"""

from __future__ import annotations

import sys

from deepmatte.errors import MattingError


def main() -> None:
    """Run the command line; what goes wrong becomes one sentence and an exit code."""
    try:
        from deepmatte.cli.app import app  # imported here, so that an interrupt is caught already

        app(prog_name="deepmatte")
    except KeyboardInterrupt:
        sys.exit(130)
    except ImportError as error:
        # An extension module that is interrupted while it loads turns that into its own failure.
        if isinstance(error.__cause__ or error.__context__, KeyboardInterrupt):
            sys.exit(130)
        raise
    except MattingError as error:
        sys.exit(f"deepmatte: {error}")
    except MemoryError:
        sys.exit("deepmatte: There is not enough memory for this picture.")
    except OSError as error:
        where = "" if error.filename is None else f": {error.filename}"
        sys.exit(f"deepmatte: {error.strerror or error}{where}.")
