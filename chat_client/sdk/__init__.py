"""A program's connection to the chat: all that a bot needs, and the base of both front ends."""
