"""The networks as torch modules: how they are trained and exported. Using them needs no torch."""
