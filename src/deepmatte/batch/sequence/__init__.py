"""Frames of a shot, in files or in a video, to mattes whose edges stand still."""
