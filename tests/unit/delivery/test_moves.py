"""Private chats that people come into and leave while others talk: as if each event went to each member alone."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from chat_server.delivery.memberships import Memberships
from chat_server.delivery.rendering import EVERYONE, Audience, BatchRendering
from chat_server.delivery.routing import Kept, Plan, route
from chat_server.log.entries import Due, Entry, Identity, Origin
from chat_server.protocol.base import Event
from chat_server.protocol.connection import Notice
from chat_server.protocol.formats import FORMATS, Format
from chat_server.protocol.messages import Message
from chat_server.rules.executor import Executed, Outcome
from chat_server.rules.outcomes import Entered, MembershipChange, Push
from tests.unit.delivery.messages import AT
from tests.unit.delivery.messages import message as message_with

HERE = Identity("here", 1)
# The numbers of the sessions of each user who is connected; the others are not.
SESSIONS = {1: (11,), 2: (21,), 3: (31,), 4: (41, 42), 5: (51,)}
USERS, ROOMS = (*SESSIONS, 6), (7, 8, 9)
NUMBERS = [number for numbers in SESSIONS.values() for number in numbers]

users, rooms = st.sampled_from(USERS), st.sampled_from(ROOMS)
targets = st.one_of(
    st.builds(lambda room: {"room": room}, rooms),
    st.builds(lambda room: {"room": room}, rooms),
    st.builds(lambda own: {"users": tuple(own)}, st.sets(users, min_size=1, max_size=2)),
    st.just({}),
)
# The session that asked, 0 for none; what is pushed; who comes and goes.
outcomes = st.tuples(
    st.sampled_from((0, *NUMBERS)),
    st.lists(st.tuples(st.booleans(), targets), max_size=3),
    st.lists(st.builds(MembershipChange, users, rooms, st.just("#x"), st.booleans()), max_size=2),
)
Drawn = list[tuple[int, list[tuple[bool, dict[str, Any]]], list[MembershipChange]]]
Step = Event | MembershipChange


class Connected:
    def has_user(self, user_id: int) -> bool:
        return user_id in SESSIONS

    def has_other(self, user_id: int, number: int) -> bool:
        return any(session != number for session in SESSIONS.get(user_id, ()))

    def tokens_of_user(self, user_id: int) -> Iterable[tuple[int, bytes | None]]:
        return [(session, None) for session in SESSIONS.get(user_id, ())]


def executed(drawn: Drawn) -> Executed:
    """Each event is another one, so that none can stand for another."""
    made, seq = [], 0
    for session, pushed, changes in drawn:
        pushes = []
        for is_message, target in pushed:
            seq += 1
            pushes.append(Push(message_with(seq) if is_message else Notice(f"event {seq}"), **target))
        origin = Origin(*HERE, session, 1) if session else None
        made.append(Outcome(Entry(Due(), 1, origin), None, pushes, seq, changes))
    return Executed(made, seq, None, None)


class OneByOne(NamedTuple):
    """What each user is told, each event routed to each who is a member at its moment.

    `later` is what a connection keeps while it is behind: what is no message, and the user's comings and goings.
    """

    told: dict[int, list[tuple[int, Event]]]
    later: dict[int, list[Step]]


def route_one_by_one(batch: Executed, members: dict[int, set[int]]) -> OneByOne:
    found = OneByOne({user_id: [] for user_id in USERS}, {user_id: [] for user_id in USERS})

    def move(changes: Iterable[MembershipChange], came: bool) -> None:
        for change in changes:
            if change.came == came:
                (members[change.room].add if came else members[change.room].discard)(change.user_id)
                found.later[change.user_id].append(change)

    for index, outcome in enumerate(batch.outcomes):
        move(outcome.membership_changes, False)
        for push in outcome.pushes:
            for user_id in members[push.room] if push.room else USERS if push.users is None else push.users:
                found.told[user_id].append((index, push.event))
                if not isinstance(push.event, Message):
                    found.later[user_id].append(push.event)
        move(outcome.membership_changes, True)
    return found


def bytes_of(told: list[tuple[int, Event]], replies: dict[int, bytes], format: Format) -> bytes:
    lines = list(replies.items())
    lines += [(index, format.event(event, AT)) for index, event in told if index not in replies]
    return b"".join(line for _, line in sorted(lines, key=lambda each: each[0]))


def later_for(plan: Plan, user_id: int, asker: int) -> list[Step]:
    """What connection `asker` of the user would keep if it were behind."""
    own = [EVERYONE, Audience(user_id)]
    own += [Audience(0, (room,)) for room, members in plan.members.items() if user_id in members]
    found: list[Step] = []
    for step in plan.for_later:
        if isinstance(step, Kept):
            if step.audience in own and step.asker != asker:
                found.append(step.routed.event)
        elif step.user_id == user_id:
            found.append(step)
    return found


@given(st.dictionaries(rooms, st.sets(users)), st.lists(outcomes, max_size=10))
def test_each_is_sent_what_is_said_between_coming_and_going(inside: dict[int, set[int]], drawn: Drawn) -> None:
    batch, memberships = executed(drawn), Memberships()
    for user_id in SESSIONS:
        own = tuple(room for room in ROOMS if user_id in inside.get(room, ()))
        memberships.enter(Entered(user_id, "x", False, own))
    plan = route(batch, HERE, memberships, Connected())
    members = {room: set(inside.get(room, ())) for room in ROOMS}
    expected = route_one_by_one(batch, members)
    for room in ROOMS:
        assert set(memberships.users(room)) == members[room] & SESSIONS.keys()
    audiences, rendering = plan.events.audiences(plan.members), BatchRendering(plan.events, AT)
    for user_id, numbers in SESSIONS.items():
        for number in numbers:
            asked = [index for index, (session, _, _) in enumerate(drawn) if session == number]
            replies = {index: f"+ reply {index}\n".encode() for index in asked}
            for format in FORMATS.values():
                sent = rendering.data_for(audiences.get(user_id, EVERYONE), format, list(replies.items()))
                assert sent == bytes_of(expected.told[user_id], replies, format)
            own_events = [id(event) for index, event in expected.told[user_id] if index in asked]
            kept = [step for step in expected.later[user_id] if id(step) not in own_events]
            assert later_for(plan, user_id, number) == kept


def test_who_stays_shares_what_is_said_while_others_come_and_go() -> None:
    """With 400 members it took five times as long to route each event of such a batch to each of them."""
    memberships = Memberships()
    for user_id in (1, 2, 3, 4):
        memberships.enter(Entered(user_id, "x", False, () if user_id == 4 else (7,)))
    said = Outcome(Entry(Due()), None, [Push(Notice("hi"), room=7)], 0)
    comes = Outcome(Entry(Due()), None, [], 0, [MembershipChange(4, 7, "#x", True)])
    goes = Outcome(Entry(Due()), None, [], 0, [MembershipChange(1, 7, "#x", False)])
    plan = route(Executed([said, comes, said, goes, said, said], 0, None, None), HERE, memberships, Connected())
    assert {user_id: [each.outcome for each in own] for user_id, own in plan.events.users.items()} == {
        1: [0, 2], 4: [2, 4, 5],
    }  # fmt: skip
    assert [each.outcome for each in plan.events.rooms[7]] == [0, 2, 4, 5] and list(plan.members[7]) == [2, 3]
    audiences = plan.events.audiences(plan.members)
    assert audiences == {1: Audience(1), 4: Audience(4), 2: Audience(0, (7,)), 3: Audience(0, (7,))}


def test_a_chat_of_which_nobody_is_left_here_makes_nothing() -> None:
    memberships = Memberships()
    memberships.enter(Entered(1, "x", False, (7,)))
    said = Outcome(Entry(Due()), None, [Push(Notice("hi"), room=7)], 0)
    goes = Outcome(Entry(Due()), None, [], 0, [MembershipChange(1, 7, "#x", False)])
    plan = route(Executed([goes, said], 0, None, None), HERE, memberships, Connected())
    assert not plan.events.users and not plan.events.rooms and not plan.members
