"""The connection of a program to the chat: what a bot needs, and what both front ends stand on."""
