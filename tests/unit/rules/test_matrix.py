"""The matrix of roles, commands and chats: who may do what where, and how it is refused.

The rows are checked against the table of commands. A new command fails here without a row, or a place among those
that name no chat.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from chat_server.errors import Refusal
from chat_server.log.entries import CompleteUpload
from chat_server.protocol.table import TABLE
from chat_server.store import operators
from tests.unit.chat import Chat, refusal_of

# Each is also the name of a user. mate is a member with whom the owner writes one to one; guest is a stranger to all.
# The operator is in no private chat.
ROLES = ("stranger", "asked", "invited", "removed", "member", "owner", "banned", "operator")
INSIDE = ("member", "owner", "banned")
CHATS = {"main": "main", "room": "#room", "direct": "@mate", "none": "#none"}
NO_MESSAGE = 99_999

# Commands that name neither a chat nor a message, among them those about users and about one's own uploads.
NO_CHAT = {
    "sign_in", "resume", "sign_out", "tokens", "revoke_token", "password", "delete_account", "cancel_delayed",
    "delayed", "status", "who", "report", "presence", "help", "format", "ping", "sessions", "quit", "away", "block",
    "unblock", "blocked", "watch_typing", "preference", "chunk", "cancel_upload", "ban", "unban",
    "ban_address", "unban_address", "banned_addresses", "kick", "reports",
    "announce", "stats",
}  # fmt: skip
# One line of each command for operators alone.
OPERATORS_LINES = {
    "ban": "/ban guest 1h", "unban": "/unban guest", "ban_address": "/ban_address 192.0.2.7",
    "unban_address": "/unban_address 192.0.2.7", "banned_addresses": "/banned_addresses",
    "kick": "/kick guest", "reports": "/reports",
    "announce": "/announce hear hear", "stats": "/stats",
}  # fmt: skip

Codes = dict[str, str]  # by role


def all_get(code: str) -> Codes:
    return dict.fromkeys(ROLES, code)


def inside(code: str, outside: str, **others: str) -> Codes:
    return {role: code if role in INSIDE else outside for role in ROLES} | others


def owner_gets(code: str, others: str) -> Codes:
    return inside(others, others, owner=code)


ANY = all_get("ok")
NO_ROOM = all_get("bad_argument")
IN_ROOM = inside("ok", "unknown_chat")
OWNERS = inside("forbidden", "unknown_chat", owner="ok")
IN_ROOM_MESSAGE = inside("ok", "unknown_message")
DIRECT_MESSAGE = owner_gets("ok", "unknown_message")
# A line, and what each role gets for it in main, the private chat and the one-to-one chat; None if it does not apply.
# {id} is a message of mate's there, {own} one of the asker's. A banned user gets `banned` for what others would see.
Row = tuple[str, Codes | None, Codes | None, Codes | None]
ROWS: dict[str, list[Row]] = {
    "send_all": [("/send_all hi", ANY, None, None)],
    "send": [("/send {chat} hi", ANY, IN_ROOM, ANY)],
    "reply": [("/reply {id} hi", ANY, IN_ROOM_MESSAGE, DIRECT_MESSAGE)],
    "edit": [
        ("/edit {id} x", all_get("forbidden"), inside("forbidden", "unknown_message"),
         owner_gets("forbidden", "unknown_message")),
        ("/edit {own} x", ANY, inside("ok", "unknown_message"), None),
    ],
    "delete": [
        # Operators may delete any message by its id.
        ("/delete {id}", all_get("forbidden") | {"operator": "ok"},
         inside("forbidden", "unknown_message", operator="ok"),
         owner_gets("forbidden", "unknown_message") | {"operator": "ok"}),
        ("/delete {own}", ANY, inside("ok", "unknown_message", operator="ok"), None),
    ],
    "react": [("/react {id} 👍", ANY, IN_ROOM_MESSAGE, DIRECT_MESSAGE)],
    "unreact": [("/unreact {id} 👍", ANY, IN_ROOM_MESSAGE, DIRECT_MESSAGE)],
    "talk": [("/talk {chat}", ANY, IN_ROOM, ANY)],
    "send_delayed": [("/send_delayed {chat} 5m hi", ANY, IN_ROOM, ANY)],
    "get_chat_with": [("/get_chat_with mate", None, None, ANY)],
    "messages": [("/messages {chat}", ANY, IN_ROOM, ANY)],
    "history": [("/history {chat}", ANY, IN_ROOM, ANY)],
    "thread": [("/thread {id}", ANY, IN_ROOM_MESSAGE, DIRECT_MESSAGE)],
    "search": [("/search hello in:{chat}", ANY, IN_ROOM, ANY)],
    "mute": [("/mute {chat}", ANY, IN_ROOM, owner_gets("ok", "unknown_chat"))],
    "unmute": [("/unmute {chat}", ANY, IN_ROOM, owner_gets("ok", "unknown_chat"))],
    "send_file": [("/send_file {chat} a.png 5", ANY, IN_ROOM, ANY)],
    "files": [("/files {chat}", ANY, IN_ROOM, ANY)],
    "get_file": [("/get_file {file}", ANY, inside("ok", "unknown_file"), owner_gets("ok", "unknown_file"))],
    "read": [("/read {chat} 1", ANY, IN_ROOM, ANY)],
    "create_chat": [("/create_chat {chat}", NO_ROOM, all_get("exists"), NO_ROOM)],
    "invite": [
        ("/invite {chat} guest", NO_ROOM, IN_ROOM, NO_ROOM),
        ("/invite {chat} mate", NO_ROOM, inside("exists", "unknown_chat"), NO_ROOM),
        ("/invite {chat} nobody", NO_ROOM, inside("unknown_user", "unknown_chat"), NO_ROOM),
    ],
    "invite_link": [("/invite_link {chat}", NO_ROOM, IN_ROOM, NO_ROOM)],
    "revoke_link": [("/revoke_link {chat}", NO_ROOM, IN_ROOM, NO_ROOM)],
    "join": [
        # A name without its # is taken for a code.
        ("/join {chat}", all_get("unknown_chat"), inside("ok", "unknown_chat", invited="ok"), all_get("unknown_chat")),
        ("/join code-1", None, ANY, None),
        ("/join nonsense", None, all_get("unknown_chat"), None),
    ],
    "decline": [("/decline {chat}", NO_ROOM, inside("unknown_chat", "unknown_chat", invited="ok"), NO_ROOM)],
    "approve": [("/approve {chat} asked", NO_ROOM, OWNERS, NO_ROOM)],
    "deny": [("/deny {chat} asked", NO_ROOM, OWNERS, NO_ROOM)],
    "members": [("/members {chat}", NO_ROOM, IN_ROOM, NO_ROOM)],
    "leave": [("/leave {chat}", NO_ROOM, IN_ROOM, NO_ROOM)],
    "remove": [
        ("/remove {chat} mate", NO_ROOM, OWNERS, NO_ROOM),
        ("/remove {chat} stranger", NO_ROOM, inside("forbidden", "unknown_chat", owner="unknown_user"), NO_ROOM),
    ],
    "give": [("/give {chat} mate", NO_ROOM, OWNERS, NO_ROOM)],
    "topic": [
        ("/topic {chat}", NO_ROOM, IN_ROOM | {"banned": "ok"}, NO_ROOM),
        ("/topic {chat} new", NO_ROOM, IN_ROOM, NO_ROOM),
    ],
    "slow_mode": [
        ("/slow_mode {chat}", ANY, IN_ROOM | {"banned": "ok"}, NO_ROOM),
        ("/slow_mode {chat} 30s", all_get("forbidden") | {"operator": "ok"}, OWNERS, NO_ROOM),
    ],
}  # fmt: skip
SHOW_ALONE = ("/topic {chat}", "/slow_mode {chat}")  # lines of commands that others see otherwise


class World:
    """The chat with all roles. `fresh` restores its first state."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.chat = Chat(path / "start")
        say = self.chat.say
        self.chat.sign_in(*ROLES[:-1], "mate", "guest")
        self.chat.sign_in("operator", new_hash="argon", password_given=True)
        operators.add(self.chat.executor._db, "operator", "operator")
        say("owner", "/create_chat #room")
        code = say("owner", "/invite_link #room").reply.code
        for name in ("mate", "member", "banned", "removed", "invited"):
            say("owner", f"/invite #room {name}")
            if name != "invited":
                say(name, "/join #room")
        say("asked", f"/join {code}")
        self.ids = {
            (chat, "mate"): say("mate", f"/send {target} hello").reply.id
            for chat, target in (("main", "main"), ("room", "#room"), ("direct", "@owner"))
        }
        for chat, target in (("main", "main"), ("room", "#room"), ("direct", "@owner")):
            self.ids[chat, "file"] = self.send_file("mate", target)
        for role in ROLES:
            self.ids["main", role] = say(role, "/send_all mine").reply.id
        for role in (*INSIDE, "removed"):
            self.ids["room", role] = say(role, "/send #room mine").reply.id
        say("owner", "/remove #room removed")
        self.chat.configure(reports_to_ban=1)
        say("mate", "/report banned")
        self.chat.close()
        self.names, self.times = self.chat.ids, 0

    def send_file(self, name: str, target: str) -> int:
        upload: int = self.chat.say(name, f"/send_file {target} a.png 5").reply.upload
        self.chat.blobs.append(upload, b"hello")
        sha256 = self.chat.blobs.seal(upload)
        self.chat.blobs.place(upload, sha256)
        self.chat.do(CompleteUpload(upload, sha256), name)
        return upload

    def fresh(self) -> Chat:
        self.chat.close()
        self.times += 1
        path = self.path / str(self.times)
        shutil.copytree(self.path / "start", path)
        self.chat = Chat(path, self.chat.clock, reports_to_ban=1)
        self.chat.ids, self.chat.links = self.names, 1
        return self.chat

    def line(self, line: str, chat: str, role: str) -> str:
        id_ = self.ids.get((chat, "mate"), NO_MESSAGE)
        # A user who was never in the chat has no message there, so somebody else's is taken.
        file = self.ids.get((chat, "file"), NO_MESSAGE)
        return line.format(chat=CHATS[chat], id=id_, own=self.ids.get((chat, role), id_), file=file)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    world = World(tmp_path_factory.mktemp("world"))
    yield world
    world.chat.close()


def test_every_command_is_in_the_matrix() -> None:
    # Who types is no command of a rule: see test_typing.
    assert set(ROWS) | NO_CHAT | {"typing"} == set(TABLE)
    assert not set(ROWS) & NO_CHAT


@pytest.mark.parametrize("verb", ROWS)
def test_each_role_in_each_chat(world: World, verb: str) -> None:
    chat = world.fresh()
    for line, *expected in ROWS[verb]:
        assert line.split()[0] == f"/{verb}"
        for place, codes in zip(("main", "room", "direct"), expected, strict=True):
            for role, code in (codes or {}).items():
                said = world.line(line, place, role)
                if (
                    role == "banned"
                    and TABLE[verb].seen_by_others
                    and code != "bad_argument"
                    and line not in SHOW_ALONE
                ):
                    code = "banned"
                assert outcome(chat, role, said) == code, f"{said} by {role}"
                if code == "ok":
                    chat = world.fresh()


def test_operator_commands_are_for_operators_alone(world: World) -> None:
    assert OPERATORS_LINES.keys() == {verb for verb, spec in TABLE.items() if spec.who == "operators"}
    for line in OPERATORS_LINES.values():
        chat = world.fresh()
        for role in ROLES:
            assert outcome(chat, role, line) == ("ok" if role == "operator" else "forbidden"), f"{line} by {role}"


def outcome(chat: Chat, role: str, line: str) -> str:
    """Return `ok`, or the code of a refusal, which has left everything unchanged."""
    try:
        chat.parse(line)
    except Refusal as refusal:
        return refusal.code
    try:
        return refusal_of(chat, role, line).code
    except AssertionError as done:
        assert "was done" in str(done), done
        return "ok"


def test_outsiders_cannot_tell_a_chat_from_none(world: World) -> None:
    """The refusals are equal word for word, except for the name or the id."""
    chat = world.fresh()
    compared = 0
    for rows in ROWS.values():
        for line, _, codes, _ in rows:
            for role, code in (codes or {}).items():
                if code not in ("unknown_chat", "unknown_message", "unknown_file"):
                    continue
                there, none = (world.line(line, place, role) for place in ("room", "none"))
                id_ = str(world.ids["room", "mate"] if "{id}" in line else world.ids.get(("room", role), 0))
                id_ = id_ if id_ != "0" else str(world.ids["room", "mate"])
                file = world.ids["room", "file"]
                told = refusal_text(chat, role, there).replace(f"#{id_} ", f"#{NO_MESSAGE} ")
                told = told.replace(f"file {file} ", f"file {NO_MESSAGE} ")
                assert told == refusal_text(chat, role, none).replace("#none", "#room"), f"{there} by {role}"
                compared += 1
    assert compared > 100


def refusal_text(chat: Chat, role: str, line: str) -> str:
    refusal = refusal_of(chat, role, line)
    return f"{refusal.code}: {refusal.text} {refusal.fields}"


def test_outsiders_are_shown_nothing_of_the_chat(world: World) -> None:
    chat = world.fresh()
    for role in ("stranger", "asked", "removed"):
        shown = str((chat.come_back(role, 0), chat.come_back(role), chat.say(role, "/status")))
        told = shown.replace("Left(chat='#room', user='removed', by='owner')", "")
        assert "#room" not in told and "hello" in told, "of main there is a hello"
