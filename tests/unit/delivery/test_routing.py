"""Who receives what of any batch, against the plainest way to say it."""

from collections.abc import Iterable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from chat_server.delivery.memberships import Memberships
from chat_server.delivery.rendering import EVERYONE, Audience
from chat_server.delivery.routing import Ended, Kept, Plan, route
from chat_server.log.entries import Due, Entry, Identity, Origin
from chat_server.protocol.base import Event
from chat_server.protocol.connection import Notice
from chat_server.protocol.messages import Message
from chat_server.protocol.people import PresenceChanged
from chat_server.rules.executor import Executed, Outcome
from chat_server.rules.outcomes import Ending, Entered, MembershipChange, Push

HERE = Identity("here", 2)
USERS, ROOMS = (1, 2, 3), (7, 8)
# Who is connected at the beginning, over which sessions, each with its token.
SESSIONS: dict[int, dict[int, bytes | None]] = {1: {11: b"t1", 12: b"t2"}, 2: {21: None}}
STRANGER = 31
AT = "2026-11-21T12:00:00Z"

users, rooms = st.sampled_from(USERS), st.sampled_from(ROOMS)
sessions = st.sampled_from((11, 12, 21, 99))
origins = st.one_of(
    st.none(),
    st.builds(Origin, st.sampled_from(("here", "here", "there")), st.sampled_from((1, 2, 2)), sessions, st.just(1)),
)
audiences = st.one_of(
    st.just({}),
    st.builds(lambda each: {"users": tuple(each)}, st.sets(users, max_size=3)),
    st.builds(lambda room: {"room": room}, rooms),
)
pushes = st.lists(st.tuples(st.booleans(), audiences), max_size=3)
membership_changes = st.lists(st.builds(MembershipChange, users, rooms, st.just("#x"), st.booleans()), max_size=2)
endings = st.builds(
    Ending, users, st.just("code"), st.just("reason"),
    st.sampled_from((None, 11, 21)), st.sampled_from((None, b"t1")), st.sampled_from(("closed", "kept", "signed_out")),
)  # fmt: skip
outcomes: st.SearchStrategy[Any] = st.one_of(
    st.tuples(origins, pushes, membership_changes, st.lists(endings, max_size=1), st.none()),
    st.tuples(
        st.just(Origin("here", 2, STRANGER, 1)), st.just([]), st.just([]), st.just([]),
        st.builds(Entered, users, st.just("x"), st.just(False), st.just((7,)), st.none(), st.just(b"t1")),
    ),
)  # fmt: skip


class FakeConnected:
    def has_user(self, user_id: int) -> bool:
        return user_id in SESSIONS

    def has_other(self, user_id: int, number: int) -> bool:
        return any(session != number for session in SESSIONS.get(user_id, ()))

    def tokens_of_user(self, user_id: int) -> Iterable[tuple[int, bytes | None]]:
        return SESSIONS.get(user_id, {}).items()


def executed(drawn: list[Any]) -> Executed:
    """Each event is another one, so that none can stand for another."""
    made, seq = [], 0
    for origin, pushed, moved, ended, result in drawn:
        own = []
        for is_message, audience in pushed:
            seq += 1
            event: Event = Notice(f"event {seq}")
            if is_message:
                event = Message(id=seq, seq=seq, chat="main", from_="x", at=AT, text="hi")
            own.append(Push(event, notice=0 if is_message or seq % 2 else seq, **audience))
        made.append(Outcome(Entry(Due(), 1, origin), result, own, seq, moved, ended))
    return Executed(made, seq, None, None)


class Expected(Struct):
    """What should become of a batch, step by step."""

    members: dict[int, set[int]]
    events: dict[int, list[Event]]
    replies: dict[int, list[int]]
    endings: dict[int, Ended]
    # Events that only the connection would get that asked for them.
    for_nobody: list[tuple[int, Event]] = []

    def take(self, index: int, outcome: Outcome, connected: dict[int, dict[int, bytes | None]]) -> None:
        origin = outcome.entry.origin
        asker = origin.session if origin and (origin.node, origin.incarnation) == HERE else 0
        if asker:
            self.replies.setdefault(asker, []).append(index)
        if isinstance(outcome.result, Entered):
            connected.setdefault(outcome.result.user_id, {})[asker] = outcome.result.token
            if outcome.result.user_id not in self.members:
                self.members[outcome.result.user_id] = set(outcome.result.rooms)
        for ending in outcome.endings:
            for session, token in connected.get(ending.user_id, {}).items():
                how = ending.asker if session == asker else "closed"
                is_former = origin is None or (origin.node == HERE.node and not asker)
                is_of = ending.is_of(0 if is_former else session, token)
                if how != "kept" and is_of and session not in self.endings:
                    self.endings[session] = Ended(ending, how)
        self.change(outcome.membership_changes, came=False)
        for push in outcome.pushes:
            for user_id in SESSIONS:
                is_member = push.room in self.members[user_id]
                if is_member if push.room else push.users is None or user_id in push.users:
                    self.events[user_id].append(push.event)
                    if {*SESSIONS[user_id]} == {asker} and not push.notice and not isinstance(push.event, Message):
                        self.for_nobody.append((user_id, push.event))
        self.change(outcome.membership_changes, came=True)

    def change(self, changes: Iterable[MembershipChange], *, came: bool) -> None:
        for change in changes:
            if change.came == came and change.user_id in self.members:
                rooms = self.members[change.user_id]
                (rooms.add if came else rooms.discard)(change.room)


def setting() -> tuple[Memberships, Expected]:
    memberships = Memberships()
    memberships.enter(Entered(1, "x", False, (7, 8)))
    memberships.enter(Entered(2, "x", False, (7,)))
    return memberships, Expected({1: {7, 8}, 2: {7}}, {1: [], 2: []}, {}, {})


@given(st.lists(outcomes, max_size=8))
def test_each_receives_what_it_should_exactly_once_in_the_order_of_the_batch(drawn: list[Any]) -> None:
    batch, (memberships, expected) = executed(drawn), setting()
    connected: dict[int, dict[int, bytes | None]] = {user: dict(own) for user, own in SESSIONS.items()}
    for index, outcome in enumerate(batch.outcomes):
        expected.take(index, outcome, connected)
    plan = route(batch, HERE, memberships, FakeConnected())
    assert plan.seq == batch.seq
    for user_id in USERS:
        assert memberships.rooms(user_id) == expected.members.get(user_id, set())
    assert {session: [index for index, _ in own] for session, own in plan.replies.items()} == expected.replies
    assert plan.endings == expected.endings
    assert plan.entered == [outcome.result for outcome in batch.outcomes if isinstance(outcome.result, Entered)]
    for user_id in SESSIONS:
        received = plan.events.of(plan.events.audiences(plan.members).get(user_id, EVERYONE))
        # What is for nobody may be left out.
        may_miss = {id(event) for whose, event in expected.for_nobody if whose == user_id}
        missed = may_miss - {id(each.event) for each in received}
        expected_events = [event for event in expected.events[user_id] if id(event) not in missed]
        assert [each.event for each in received] == expected_events
        outcome_of = {id(push.event): index for index, each in enumerate(batch.outcomes) for push in each.pushes}
        assert [each.outcome for each in received] == [outcome_of[id(each.event)] for each in received]
        # Whoever is behind is told the same but for messages, which are in the store.
        kept = [each.routed.event for each in kept_for(plan, user_id)]
        assert kept == [event for event in expected_events if not isinstance(event, Message)]


def kept_for(plan: Plan, user_id: int) -> list[Kept]:
    rooms = [room for room, members in plan.members.items() if user_id in members]
    own = {Audience(), Audience(user_id), *(Audience(0, (room,)) for room in rooms)}
    return [each for each in plan.for_later if isinstance(each, Kept) and each.audience in own]


def test_moves_stand_between_what_is_told_later_in_their_place() -> None:
    memberships, _ = setting()
    comes, goes = MembershipChange(2, 8, "#b", True), MembershipChange(1, 8, "#b", False)
    batch = Executed(
        [
            Outcome(Entry(Due()), None, [Push(Notice("one"), room=8)], 0, [comes]),
            Outcome(Entry(Due(), 1, Origin("here", 2, 11, 1)), None, [Push(Notice("two"), room=8)], 0, [goes]),
        ],
        0, None, None,
    )  # fmt: skip
    later = route(batch, HERE, memberships, FakeConnected()).for_later
    found = [each if isinstance(each, MembershipChange) else (each.audience.user_id, each.asker) for each in later]
    assert found == [(1, 0), comes, goes, (2, 11)], "who comes was not there before, and who goes hears no more"


def test_presence_goes_its_own_way() -> None:
    away = PresenceChanged("alice", True, "tea")
    plan = route(
        Executed([Outcome(Entry(Due(), 1), None, [Push(away)], 0)], 0, None, None), HERE, setting()[0], FakeConnected()
    )  # fmt: skip
    assert plan.presence == [(1, away)]
    assert not plan.events.everyone and not plan.for_later


def test_members_of_a_chat_share_one_list_where_nobody_moves() -> None:
    memberships, _ = setting()
    batch = Executed([Outcome(Entry(Due()), None, [Push(Notice("hi"), room=7)], 0)], 0, None, None)
    plan = route(batch, HERE, memberships, FakeConnected())
    assert list(plan.events.rooms) == [7] and not plan.events.users


def test_what_only_the_asking_connection_would_get_is_for_nobody() -> None:
    def own(session: int, user_id: int, notice: int = 0) -> Outcome:
        push = Push(Notice("marker"), users=(user_id,), notice=notice)
        return Outcome(Entry(Due(), user_id, Origin("here", 2, session, 1)), None, [push], 0)

    plan = route(Executed([own(21, 2), own(11, 1)], 0, None, None), HERE, setting()[0], FakeConnected())
    assert [*plan.events.users] == [1] and len(plan.for_later) == 1, "another connection of the same user"
    plan = route(Executed([own(21, 2, notice=5)], 0, None, None), HERE, setting()[0], FakeConnected())
    assert [*plan.events.users] == [2], "it counts as told"
