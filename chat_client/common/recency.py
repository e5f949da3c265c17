"""What has been seen lately, for completion: who spoke, which chats, messages and files. Bounded."""

from collections import deque
from collections.abc import Callable, Iterable, Sequence

from chat_client.common.completion import Known
from chat_client.common.local_commands import with_own
from chat_client.common.wording import short
from chat_client.sdk.events import AnyEvent, Connected
from chat_server.protocol.connection import CommandForm
from chat_server.protocol.messages import Message
from chat_server.protocol.people import PresenceChanged

USERS_MAX, CHATS_MAX, MESSAGES_MAX = 1000, 1000, 200


class Recent:
    def __init__(self) -> None:
        self._users: dict[str, None] = {}  # the last is the most recent
        self._chats: dict[str, None] = {"main": None}
        self._messages: deque[tuple[int, str]] = deque(maxlen=MESSAGES_MAX)
        self._files: deque[tuple[int, str]] = deque(maxlen=MESSAGES_MAX)

    def note(self, event: AnyEvent) -> None:
        match event:
            case Message():
                _touch(self._users, event.from_, USERS_MAX)
                _touch(self._chats, event.chat, CHATS_MAX)
                if not event.deleted:
                    self._messages.appendleft((event.id, f"{event.from_}: {short(event.text or '')}"))
                if event.file:
                    self._files.appendleft((event.file.id, event.file.name))
            case PresenceChanged(online=True):
                self._users = {event.user: None, **self._users} if event.user not in self._users else self._users
                while len(self._users) > USERS_MAX:
                    del self._users[next(iter(self._users))]
            case Connected():
                for chat in event.signed_in.chats[:CHATS_MAX]:
                    _touch(self._chats, chat.name, CHATS_MAX)

    def known(
        self, commands: Sequence[CommandForm], open_chat: str, paths: Callable[[str], Iterable[str]] | None
    ) -> Known:
        chats = [chat for chat in reversed(self._chats) if chat != open_chat]
        return Known(
            commands=with_own(commands),
            users=list(reversed(self._users)),
            chats=[open_chat, *chats],
            messages=list(self._messages),
            files=list(self._files),
            paths=paths,
        )


def _touch(names: dict[str, None], name: str, most: int) -> None:
    names.pop(name, None)
    names[name] = None
    if len(names) > most:
        del names[next(iter(names))]
