"""A chat beside its model: each step is taken in both, and what users see is compared."""

import shutil
import tempfile
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from chat_server.chat_time import LocalTime
from chat_server.errors import Refusal
from chat_server.log.entries import CloseAccount, Configure, Entry
from chat_server.protocol.base import Event
from chat_server.protocol.connection import Notice
from chat_server.protocol.messages import Expired
from chat_server.protocol.messages import Message as MessageEvent
from chat_server.protocol.names import check
from chat_server.protocol.times import iso
from chat_server.store.database import FILE
from tests.unit.chat import Chat, events_in, events_to
from tests.unit.fakes import DAY_MS, HOUR_MS
from tests.unit.rules.model import ABSENT_MS, MAIN, RATE_MOST, RATE_MS, TTL_MS, Message, Model
from tests.unit.rules.model_delayed import DELAYED_MAX
from tests.unit.rules.model_files import FILE_BYTES_MAX, QUOTA_BYTES
from tests.unit.rules.model_people import BAN_MS, OPERATOR, REPORTS_PER_DAY, REPORTS_TO_BAN, Refused
from tests.unit.rules.model_rooms import CHATS_MAX

# The last user signs in later.
NAMES = (OPERATOR, "ben", "cora", "dirk", "ella")
ROOMS = ("#one", "#two", "#zwei")
STEPS_MS = (HOUR_MS, -HOUR_MS, 30 * DAY_MS, -30 * DAY_MS)
T = TypeVar("T")
people = st.sampled_from((*NAMES[:4], *NAMES))


class Drawn(NamedTuple):
    """The drawn values of a step, whichever of them it needs."""

    name: str
    other: str
    to: str
    room: str
    # Which of the fitting candidates is chosen; 0 means another one.
    which: int
    # How far back a message or a delayed message is.
    back: int
    minutes: int
    text: str

    def of(self, among: Sequence[T]) -> T:
        return among[self.which % len(among)]


drawn = st.builds(
    Drawn,
    name=people,
    other=people,
    to=st.sampled_from((MAIN, MAIN, *NAMES[:4], *NAMES[:3], *ROOMS[:2])),
    room=st.sampled_from((ROOMS[0], *ROOMS)),
    which=st.integers(0, 20),
    back=st.integers(0, 8),
    minutes=st.sampled_from((0, 1, 10, 29, 30, 60, 61, 240, 1440)),
    text=st.sampled_from(("hi", "@ben there", "a\tb, @cora and @anna")),
)
START = Drawn(NAMES[0], NAMES[1], MAIN, ROOMS[0], 0, 0, 0, "hi")
# An operator has a password.
PASSWORD = {"saw_version": 1, "new_hash": "argon", "password_given": True}


@cache
def empty_chat() -> tempfile.TemporaryDirectory[str]:
    """Return a new chat to copy, since making the tables each time would take longer than a run."""
    made = tempfile.TemporaryDirectory()
    Chat(Path(made.name)).close()
    return made


class Machine(RuleBasedStateMachine):
    """A machine whose one rule runs all verbs of its classes, so that none is rare."""

    verbs: ClassVar[tuple[str, ...]] = (
        "send", "send", "flood", "send_delayed", "cancel", "sign_in", "delete_account", "wait", "wait", "restart",
        "set_clock",
    )  # fmt: skip

    def __init__(self) -> None:
        super().__init__()
        self.path = Path(tempfile.mkdtemp())
        shutil.copy(Path(empty_chat().name) / FILE, self.path)
        self.chat = Chat(
            self.path,
            main_rate_count=RATE_MOST,
            main_rate_window_ms=RATE_MS,
            reports_to_ban=REPORTS_TO_BAN,
            ban_ms=BAN_MS,
            delayed_max=DELAYED_MAX,
            reports_per_day=REPORTS_PER_DAY,
            chats_max=CHATS_MAX,
            message_ttl_ms=TTL_MS,
            absent_after_ms=ABSENT_MS,
            file_bytes_max=FILE_BYTES_MAX,
            file_quota_bytes=QUOTA_BYTES,
        )
        self.chat.batch(Entry(Configure(self.chat.limits, [check(OPERATOR)])))
        # Durability is not tested here.
        self.chat.executor._db.run("PRAGMA synchronous = OFF")
        self.model = Model(self.chat.time.now().elapsed_ms)
        self.steps = 0

    def teardown(self) -> None:
        for name in self.model.alive():
            self.sees(name)
        self.chat.close()
        shutil.rmtree(self.path)

    def both(self, expected: Callable[[], Any], real: Callable[[], Any]) -> None:
        """Check that both return the same, or refuse with the same code."""
        try:
            wanted = expected()
        except Refused as refused:
            try:
                done = real()
            except Refusal as refusal:
                assert refusal.code == str(refused)
                return
            raise AssertionError(f"{refused} was expected, but: {done}") from None
        assert real() == wanted

    def say(self, name: str, line: str) -> Any:
        return self.chat.say(name, line).reply

    @initialize()
    def first(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Set up what would be rare otherwise. Each class adds to it."""
        for name in NAMES[:4]:
            self.sign_in(START._replace(name=name))

    @rule(verb=st.runner().flatmap(lambda self: st.sampled_from(self.all_verbs())), drawn=drawn)
    def act(self, verb: str, drawn: Drawn) -> None:
        getattr(self, verb)(drawn)

    @classmethod
    def all_verbs(cls) -> list[str]:
        """Return the verbs of all classes. One that is listed twice runs twice as often."""
        return [verb for each in cls.__mro__ for verb in vars(each).get("verbs", ())]

    # ---- what users do

    def sign_in(self, drawn: Drawn) -> None:
        name = drawn.name
        fields = PASSWORD if name == OPERATOR else {}
        self.both(lambda: self.model.sign_in(name), lambda: self.chat.sign_in(name, **fields).new)

    def send(self, drawn: Drawn) -> None:
        (name, to), text = self.from_to(drawn), drawn.text
        self.both(lambda: self.model.send(name, to, text), lambda: self.say(name, f"/send {to} {text}").id)

    def flood(self, drawn: Drawn) -> None:
        """Send messages up to the limit in main."""
        for _ in range(RATE_MOST):
            self.send(drawn._replace(to=MAIN))

    def send_delayed(self, drawn: Drawn) -> None:
        (name, to), minutes, text = self.from_to(drawn), drawn.minutes, drawn.text
        self.both(
            lambda: self.model.send_delayed(name, to, minutes * 60_000, text),
            lambda: self.say(name, f"/send_delayed {to} {minutes}m {text}").delayed_id,
        )

    def cancel(self, drawn: Drawn) -> None:
        id_ = self.model.delayed_ids - drawn.back % 3
        name = self.one_of((each.author for each in self.model.delayed if each.id == id_), drawn.which, drawn.name)
        if id_ > 0:
            self.both(lambda: self.model.cancel(name, id_), lambda: self.say(name, f"/cancel_delayed {id_}") and None)

    def delete_account(self, drawn: Drawn) -> None:
        if drawn.name != OPERATOR and drawn.which < 4:
            self.both(lambda: self.model.delete(drawn.name), lambda: self.chat.do(CloseAccount(0), drawn.name) and None)

    def wait(self, drawn: Drawn) -> None:
        self.time_passes(drawn.minutes)

    def set_clock(self, drawn: Drawn) -> None:
        """Set the wall clock, which changes what is shown and nothing else."""
        step_ms = drawn.of(STEPS_MS)
        self.chat.clock.step(step_ms)
        self.model.offset_ms += step_ms

    def restart(self, drawn: Drawn) -> None:
        """Restart. Elapsed time goes on by the difference of the wall clock, and never goes back."""
        state = self.chat.executor.state
        self.chat.clock.step(min(drawn.of(STEPS_MS), 0) + drawn.minutes * 60_000)
        now_ms = self.chat.clock.now_ms()
        self.model.now_ms = state.elapsed_ms + max(0, now_ms - state.at_ms)
        self.model.offset_ms = now_ms - self.model.now_ms
        self.chat.executor._load()
        self.chat.time = LocalTime(self.chat.clock, at_ms=state.at_ms, elapsed_ms=state.elapsed_ms)
        self.time_passes(0)

    def time_passes(self, minutes: int) -> None:
        self.chat.clock.advance(minutes * 60_000)
        self.model.now_ms += minutes * 60_000
        gone = self.model.due()
        told = [event for event in self.chat.due() if isinstance(event.event, Expired)]
        for name in self.model.alive():
            expected: dict[str, list[int]] = {}
            for message in gone:
                if message.chat in self.model.users[name].markers:
                    expected.setdefault(self.model.name(message.chat, name), []).append(message.id)
            events = [event for event in (*events_to(told, self.chat.ids[name]), *events_in(told))
                      if isinstance(event, Expired)
                      and (not event.chat.startswith("#") or self.model.is_in(name, event.chat))]  # fmt: skip
            assert {event.chat: event.ids for event in events} == expected

    def one_of(self, names: Iterable[str], which: int, other: str) -> str:
        """Return one of the names, or at times, and if there are none, the other. Random names would do too little."""
        among = list(names)
        return among[which % len(among)] if among and which else other

    def from_to(self, drawn: Drawn) -> tuple[str, str]:
        """Return an author and a target. The author of a message to a private chat mostly is a member."""
        to = drawn.to
        if to.startswith("#") and to not in self.model.rooms:
            to = self.one_of(self.model.rooms or NAMES[:4], drawn.which, to)
        room = self.model.rooms.get(to)
        return self.one_of(room.members if room else (), drawn.which // 3, drawn.name), to

    # ---- what each can see

    @invariant()
    def someone_sees_what_the_model_says(self) -> None:
        assert self.chat.executor.state.seq == self.model.seq
        self.steps += 1
        if self.steps % 4 == 0 and (alive := self.model.alive()):
            self.sees(alive[self.steps // 4 % len(alive)])

    def sees(self, name: str) -> None:
        model = self.model
        back = self.chat.come_back(name)
        notice, *rest = back.events
        chats = model.chats(name)
        assert isinstance(notice, Notice)
        assert notice.unread == {chat: unread for chat, _, unread in chats if unread}
        assert rest == [*self.shown(name, model.unread(name)), *model.users[name].notices]
        model.users[name].notices.clear()
        assert [(chat.name, chat.read, chat.unread) for chat in back.reply.chats] == chats
        assert back.reply.invitations == model.invitations(name)
        assert {(each.chat, each.user) for each in back.reply.join_requests} == model.requests_to(name)
        assert (back.reply.ban and back.reply.ban.until) == model.banned_until(name)
        assert self.say(name, "/delayed").delayed == model.waiting(name)
        for chat, _, _ in chats:
            page = self.chat.say(name, f"/history {chat} limit 200")
            assert page.events == self.shown(name, model.history(name, chat.removeprefix("@")))
        position = max(0, model.seq - 3)
        assert self.chat.come_back(name, position).events == self.shown(name, model.after(name, position))

    def shown(self, name: str, messages: list[Message]) -> list[Event]:
        at = {event[0]: event[1] for event in self.chat.db.all("SELECT id, at_ms FROM messages")}
        return [
            MessageEvent(
                id=each.id,
                seq=each.seq,
                chat=self.model.name(each.chat, name),
                from_=each.author,
                at=iso(at[each.id]),
                text=each.text,
                reply_to=each.reply_to,
                replies=len(answers := self.model.answers(each)),
                last_reply=max(answers, default=None),
                edited=None if each.edited_ms is None else iso(each.edited_ms),
                deleted=each.text is None,
                reactions=each.reactions_shown(),
                file=each.file,
                delayed=each.delayed,
                mentions=each.mentions,
            )
            for each in messages
        ]
