"""The layout: the state and a size in, the rows of each part of the screen out. Pure."""
