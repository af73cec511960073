"""Batches on a Ray cluster: what lies at any address, matted by many machines."""
