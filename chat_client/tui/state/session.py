"""The signed-in user, the server, and what it allows."""

from msgspec import Struct, field

from chat_client.sdk.events import Connected, State
from chat_server.protocol.accounts import ActiveBan
from chat_server.protocol.connection import CommandForm
from chat_server.protocol.people import Limit

TEXT_CHARS_MAX = 4096  # until the server says it


class Session(Struct):
    """`connection`: None before the first try. `catching_up`: what comes was said before the connection was made.
    `is_new`: a new account that has sent nothing yet. `welcome`: what the server tells it, until that is noted.

    `old_since`: of which time everything is while the server is cut off from its cluster.
    """

    user: str = ""
    server: str = ""
    connection: State | None = None
    catching_up: bool = True
    is_new: bool = False
    welcome: list[str] = field(default_factory=list)
    old_since: str | None = None
    is_operator: bool = False
    ban: ActiveBan | None = None
    limits: dict[str, Limit] = field(default_factory=dict)
    commands: list[CommandForm] = field(default_factory=list)
    text_max: int = TEXT_CHARS_MAX

    @property
    def is_online(self) -> bool:
        return isinstance(self.connection, Connected)
