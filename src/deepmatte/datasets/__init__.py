"""Data sets: their layouts, trimaps made for them, and composing new ones."""
