"""A program that knows one version of the log more: with an added command, an added field and a change of rows."""

import pytest

from chat_server.cluster import member, snapshots, upgrade
from chat_server.log import entries, replicated, versions
from chat_server.log.versions import VERSION
from chat_server.rules import executor
from chat_server.store import database

NEWER = VERSION + 1
# React came with the newer version, and so did the limit on texts.
ADDED = {"React": NEWER, "Limits.text_quota_bytes": NEWER}
CHANGES = {NEWER: "UPDATE users SET away = 'changed' WHERE away IS NULL"}


def run_program(patch: pytest.MonkeyPatch, version: int) -> None:
    """Let everything be that of a program that knows up to this version: VERSION, or NEWER."""
    for module in (entries, member, replicated, snapshots, upgrade, versions, executor):
        patch.setattr(module, "VERSION", version)
    patch.setattr("chat_server.node.VERSION", version)
    patch.setattr(versions, "ADDED", ADDED)
    patch.setattr(database, "CHANGES", CHANGES if version == NEWER else {})
