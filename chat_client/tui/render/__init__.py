"""Frames: the state and a display in, rows out; only what is on the screen is laid out."""
