"""Rows: what is shown, as styled text of a known width. Pure: no terminal, no clock, no I/O."""
