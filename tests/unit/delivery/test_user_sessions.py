"""The connections of one user to two nodes; what is logged ends them on both."""

import pytest

from chat_server.delivery.peers import Present, SessionsElsewhere, UserSession
from chat_server.errors import Refusal
from chat_server.log.entries import EndTokens, Entry
from chat_server.protocol.accounts import SignOut
from chat_server.protocol.arguments import SessionChoice
from chat_server.protocol.connection import SessionInfo
from chat_server.protocol.people import ONLY_HERE
from chat_server.rules.typing_signals import TypingSignal
from tests.unit.delivery.room import Room


class OtherNodes:
    """Alice's two connections to the other nodes: 2001 came in by a token, 2002 without one."""

    def __init__(self) -> None:
        self.are_heard = True
        self.unanswered: list[str] = []
        self.asked = 0
        self.told: list[Present] = []

    def tell_presence(self, user: Present) -> None:
        self.told.append(user)

    def tell_typing(self, signal: TypingSignal) -> None:
        raise AssertionError("nobody types here")

    async def sessions_of(self, user_id: int) -> SessionsElsewhere:
        self.asked += 1
        if self.unanswered or not self.are_heard:
            return SessionsElsewhere([], self.unanswered)
        infos = [SessionInfo(number, "192.0.2.1", "2026-11-21T12:00:00.000Z") for number in (2001, 2002)]
        return SessionsElsewhere([UserSession(infos[0], b"t1"), UserSession(infos[1], None)], [])

    def statistics(self) -> dict[str, dict[str, int]]:
        return {}

    def leave(self) -> None:
        pass


@pytest.fixture
async def others(room: Room) -> OtherNodes:
    others = OtherNodes()
    room.delivery.presence.peers = others
    room.delivery.presence.come_elsewhere("n2", Present(room.chat.ids["alice"], "alice"))
    return others


def choice(number: int | None) -> SignOut:
    return SignOut(SessionChoice(number))


async def test_a_lone_node_lists_its_own_without_a_note(room: Room) -> None:
    alice = await room.connect("alice")
    listed = await room.delivery.sessions.list(room.chat.ids["alice"], alice.number)
    assert len(listed.sessions) == 1 and listed.note is None


async def test_those_elsewhere_are_listed_too(room: Room, others: OtherNodes) -> None:
    alice = await room.connect("alice")
    listed = await room.delivery.sessions.list(room.chat.ids["alice"], alice.number)
    assert [(each.session, each.this) for each in listed.sessions] == [
        (alice.number, True), (2001, False), (2002, False)
    ]  # fmt: skip
    assert (listed.unanswered, listed.note) == (None, None)


async def test_who_did_not_answer_is_named(room: Room, others: OtherNodes) -> None:
    alice = await room.connect("alice")
    others.unanswered = ["n2", "n3"]
    listed = await room.delivery.sessions.list(room.chat.ids["alice"], alice.number)
    assert listed.unanswered == ["n2", "n3"]
    assert listed.note == "no answer from n2, n3: connections to them are missing here"


async def test_a_node_that_hears_nobody_says_so(room: Room, others: OtherNodes) -> None:
    alice = await room.connect("alice")
    others.are_heard = False
    listed = await room.delivery.sessions.list(room.chat.ids["alice"], alice.number)
    assert [each.session for each in listed.sessions] == [alice.number] and listed.note == ONLY_HERE


@pytest.mark.parametrize(
    ("number", "logged", "count"),
    [(2001, EndTokens(2001, b"t1"), 2), (2002, EndTokens(2002, None), 1), (None, EndTokens(None), 3)],
)
async def test_a_sign_out_reaches_the_other_nodes_and_counts_there(
    room: Room, others: OtherNodes, number: int | None, logged: EndTokens, count: int
) -> None:
    alice, same = await room.connect("alice"), await room.connect("alice")
    same.token = b"t1"
    user_id, counts = room.chat.ids["alice"], []
    end, count_others = await room.delivery.sessions.to_end(user_id, alice.number, choice(number))
    assert end == logged
    settle = alice.settle

    def settle_and_count(outcome: object) -> bytes:
        counts.append(count_others())
        return settle(outcome)  # type: ignore[arg-type]

    alice.settle = settle_and_count  # type: ignore[method-assign]
    room.deliver(Entry(end, user_id, alice.origin))
    assert counts == [count]
    assert same.closed == ("" if number == 2002 else "signed_out")


async def test_a_sign_out_here_asks_the_others_only_if_they_have_the_user(room: Room, others: OtherNodes) -> None:
    alice, bob = await room.connect("alice"), await room.connect("bob")
    await room.delivery.sessions.to_end(room.chat.ids["bob"], bob.number, SignOut())
    assert others.asked == 0
    alice.token = b"t1"
    _, count = await room.delivery.sessions.to_end(room.chat.ids["alice"], alice.number, SignOut())
    assert others.asked == 1 and count() == 1


async def test_a_session_that_may_be_where_nobody_answers_is_not_called_unknown(room: Room, others: OtherNodes) -> None:
    alice = await room.connect("alice")
    user_id = room.chat.ids["alice"]
    with pytest.raises(Refusal, match="you have no session 99") as unknown:
        await room.delivery.sessions.to_end(user_id, alice.number, choice(99))
    others.unanswered = ["n2"]
    with pytest.raises(Refusal, match="no answer from n2, and session 2001 may be there") as unanswered:
        await room.delivery.sessions.to_end(user_id, alice.number, choice(2001))
    others.unanswered, others.are_heard = [], False
    with pytest.raises(Refusal, match="hears no other") as unheard:
        await room.delivery.sessions.to_end(user_id, alice.number, choice(2001))
    assert [raised.value.code for raised in (unknown, unanswered, unheard)] == [
        "bad_argument", "unavailable", "unavailable"
    ]  # fmt: skip
    assert unanswered.value.fields == {"done": False}


async def test_who_is_still_elsewhere_has_not_departed(room: Room, others: OtherNodes) -> None:
    alice, bob = await room.connect("alice"), await room.connect("bob")
    room.delivery.remove(alice)
    room.delivery.remove(bob)
    await room.turn()
    assert room.departed == [room.chat.ids["bob"]]
    gone = [(user.name, user.is_noted) for user in others.told if not user.online]
    assert gone == [("alice", False), ("bob", True)]


async def test_numbers_of_connections_are_those_of_the_node(room: Room) -> None:
    room.delivery.connections.number_for_node(7)
    alice, bob = await room.connect("alice"), await room.connect("bob")
    assert (alice.number, bob.number) == (1007, 2007)


async def test_the_tokens_of_connections_to_any_node(room: Room, others: OtherNodes) -> None:
    (await room.connect("alice")).token = b"t2"
    alice = room.chat.ids["alice"]
    assert await room.delivery.sessions.tokens(alice) == ({b"t1", b"t2"}, None)
    others.unanswered = ["n2"]
    tokens, note = await room.delivery.sessions.tokens(alice)
    assert (tokens, (note or "")[:17]) == ({b"t2"}, "no answer from n2")


async def test_a_token_ends_on_all_nodes(room: Room, others: OtherNodes) -> None:
    asking = await room.connect("alice")
    alice = room.chat.ids["alice"]
    end, count = await room.delivery.sessions.to_end_token(alice, asking.number, b"t1")
    assert (end, count()) == (EndTokens(0, b"t1"), 1)
    others.unanswered = ["n2"]
    end, _ = await room.delivery.sessions.to_end_token(alice, asking.number, b"t1")
    assert end == EndTokens(0, b"t1"), "the log reaches nodes that do not answer"
