"""The formats of the protocol: text for people, and JSON lines for programs."""

from chat_server.protocol.formats.format import Format
from chat_server.protocol.formats.json import JSON
from chat_server.protocol.formats.text import TEXT

FORMATS: dict[str, Format] = {each.name: each for each in (TEXT, JSON)}


def format_of(line: str) -> Format:
    """The format in which a command was said. Commands may come in either, whatever the connection receives."""
    return JSON if line.startswith("{") else TEXT


__all__ = ["FORMATS", "JSON", "TEXT", "Format", "format_of"]
