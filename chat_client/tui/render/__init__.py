"""The state and a size in, rows out; only what is visible."""
