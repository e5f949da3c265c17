"""Sessions from any address, on a node in this process."""

import io
from typing import cast

from chat_server.action_log import ActionLog, LineForm
from chat_server.frontend.rate_limits import Allowances
from chat_server.frontend.session import Session
from chat_server.frontend.transport import Transport
from tests.unit import one_node
from tests.unit.fakes import FakeTransport


class Taking(FakeTransport):
    """Its peer takes everything at once."""

    def is_all_taken(self) -> bool:
        return True

    def is_there(self) -> bool:
        return True

    def find_descriptor(self) -> int:
        return -1


class Speaker:
    """A session from an address, of a node that another test class drives."""

    def __init__(self, chat: one_node.Chat, address: str) -> None:
        self.transport = Taking()
        form = LineForm(chat.runtime, json=False)
        actions = ActionLog(chat.runtime, form, enabled=False, stream=cast(io.TextIOBase, io.StringIO()))
        self._chat = chat
        self.session = Session(
            chat.runtime,
            chat.node,
            one_node.SETTINGS,
            actions,
            Allowances(None, 1),
            cast(Transport, self.transport),
            address,
            lambda _: None,
        )
        self.transport.taken = b""

    async def says(self, line: str) -> str:
        """The last line of the answer."""
        self.transport.taken = b""
        self.session.receive(memoryview(f"{line}\n".encode()))
        await self._chat.runtime.sleep(0.1)
        return self.transport.taken.decode().splitlines()[-1]
