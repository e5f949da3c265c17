"""Recently seen users, chats, messages and files, which completion offers first. Bounded."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from chat_client.common.chat_order import chat_order
from chat_client.common.completion import Known
from chat_client.common.local_commands import with_local
from chat_client.common.wording import short
from chat_client.sdk.events import AnyEvent, Connected, Outgoing
from chat_server.protocol.accounts import TokenList, TokenRevoked
from chat_server.protocol.base import Reply
from chat_server.protocol.connection import CommandForm
from chat_server.protocol.files import Upload
from chat_server.protocol.messages import Message, Sent
from chat_server.protocol.operators import AddressBanList, AddressBanned, AddressUnbanned
from chat_server.protocol.people import PresenceChanged, StatusReport
from chat_server.protocol.rooms import Approved, Invited, Joined, Left

USERS_MAX, CHATS_MAX, MESSAGES_MAX = 1000, 1000, 200
Key = TypeVar("Key")


class Recent:
    """The last of each is the most recent one."""

    def __init__(self) -> None:
        self._speakers: dict[tuple[str, str], None] = {}  # chat, user
        self._users: dict[str, None] = {}  # of whom it is known that they are there
        self._chats: dict[str, None] = {"main": None}
        self._messages: dict[int, tuple[str, str]] = {}  # chat, how it begins
        self._files: dict[int, str] = {}
        self._tokens: dict[str, str] = {}  # as they were listed last, with what uses them
        self._networks: dict[str, str] = {}  # the banned ones, as they were listed last, with why

    @property
    def chats(self) -> list[str]:
        """In the order in which they are listed."""
        return sorted(self._chats, key=chat_order)

    def note(self, event: AnyEvent | Reply, me: str = "") -> None:
        match event:
            case Message():
                self._note_message(event)
            case Outgoing(state="sent", reply=(Sent() | Upload()) as sent) if sent.id is not None:
                _touch(self._messages, sent.id, (event.target or "", f"{me}: {short(event.summary)}"), MESSAGES_MAX)
            case PresenceChanged(user=user, online=True):
                _touch(self._users, user, None, USERS_MAX)
            case StatusReport():
                for user in (*event.inactive, *event.active)[-USERS_MAX:]:
                    _touch(self._users, user, None, USERS_MAX)
            case TokenList(tokens=tokens):
                self._tokens = {
                    each.token_id: "  ".join(filter(None, (each.client, each.address)))
                    for each in tokens
                    if not each.this
                }
            case TokenRevoked(token_id=token_id):
                self._tokens.pop(token_id, None)
            case AddressBanList(bans=bans):
                self._networks = {each.address: short(each.reason) for each in bans}
            case AddressBanned(address=network, reason=reason):
                self._networks[network] = short(reason)
            case AddressUnbanned(address=network):
                self._networks.pop(network, None)
            case Connected(signed_in=signed_in):
                invited = [each.chat for each in signed_in.invitations]
                for name in (*invited, *(chat.name for chat in signed_in.chats))[-CHATS_MAX:]:
                    self._note_chat(name)
            case Invited(chat=name) | Approved(chat=name):
                self._note_chat(name)
            case Joined(user=user, chat=name) if user == me:
                self._note_chat(name)
            case Left(user=user, chat=name) if user == me:
                self._chats.pop(name, None)

    def _note_message(self, message: Message) -> None:
        _touch(self._speakers, (message.chat, message.from_), None, USERS_MAX)
        self._note_chat(message.chat)
        if message.deleted:
            self._messages.pop(message.id, None)
            return
        begins = f"{message.from_}: {short(message.text or '')}"
        _touch(self._messages, message.id, (message.chat, begins), MESSAGES_MAX)
        if message.file:
            _touch(self._files, message.file.id, message.file.name, MESSAGES_MAX)

    def _note_chat(self, name: str) -> None:
        _touch(self._chats, name, None, CHATS_MAX)

    def known(
        self, commands: Sequence[CommandForm], open_chat: str, me: str, paths: Callable[[str], Iterable[str]] | None
    ) -> Known:
        """What belongs to the open chat comes first, then what was heard last."""
        speakers, messages = list(self._speakers)[::-1], list(self._messages.items())[::-1]
        speakers.sort(key=lambda spoke: spoke[0] != open_chat)
        messages.sort(key=lambda message: message[1][0] not in (open_chat, ""))
        users = dict.fromkeys([*(user for _, user in speakers), *reversed(self._users)])
        users.pop(me, None)
        return Known(
            commands=with_local(commands),
            users=list(users)[:USERS_MAX],
            chats=list(dict.fromkeys([*([open_chat] if open_chat else []), *reversed(self._chats)])),
            messages=[(id, begins) for id, (_, begins) in messages],
            files=list(reversed(self._files.items())),
            tokens=list(self._tokens.items()),
            networks=list(self._networks.items()),
            paths=paths,
            open_chat=open_chat,
        )


def _touch(kept: dict[Key, Any], key: Key, value: Any, most: int) -> None:
    """Make it the most recent one, and forget the oldest."""
    kept.pop(key, None)
    kept[key] = value
    if len(kept) > most:
        del kept[next(iter(kept))]
