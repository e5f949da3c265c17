"""The options of chat-client: command line, over the TOML file in the user's configuration directory, over defaults."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from msgspec import Struct


class Settings(Struct, frozen=True, kw_only=True):
    servers: tuple[str, ...] = ("localhost:8000",)
    user: str | None = None
    tls: bool = False
    ca: Path | None = None
    plain: bool = False
    theme: Literal["dark", "light", "mono"] = "dark"
    downloads: Path  # the user's downloads directory
    mouse: bool = True
    notify: bool = True  # bell and desktop notifications
    # Scripts:
    send: str | None = None  # the target
    text: str | None = None  # what to send; None: from stdin
    follow: str | None = None
    json: bool = False
    # Where things are kept:
    data_dir: Path  # tokens (0600), history of what was typed
    config_file: Path


def load(arguments: Sequence[str]) -> Settings:
    """Exits with status 2 and one line for a wrong option (argparse)."""
    raise NotImplementedError
