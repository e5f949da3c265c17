"""Frames: from the state and a display to rows; only what is on the screen is laid out."""
