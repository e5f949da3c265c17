"""A chat beside its model: what one does is done to both, and what users see is compared."""

import shutil
import tempfile
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from chat_server.entries import CloseAccount
from chat_server.errors import Refusal
from chat_server.protocol import events as e
from chat_server.protocol.times import iso
from tests.unit.chat import Chat, events_in, events_to
from tests.unit.rules.model import (
    ABSENT_MS,
    BAN_MS,
    DELAYED_MAX,
    MAIN,
    RATE_MOST,
    RATE_MS,
    REPORTS_PER_DAY,
    REPORTS_TO_BAN,
    TTL_MS,
    Message,
    Model,
    Refused,
)
from tests.unit.rules.model_rooms import CHATS_MAX, Room

# The first ones are drawn more often.
NAMES = ("anna", "ben", "cora", "dirk", "ella")
ROOMS = ("#one", "#two", "#zwei")
people = st.sampled_from((*NAMES[:3], *NAMES))
rooms = st.sampled_from((ROOMS[0], ROOMS[0], *ROOMS))
targets = st.sampled_from((MAIN, MAIN, *NAMES, *ROOMS, "#one", "#one"))
whiches = st.integers(0, 5)
texts = st.sampled_from(("hi", "there", "a\tb"))


class Machine(RuleBasedStateMachine):
    signed_in = 4  # at the start

    def __init__(self) -> None:
        super().__init__()
        self.path = Path(tempfile.mkdtemp())
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
        )
        # That things stay is not what is tested here.
        self.chat.executor._db.run("PRAGMA synchronous = OFF")
        self.model = Model(self.chat.clock.now_ms())
        self.steps = 0

    def teardown(self) -> None:
        for name in self.model.alive():
            self.sees(name)
        self.chat.close()
        shutil.rmtree(self.path)

    def both(self, expected: Callable[[], Any], real: Callable[[], Any]) -> None:
        """Both give the same, or refuse with the same code."""
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
    def come_in(self) -> None:
        for name in NAMES[: self.signed_in]:
            self.sign_in(name)

    @rule(name=people)
    def sign_in(self, name: str) -> None:
        self.both(lambda: self.model.sign_in(name), lambda: self.chat.sign_in(name).new)

    @rule(name=people, to=targets, text=texts)
    def send(self, name: str, to: str, text: str) -> None:
        self.both(lambda: self.model.send(name, to, text), lambda: self.say(name, f"/send {to} {text}").id)

    @rule(name=people, to=targets, minutes=st.integers(0, 200), text=texts)
    def send_delayed(self, name: str, to: str, minutes: int, text: str) -> None:
        self.both(
            lambda: self.model.send_delayed(name, to, minutes * 60_000, text),
            lambda: self.say(name, f"/send_delayed {to} {minutes}m {text}").delayed_id,
        )

    @rule(name=st.sampled_from(NAMES[1:]), meant=st.integers(0, 5))
    def delete_account(self, name: str, meant: int) -> None:
        if not meant:
            self.both(lambda: self.model.delete(name), lambda: self.chat.do(CloseAccount(None), name) and None)

    @rule(minutes=st.sampled_from((0, 1, 10, 29, 30, 60, 61, 240, 1440)))
    def wait(self, minutes: int) -> None:
        self.time_passes(minutes)

    def time_passes(self, minutes: int) -> None:
        self.chat.clock.advance(minutes * 60_000)
        self.model.now_ms = self.chat.clock.now_ms()
        gone = self.model.due()
        told = [event for event in self.chat.due() if isinstance(event.event, e.Expired)]
        for name in self.model.alive():
            expected: dict[str, list[int]] = {}
            for message in gone:
                if message.chat in self.model.users[name].markers:
                    expected.setdefault(self.model.name(message.chat, name), []).append(message.id)
            events = [event for event in (*events_to(told, self.chat.ids[name]), *events_in(told))
                      if isinstance(event, e.Expired)
                      and (not event.chat.startswith("#") or self.model.is_in(name, event.chat))]  # fmt: skip
            assert {event.chat: event.ids for event in events} == expected

    # ---- what each can see

    @invariant()
    def someone_sees_what_the_model_says(self) -> None:
        assert self.chat.executor.state.seq == self.model.seq
        self.steps += 1
        if alive := self.model.alive():
            self.sees(alive[self.steps % len(alive)])

    def sees(self, name: str) -> None:
        model = self.model
        back = self.chat.come_back(name)
        notice, *rest = back.events
        chats = model.chats(name)
        assert isinstance(notice, e.Notice)
        assert notice.unread == {chat: unread for chat, _, unread in chats if unread}
        assert rest == [*self.shown(name, model.unread(name)), *model.users[name].notices]
        model.users[name].notices.clear()
        assert [(chat.name, chat.read, chat.unread) for chat in back.reply.chats] == chats
        assert back.reply.invitations == model.invitations(name)
        assert {(each.chat, each.user) for each in back.reply.join_requests} == model.requests_to(name)
        for room in ROOMS:
            self.sees_room(name, room)
        assert (back.reply.ban and back.reply.ban.until) == model.banned_until(name)
        assert self.say(name, "/delayed").delayed == model.waiting(name)
        for chat, _, _ in chats:
            page = self.chat.say(name, f"/history {chat} limit 200")
            assert page.events == self.shown(name, model.history(name, chat.removeprefix("@")))
        position = max(0, model.seq - 3)
        assert self.chat.come_back(name, position).events == self.shown(name, model.after(name, position))

    def sees_room(self, name: str, room: str) -> None:
        if self.model.is_in(name, room):
            chat, listed = self.model.rooms[room], self.say(name, f"/members {room}")
            assert (listed.owner, listed.members) == (chat.owner, chat.members)
            return
        words = f"you are in no chat {room}; /status lists your chats and invitations"
        for line in (f"/members {room}", f"/history {room}"):
            try:
                raise AssertionError(f"{line}: {self.say(name, line)}")
            except Refusal as refusal:
                assert (refusal.code, refusal.text) == ("unknown_chat", words)

    def shown(self, name: str, messages: list[Message]) -> list[e.Event]:
        at = {event[0]: event[1] for event in self.chat.db.all("SELECT id, at_ms FROM messages")}
        return [
            e.Message(
                id=each.id,
                seq=each.seq,
                chat=self.model.name(each.chat, name),
                from_=each.author,
                at=iso(at[each.id]),
                text=each.text,
                reply_to=each.reply_to,
                edited=None if each.edited_ms is None else iso(each.edited_ms),
                deleted=each.text is None,
                reactions=each.reactions_shown(),
                delayed=each.delayed,
            )
            for each in messages
        ]


class RoomRules(Machine):
    """What is done with private chats. Mostly by who may do it: at random too little would ever be done."""

    @initialize()
    def make_a_chat(self) -> None:
        self.create(NAMES[0], ROOMS[0])
        self.invite(NAMES[0], ROOMS[0], 0, NAMES[1])
        self.join(NAMES[1], ROOMS[0], 0)

    def one_of(self, names: Iterable[str], which: int, other: str) -> str:
        """One of these; at times, and where there are none, the other."""
        among = list(names)
        return among[which % len(among)] if among and which else other

    def room(self, room: str) -> Room:
        return self.model.rooms.get(room) or Room(0, room, "", [])

    def owner_of(self, room: str, which: int, other: str) -> str:
        return self.one_of(filter(None, [self.room(room).owner]), which, other)

    @rule(name=people, room=rooms)
    def create(self, name: str, room: str) -> None:
        self.both(lambda: self.model.create(name, room), lambda: self.say(name, f"/create_chat {room}").chat)

    @rule(name=people, room=rooms, which=whiches, guest=people)
    def invite(self, name: str, room: str, which: int, guest: str) -> None:
        name = self.one_of(self.room(room).members, which, name)
        self.both(lambda: self.model.invite(name, room, guest), lambda: self.say(name, f"/invite {room} {guest}").user)

    @rule(name=people, room=rooms, which=whiches)
    def join(self, name: str, room: str, which: int) -> None:
        name = self.one_of(self.room(room).invited, which, name)
        self.both(lambda: self.model.join(name, room), lambda: self.say(name, f"/join {room}").asked)

    @rule(name=people, room=rooms, which=whiches)
    def decline(self, name: str, room: str, which: int) -> None:
        name = self.one_of(self.room(room).invited, which, name)
        self.both(lambda: self.model.decline(name, room), lambda: self.say(name, f"/decline {room}").chat)

    @rule(names=st.permutations(NAMES), room=rooms, which=whiches, old=st.booleans())
    def ask(self, names: list[str], room: str, which: int, old: bool) -> None:
        """By a new code, or by one that may have ended."""
        name = self.one_of(self.room(room).members, which, names[0])
        if not old:
            self.both(lambda: self.model.link(name, room), lambda: self.say(name, f"/invite_link {room}").code)
        code = f"code-{self.model.codes_drawn - which * old}"
        for asker in names[:2]:
            self.both(partial(self.model.join_by_code, asker, code), partial(self.asks, asker, code))

    def asks(self, name: str, code: str) -> bool:
        asked: bool = self.say(name, f"/join {code}").asked
        return asked

    @rule(name=people, room=rooms, which=whiches)
    def revoke(self, name: str, room: str, which: int) -> None:
        name = self.one_of(self.room(room).members, which, name)
        self.both(lambda: self.model.revoke(name, room), lambda: self.say(name, f"/revoke_link {room}").revoked)

    @rule(name=people, room=rooms, which=whiches, asker=people, yes=st.booleans())
    def decide(self, name: str, room: str, which: int, asker: str, yes: bool) -> None:
        name, asker = self.owner_of(room, which, name), self.one_of(self.room(room).asked, 1, asker)
        word, verb = (self.model.approve, "approve") if yes else (self.model.deny, "deny")
        self.both(lambda: word(name, room, asker), lambda: self.say(name, f"/{verb} {room} {asker}").user)

    @rule(name=people, room=rooms, which=whiches)
    def leave(self, name: str, room: str, which: int) -> None:
        name = self.one_of(self.room(room).members, which, name)
        self.both(lambda: self.model.leave(name, room), lambda: self.say(name, f"/leave {room}").chat)

    @rule(name=people, room=rooms, which=whiches, member=people)
    def remove(self, name: str, room: str, which: int, member: str) -> None:
        name = self.owner_of(room, which, name)
        self.both(
            lambda: self.model.remove(name, room, member), lambda: self.say(name, f"/remove {room} {member}").user
        )

    @rule(name=people, room=rooms, which=whiches, member=people)
    def give(self, name: str, room: str, which: int, member: str) -> None:
        name = self.owner_of(room, which, name)
        self.both(lambda: self.model.give(name, room, member), lambda: self.say(name, f"/give {room} {member}").owner)
