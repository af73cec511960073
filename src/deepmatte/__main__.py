"""Run the command line as ``python -m deepmatte``."""

from deepmatte.cli import main

main()
