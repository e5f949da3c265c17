"""The chat server: a state machine fed by an ordered log of commands. See ARCHITECTURE.md."""

# The version of both programs, and of the wheel: here alone.
__version__ = "0.2.0"
