"""The version, which the build, results and interfaces name."""

__version__ = "0.1.0"
