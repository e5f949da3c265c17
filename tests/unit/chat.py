"""The rules and the store without a server around them: who says what, and what comes of it.

chat = Chat(tmp_path)
chat.sign_in("alice", "bob")
chat.say("alice", "/send bob hi").reply     the reply; a refusal is raised
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from chat_server.chat_time import LocalTime
from chat_server.errors import Refusal
from chat_server.log.entries import (
    Accept,
    Ask,
    Batch,
    Configure,
    Due,
    Enter,
    Entry,
    Limits,
    Logged,
    MakeLink,
    OpenUpload,
    OrderedBatch,
)
from chat_server.log.stream import Position
from chat_server.prepare import hash_token
from chat_server.protocol.arguments import ID_MAX
from chat_server.protocol.base import Command, Event
from chat_server.protocol.files import SendFile
from chat_server.protocol.messages import Message
from chat_server.protocol.names import check
from chat_server.protocol.parse import parse
from chat_server.protocol.rooms import InviteLink, Join, LinkMade
from chat_server.rules import Executed, Executor, read
from chat_server.rules.accounts import Welcome
from chat_server.rules.context import View
from chat_server.rules.lookup import Place, place_between
from chat_server.rules.outcomes import Ending, Entered, MembershipChange, Push, Stale, events_of
from chat_server.rules.registry import RULES
from chat_server.store import accounts, chats, rooms, slow_mode, text_quota
from chat_server.store.blobs import Blobs
from chat_server.store.database import Database, NoRoom, open_reader, open_writer
from chat_server.store.local import Local, list_sweeps
from chat_server.transfers import remove_dropped
from tests.unit.fakes import DAY_MS, HOUR_MS, FakeClock

LIMITS = Limits(
    passwordless=True,
    replay_messages=20,
    page_messages=20,
    main_rate_count=None,
    main_rate_window_ms=0,
    reports_to_ban=3,
    ban_ms=4 * HOUR_MS,
    reports_per_day=10,
    report_min_age_ms=0,
    delayed_max=100,
    delayed_ahead_ms=365 * DAY_MS,
    token_ttl_ms=30 * DAY_MS,
)
LOOPBACK = ""  # what an entry has for the machine itself


def batch(
    number: int,
    now: tuple[int, int],
    entries: Sequence[Entry],
    history: str = "history-1",
    sequence: int | None = None,
    stream: int = 0,
) -> OrderedBatch:
    """The batch with this number of node n1. Its place in the log is the same unless others write into it."""
    at_ms, elapsed_ms = now
    of_n1 = Batch(history, "n1", 1, b"", number, at_ms, list(entries))
    return OrderedBatch(of_n1, Position(stream, number if sequence is None else sequence), at_ms, elapsed_ms)


class Said(Struct):
    """What came of a line: the events that it returned, its reply, what was pushed, and what a reading had logged."""

    reply: Any
    events: list[Event]
    pushes: list[Push]
    logged: Logged | None = None
    membership_changes: Sequence[MembershipChange] = ()
    endings: Sequence[Ending] = ()

    @property
    def texts(self) -> list[str | None]:
        return [event.text for event in self.events if isinstance(event, Message)]


class Chat:
    def __init__(self, path: Path, clock: FakeClock | None = None, *, stream: int = 0, **limits: Any) -> None:
        """`stream` is 0 for the log of a lone server; a cluster's log begins with 1."""
        path.mkdir(exist_ok=True)
        self.path = path
        self.clock = clock or FakeClock()
        self.executor = Executor(open_writer(path))
        self.local = Local(path)
        state = self.executor.state
        self.time = LocalTime(self.clock, at_ms=state.at_ms, elapsed_ms=state.elapsed_ms)
        self.db = open_reader(path, local=True)
        self.blobs = Blobs(path)
        self.number = state.nodes["n1"].number if "n1" in state.nodes else state.position.sequence
        self.ids: dict[str, int] = {}
        self.links = 0
        self.stream = stream
        self.limits = replace(LIMITS, **limits)
        self.batch(Entry(Configure(self.limits)))

    def batch(self, *entries: Entry) -> Executed:
        self.number += 1
        state = self.executor.state
        history, sequence = state.history or "history-1", state.position.sequence + 1
        executed = self.executor.execute(batch(self.number, self.time.now(), entries, history, sequence, self.stream))
        check_cache(self.executor)
        self.local.follow()
        return executed

    def sweep(self) -> None:
        """Remove from the disk what nobody needs."""
        sweeps = list_sweeps(self.db, 100)
        remove_dropped(self.db, self.blobs, sweeps)
        self.local.forget_sweeps([each.id for each in sweeps])

    def configure(self, **limits: Any) -> None:
        self.limits = replace(self.limits, **limits)
        self.batch(Entry(Configure(self.limits)))

    def sign_in(self, *names: str, **fields: Any) -> Entered:
        """The last one's outcome; refusals and Stale are raised. `network` is that of the entry."""
        network = fields.pop("network", LOOPBACK)
        for name in names:
            asked = {
                "saw_version": 0, "new_hash": None, "password_given": False, "token_hash": None
            }  # fmt: skip
            entered: Entered = self.do(Enter(check(name), **{**asked, **fields}), network=network).reply
            self.ids[name] = entered.user_id
        return entered

    def entry(self, name: str, line: str, network: str = LOOPBACK) -> Entry:
        """A line that goes into the log."""
        return Entry(self.prepared(line), self.ids.get(name, 0), network=network)

    def do(self, command: Logged, name: str = "", network: str = LOOPBACK, user_id: int | None = None) -> Said:
        """As the user of this name, or of this id: the machine itself has one too."""
        asker = self.ids.get(name, 0) if user_id is None else user_id
        (outcome,) = self.batch(Entry(command, asker, network=network)).outcomes
        if isinstance(outcome.result, Refusal | Stale):
            raise outcome.result
        return Said(
            outcome.result, [], outcome.pushes, membership_changes=outcome.membership_changes, endings=outcome.endings
        )

    def say(self, name: str, line: str, network: str = LOOPBACK) -> Said:
        command = self.prepared(line)
        said = self.do(command, name, network) if type(command) in RULES else self.ask(name, command)
        if isinstance(command, Command):
            assert type(said.reply) is command.spec.reply, "the client decodes it by its row"
        if isinstance(said.reply, LinkMade):
            said.reply = replace(said.reply, code=f"code-{self.links}")
        return said

    def prepared(self, line: str) -> Any:
        """The command as it goes into the log (or to a reading). Codes are not drawn at random here."""
        command: Any = self.parse(line)
        if isinstance(command, InviteLink):
            self.links += 1
            return MakeLink(command.chat, hash_token(f"code-{self.links}"))
        if isinstance(command, SendFile):
            return OpenUpload(command, "lease-1")
        if isinstance(command, Join):
            room, code = command.chat.room, command.chat.code
            return Accept(room) if room else Ask(hash_token(code or ""))
        return command

    def ask(self, name: str, query: Any) -> Said:
        """Answer a reading, page by page, and log what it asks for."""
        return self.ask_as(self.ids[name], query, name)

    def ask_as(self, user_id: int, query: Any, name: str = "") -> Said:
        view = View(self.db, user_id, self.time.now(), self.executor.limits or self.limits, {}, blobs=self.blobs)
        pages = list(read(view, query))
        events = [event for page in pages for event in events_of(page.events)]
        last = pages[-1]
        if not isinstance(last.end, tuple):
            return Said(last.end, events, [])
        command, reply = last.end
        return Said(reply, events, self.do(command, name).pushes, command)

    def come_back(self, name: str, position: int | None = None) -> Said:
        """What a user is shown who signs in again (with a position: resumes)."""
        return self.ask(name, Welcome(False, self.executor.state.seq, position, None))

    def due(self) -> list[Push]:
        return self.do(Due()).pushes

    def parse(self, line: str) -> object:
        parsed = parse(line, text_chars_max=4096)
        if parsed.error is not None:
            raise parsed.error
        return parsed.command

    def dump(self) -> dict[str, list[tuple[Any, ...]]]:
        return dump(self.db)

    def close(self) -> None:
        self.db.close()
        self.local.close()
        self.executor.close()


@contextmanager
def failing_commits(executor: Executor) -> Iterator[None]:
    """Batches are executed to their end, and then there is no room for them: everything of them is undone."""

    def fail() -> bool:
        raise NoRoom

    executor._db.connection.set_commit_hook(fail)
    try:
        yield
    finally:
        executor._db.connection.set_commit_hook(None)


def check_cache(executor: Executor) -> None:
    """Whatever the writer's cache holds stands in the store just so."""
    db = executor._db
    cache, db.cache = db.cache, None
    assert cache is not None
    for user_id, user in cache.users.items():
        assert user == accounts.by_id(db, user_id)
    for (user_id, kind, folded), place in cache.places.items():
        assert _parts(place) == _parts(_place(db, user_id, kind, folded))
    assert cache.main_slow_ms in (None, slow_mode.interval_ms(db, chats.MAIN))
    for user_id, used in cache.text_bytes.items():
        assert used >= text_quota.bytes_of(db, user_id)
    for user_id, kept in cache.unread.items():
        unread = {each.chat_id: each.newest_id for each in chats.find_unread_chats(db, user_id, ID_MAX, 0)}
        between_two = {chat_id for chat_id in unread if chats.users_of_direct(db, chat_id)}
        assert kept.items() >= {(chat_id, unread[chat_id]) for chat_id in between_two}
    db.cache = cache


def _parts(place: Place | None) -> tuple[object, ...] | None:
    return None if place is None else (place.chat_id, place.name, place.readers, place.slow_ms)


def _place(db: Database, user_id: int, kind: str, folded: str) -> Place | None:
    """Where the user may write; None if there is nothing yet, or the user may not."""
    if kind == "room":
        room = rooms.of_member(db, user_id, folded)
        return Place(room.id, room.name, slow_ms=room.slow_ms) if room else None
    one, other = accounts.by_id(db, user_id), accounts.by_name(db, folded)
    if one is None or other is None:
        return None
    chat_id, is_open = chats.find_direct_if_open(db, one.id, other.id)
    return place_between(chat_id, (one.id, one.name), (other.id, other.name)) if chat_id and is_open else None


def dump(db: Database) -> dict[str, list[tuple[Any, ...]]]:
    """The logical content of all tables of the chat."""
    tables = [row[0] for row in db.all("SELECT name FROM main.sqlite_schema WHERE type = 'table' ORDER BY name")]
    return {table: sorted(db.all(f"SELECT * FROM {table}"), key=repr) for table in tables}


def refusal_of(chat: Chat, name: str, line: str, network: str = LOOPBACK) -> Refusal:
    """The refusal of a line that MUST be refused, and MUST leave the store as it was."""
    before = _content(chat)
    try:
        said = chat.say(name, line, network)
    except Refusal as refusal:
        assert _content(chat) == before
        return refusal
    raise AssertionError(f"{line} was done: {said.reply}")


def _content(chat: Chat) -> dict[str, list[tuple[Any, ...]]]:
    return {table: rows for table, rows in chat.dump().items() if table != "state"}


def events_to(pushes: Sequence[Push], user_id: int) -> list[Event]:
    """Those of private chats, which depend on who is in them, are not among them: see `events_in`."""
    return [push.event for push in pushes if push.users is None or user_id in push.users]


def events_in(pushes: Sequence[Push]) -> list[Event]:
    """Those for all who are in a private chat."""
    return [push.event for push in pushes if push.room]
