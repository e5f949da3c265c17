"""The chat server: a state machine fed by an ordered log of commands. See ARCHITECTURE.md."""

__version__ = "0.1.0"
