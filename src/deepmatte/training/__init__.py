"""Training: data by composition, losses, one flat loop, recipes; needs ``deepmatte[train]``."""
