"""Many pictures: folders, lists and globs of them, with a ledger of what is done.

`Matting` is the stage of a Ray Data job that mattes its rows.
"""

from deepmatte.batch.cluster.stage import Matting

__all__ = ["Matting"]
