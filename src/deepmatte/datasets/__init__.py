"""Test sets: the layouts that are read, the trimaps made for them, and sets composed anew."""
