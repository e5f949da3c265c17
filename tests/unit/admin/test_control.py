import json
import logging
from collections.abc import AsyncIterator
from typing import Any

import apsw
import pytest

from chat_server.admin.control import answer
from chat_server.protocol.base import Reply
from chat_server.protocol.times import iso
from chat_server.rules.outcomes import Page
from tests.unit.fakes import NOON_MS


class Unreadable:
    """A backend whose disk cannot be read."""

    def now(self) -> str:
        return iso(NOON_MS)

    async def order(self, command: Any) -> Reply:
        raise AssertionError

    async def read(self, query: Any) -> AsyncIterator[Page]:
        yield Page([])
        raise apsw.IOError("disk I/O error")


async def test_a_disk_that_cannot_be_read_is_told_as_that_and_logged_as_that(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        ((data, verb, result),) = [each async for each in answer(Unreadable(), b'{"cmd":"stats","label":"7f"}', 100)]
    said = json.loads(data)
    assert (said["code"], said["done"], said["label"]) == ("unavailable", False, "7f")
    assert (verb, result) == ("stats", "unavailable")
    (line,) = caplog.messages
    assert line == "the disk failed while the answer to stats was read: disk I/O error"
