"""The state of the full screen, pure: events and keys in, state and effects out."""
