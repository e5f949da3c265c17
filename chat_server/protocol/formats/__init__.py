"""How the protocol is written: lines for people, and JSON lines for programs."""
