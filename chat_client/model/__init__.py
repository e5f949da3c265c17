"""The model of the screen: events and keys in, state and effects out. Pure: no terminal, no clock, no I/O."""
