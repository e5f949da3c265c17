"""The shell around the state and the frames: all that uses prompt_toolkit, kept thin."""
