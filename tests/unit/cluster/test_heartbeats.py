"""The heartbeats of several nodes over a bus in memory, in virtual time: who is online where, and who is told of it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.msgpack import encode

from chat_server.cluster import heartbeats
from chat_server.cluster.heartbeats import (
    RETURN_SECONDS,
    SILENT_BEATS,
    STATE_SECONDS,
    TYPING,
    Changes,
    Heartbeat,
    UsersPage,
    Vitals,
)
from chat_server.cluster.milestones import Milestone
from chat_server.delivery.connections import Connections
from chat_server.delivery.peers import Present
from chat_server.log.stream import Position
from chat_server.protocol.people import PresenceChanged
from chat_server.rules.typing_signals import TypingSignal
from tests.unit.cluster.beating import NAMES, SESSION, Nodes, run


def test_who_comes_and_goes_is_told_once_by_every_node() -> None:
    async def test(nodes: Nodes) -> None:
        a, b, c = [await nodes.start(name) for name in "abc"]
        a.come(1)
        await nodes.pass_time()
        assert [node.take_told() for node in (a, b, c)] == [["+alice"]] * 3
        b.come(1)
        await nodes.pass_time()
        a.go(1)
        await nodes.pass_time()
        assert [node.take_told() for node in (a, b, c)] == [[]] * 3, "alice is still at b"
        assert a.departed == []
        b.go(1)
        await nodes.pass_time()
        assert [node.take_told() for node in (a, b, c)] == [["-alice"]] * 3
        assert (a.departed, b.departed, c.departed) == ([], [1], []), "the node of the last connection notes it"

    run(test)


def test_who_leaves_two_nodes_at_once_is_noted_by_one_node() -> None:
    async def test(nodes: Nodes) -> None:
        a, b, c = [await nodes.start(name) for name in "abc"]
        b.come(1)
        c.come(1)
        await nodes.pass_time()
        b.go(1)
        c.go(1)
        await nodes.pass_time()
        assert [node.take_told() for node in (a, b, c)] == [["+alice", "-alice"]] * 3
        assert a.departed + b.departed + c.departed == [1]

    run(test)


def test_away_and_back_are_told_everywhere_and_a_newcomer_knows_them() -> None:
    async def test(nodes: Nodes) -> None:
        a, b = await nodes.start("a"), await nodes.start("b")
        a.come(1, away="lunch")
        await nodes.pass_time()
        a.presence.change(1, PresenceChanged("alice", True, "asleep"))
        await nodes.pass_time()
        assert b.take_told() == ["+alice lunch", "+alice asleep"]
        c = await nodes.start("c")
        assert c.presence.online == {1: "alice"} and c.take_told() == ["+alice asleep"]
        a.presence.change(1, PresenceChanged("alice", True, None))
        await nodes.pass_time()
        assert b.take_told() == c.take_told() == ["+alice"]

    run(test)


def test_an_executed_away_counts_before_what_another_node_says_of_someone_who_is_here() -> None:
    async def test(nodes: Nodes) -> None:
        a, b = await nodes.start("a"), await nodes.start("b")
        a.come(1)
        await nodes.pass_time()
        b.come(1, away="lunch")  # a has not executed it yet
        await nodes.pass_time()
        assert (a.take_told(), b.take_told()) == (["+alice"], ["+alice", "+alice lunch"])

    run(test)


def test_users_of_a_dead_node_are_offline_within_six_seconds_and_one_survivor_notes_it() -> None:
    async def test(nodes: Nodes) -> None:
        a, b, c = [await nodes.start(name) for name in "abc"]
        a.come(1)
        a.come(2)
        b.come(2)
        await nodes.pass_time()
        a.die()
        for node in (a, b, c):
            node.take_told()
        died = nodes.runtime.monotonic()
        while not c.told:
            await nodes.pass_time(0.1)
            assert nodes.runtime.monotonic() - died <= 6
        assert nodes.runtime.monotonic() - died > SILENT_BEATS - 2, "a lost beat or two is not the end"
        await nodes.pass_time(2)
        assert b.take_told() == c.take_told() == ["-alice"]
        assert (b.departed, c.departed) == ([1], [])
        assert b.beats.rank() == 0 and c.beats.rank() == 1 and b.beats.are_heard

    run(test)


def test_users_of_a_node_that_ends_in_order_are_offline_at_once() -> None:
    async def test(nodes: Nodes) -> None:
        a, b = await nodes.start("a"), await nodes.start("b")
        a.come(1)
        await nodes.pass_time()
        a.beats.leave()
        a.presence.go(1)
        await nodes.pass_time()
        assert b.take_told() == ["+alice", "-alice"] and b.departed == [1]
        await nodes.pass_time(10)
        assert b.beats.living == {} and b.beats.are_heard, "nothing was lost"

    run(test)


@pytest.mark.parametrize("leaves", [0, 1])
def test_what_was_lost_is_noticed_by_the_gap_or_the_next_beat(leaves: int) -> None:
    async def test(nodes: Nodes) -> None:
        a, b = await nodes.start("a"), await nodes.start("b")
        a.come(1)
        await nodes.pass_time()
        nodes.exchange.lose_next = 1
        a.go(1)
        a.come(2)
        await nodes.pass_time(0.1)
        for _ in range(leaves):
            a.come(3)
        await nodes.pass_time(3)
        assert b.presence.online == a.presence.online
        assert set(b.take_told()) == {"+alice", "-alice", "+bob", *(["+carol"] if leaves else [])}

    run(test)


def test_a_node_that_is_cut_off_shows_its_own_and_tells_nobody_that_all_others_went() -> None:
    async def test(nodes: Nodes) -> None:
        a, b, c = [await nodes.start(name) for name in "abc"]
        a.come(1)
        b.come(2)
        b.come(3)
        c.come(3)
        c.come(4)
        await nodes.pass_time()
        b.take_told()
        nodes.exchange.cut_off = {"a", "b", "c"}
        assert b.beats.are_heard
        await nodes.pass_time(SILENT_BEATS)
        assert b.beats.is_cut_off and not b.beats.are_heard
        assert b.presence.online == {2: "bob", 3: "carol"}
        a.go(1)
        c.die()
        await nodes.pass_time(6)
        assert b.take_told() == [] and b.departed == []
        assert len(b.unheard) >= 6, "it is said all the time"
        nodes.exchange.cut_off = set()
        await nodes.pass_time(4)
        assert b.beats.are_heard and b.presence.online == {2: "bob", 3: "carol"}
        assert sorted(b.take_told()) == ["-alice", "-dave"], "what has changed meanwhile is told"
        assert (a.departed, b.departed) == ([1, 4], [])

    run(test)


def test_the_last_who_lives_says_that_it_hears_nobody() -> None:
    async def test(nodes: Nodes) -> None:
        a = await nodes.start("a")
        await nodes.pass_time(20)
        assert a.beats.are_heard, "there never was anybody else"
        b = await nodes.start("b")
        b.come(1)
        await nodes.pass_time()
        b.die()
        await nodes.pass_time(7)
        assert not a.beats.are_heard and not a.beats.is_cut_off
        assert a.take_told() == ["+alice", "-alice"] and a.departed == [1]
        await nodes.start("b", 2)
        assert a.beats.are_heard

    run(test)


def test_a_successor_replaces_its_predecessor_who_is_not_listened_to_any_more() -> None:
    async def test(nodes: Nodes) -> None:
        a, old = await nodes.start("a"), await nodes.start("b")
        old.come(1)
        await nodes.pass_time()
        old.die()
        new = await nodes.start("b", 2)
        assert a.take_told() == ["+alice", "-alice"]
        new.come(2)
        old.beats._is_running = True  # it was stopped, and wakes
        old.come(3)
        await nodes.pass_time(3)
        assert a.take_told() == ["+bob"]

    run(test)


def test_a_node_that_was_stopped_for_a_while_does_not_take_the_others_for_dead() -> None:
    async def test(nodes: Nodes) -> None:
        a, b = await nodes.start("a"), await nodes.start("b")
        b.come(1)
        await nodes.pass_time()
        a.take_told()
        nodes.runtime.block(30)
        await nodes.pass_time(3)
        assert a.take_told() == [] and a.presence.online == {1: "alice"} and not a.beats.is_cut_off

    run(test)


def test_what_is_not_understood_is_left_out_and_said_once(caplog: pytest.LogCaptureFixture) -> None:
    async def test(nodes: Nodes) -> None:
        a, b = await nodes.start("a"), await nodes.start("b")
        for _ in range(3):
            b.port.publish("nodes", b"\xc1 of a later version")
        b.come(1)
        await nodes.pass_time()
        assert a.take_told() == ["+alice"]

    run(test)
    assert caplog.text.count("cannot be read") == 2, "once by each of the two nodes"


def test_many_users_are_told_in_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeats, "USERS_MAX", 2)

    async def test(nodes: Nodes) -> None:
        a, b = await nodes.start("a"), await nodes.start("b")
        for user_id in NAMES:
            a.come(user_id)
        await nodes.pass_time()
        c = await nodes.start("c")
        assert a.presence.online == b.presence.online == c.presence.online == NAMES

    run(test)


def test_coming_and_going_of_one_moment_is_one_message() -> None:
    async def test(nodes: Nodes) -> None:
        a = await nodes.start("a")
        await nodes.pass_time()
        before = nodes.exchange.messages
        for _ in range(1000):
            a.come(1)
            a.go(1)
        await nodes.pass_time(0.05)
        assert nodes.exchange.messages - before <= 2, "one, and perhaps a beat"

    run(test)


def test_sessions_are_asked_of_all_and_who_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(nodes: Nodes) -> None:
        a, b, c = [await nodes.start(name) for name in "abc"]
        await nodes.pass_time()
        monkeypatch.setattr(Connections, "sessions_of_user", lambda self, user_id: [SESSION] if user_id == 1 else [])
        before = nodes.runtime.monotonic()
        assert await a.beats.sessions_of(1) == ([SESSION, SESSION], [])
        assert nodes.runtime.monotonic() == before, "nobody is waited for who need not be"
        c.port.answered = lambda data: b"\xc1 of a later version"
        assert await a.beats.sessions_of(1) == ([SESSION], ["c"])
        c.die()
        before = nodes.runtime.monotonic()
        assert await a.beats.sessions_of(1) == ([SESSION], ["c"])
        assert nodes.runtime.monotonic() - before == 1
        assert await b.beats.sessions_of(2) == ([], ["c"])
        await nodes.pass_time(7)
        assert await a.beats.sessions_of(1) == ([SESSION], []), "it does not live any more"

    run(test)


def test_the_counts_of_all_nodes_are_known() -> None:
    async def test(nodes: Nodes) -> None:
        a, b = await nodes.start("a"), await nodes.start("b")
        a.counts, b.counts = {"connections": 3}, {"connections": 4}
        await nodes.pass_time(2)
        assert a.beats.statistics() == b.beats.statistics() == {"a": {"connections": 3}, "b": {"connections": 4}}
        milestone = Milestone(Position(1, 5), b"digest")
        assert a.beats.milestones() == {"a": milestone, "b": milestone}
        assert a.beats.living["b"].vitals == Vitals(Position(1, 7), milestone, 4, "1.0", {"connections": 4})

    run(test)


STEPS = st.one_of(
    st.tuples(st.just("toggle"), st.sampled_from("abc"), st.sampled_from(sorted(NAMES))),
    st.tuples(st.just("lose"), st.integers(1, 3), st.none()),
    st.tuples(st.just("cut off"), st.sampled_from("abc"), st.none()),
    st.tuples(st.just("heal"), st.none(), st.none()),
    st.tuples(st.just("restart"), st.sampled_from("abc"), st.booleans()),
    st.tuples(st.just("wait"), st.sampled_from([0.01, 0.3, 2.0, 7.0]), st.none()),
)


@settings(max_examples=4 * settings().max_examples)
@given(st.lists(STEPS, max_size=25))
def test_whatever_is_lost_all_nodes_come_to_know_who_is_where(steps: list[tuple[str, object, object]]) -> None:
    async def test(nodes: Nodes) -> None:
        living = {name: await nodes.start(name) for name in "abc"}
        here: dict[str, set[int]] = {name: set() for name in living}
        incarnation = 1
        for step, what, whose in steps:
            if step == "toggle":
                name, user_id = str(what), int(str(whose))
                if user_id in here[name]:
                    living[name].go(user_id)
                else:
                    living[name].come(user_id)
                here[name] ^= {user_id}
            elif step == "lose":
                nodes.exchange.lose_next = int(str(what))
            elif step == "cut off":
                nodes.exchange.cut_off.add(str(what))
            elif step == "heal":
                nodes.exchange.cut_off.clear()
            elif step == "restart":
                name = str(what)
                incarnation += 1
                if whose:
                    living[name].beats.leave()
                living[name].die()
                living[name], here[name] = await nodes.start(name, incarnation), set()
            else:
                await nodes.pass_time(float(str(what)))
        nodes.exchange.cut_off.clear()
        nodes.exchange.lose_next = 0
        await nodes.pass_time(10)
        everybody = {user_id: NAMES[user_id] for users in here.values() for user_id in users}
        for node in living.values():
            assert node.presence.online == everybody
            online: dict[str, bool] = {}
            for told in node.told:
                assert online.get(told[1:], False) != (told[0] == "+"), f"{told} was told twice: {node.told}"
                online[told[1:]] = told[0] == "+"
            assert {name for name, is_online in online.items() if is_online} == set(everybody.values())

    run(test)


def test_who_types_is_told_to_the_other_nodes_and_not_again_at_home() -> None:
    async def test(nodes: Nodes) -> None:
        a, b = await nodes.start("a"), await nodes.start("b")
        signal = TypingSignal("alice", "#team", 7, (2, 3), True)
        a.beats.tell_typing(signal)
        a.port.publish(TYPING, b"\x93not MessagePack")
        await nodes.pass_time()
        assert (a.typing, b.typing) == ([], [signal])
        b.beats.leave()
        a.beats.tell_typing(signal)
        await nodes.pass_time()
        assert b.typing == [signal], "it hears nobody any more"

    run(test)


def test_a_node_that_hears_others_and_not_itself_is_cut_off_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(nodes: Nodes) -> None:
        a, b = await nodes.start("a"), await nodes.start("b")
        b.come(2)
        await nodes.pass_time()
        monkeypatch.setattr(a.port, "publish", lambda topic, data: None)
        for _ in range(2 * SILENT_BEATS):
            await nodes.pass_time(1)
            # Its own predecessor, who was stopped and wakes, is somebody else.
            a.hear(Heartbeat("a", 0, 0, Vitals(Position(1, 7))))
        assert a.beats.is_cut_off
        assert a.presence.online == {} and a.beats.living == {}, "what it hears may be old"

    run(test)


def test_whoever_ends_while_it_comes_back_notes_nobody_as_gone() -> None:
    async def test(nodes: Nodes) -> None:
        a, b = await nodes.start("a"), await nodes.start("b")
        b.come(1)
        await nodes.pass_time()
        nodes.exchange.cut_off = {"a"}
        await nodes.pass_time(SILENT_BEATS + 1)
        nodes.exchange.cut_off = set()
        while a.beats.is_cut_off:
            await nodes.pass_time(0.01)
        a.beats.leave()
        await nodes.pass_time(2 * RETURN_SECONDS)
        assert a.departed == []

    run(test)


def test_the_first_node_with_the_oldest_program_makes_snapshots_unless_it_is_cut_off() -> None:
    async def test(nodes: Nodes) -> None:
        a, b, c = [await nodes.start(name) for name in "abc"]
        await nodes.pass_time()
        assert [node.beats.may_make_snapshot() for node in (a, b, c)] == [True, False, False]
        a.version = 5
        await nodes.pass_time(1)
        assert [node.beats.may_make_snapshot() for node in (a, b, c)] == [False, True, False]
        nodes.exchange.cut_off = {"b"}
        await nodes.pass_time(SILENT_BEATS + 1)
        assert [node.beats.may_make_snapshot() for node in (a, b, c)] == [False, False, True]

    run(test)


def test_what_all_say_of_themselves_is_known_once_all_have_said_it() -> None:
    async def test(nodes: Nodes) -> None:
        a = await nodes.start("a")
        assert set(a.beats.vitals() or ()) == {"a"}
        a.hear(Changes("b", 1, 1, []))
        assert a.beats.vitals() is None
        a.hear(Heartbeat("b", 1, 1, Vitals(Position(1, 7))))
        assert set(a.beats.vitals() or ()) == {"a", "b"}

    run(test)


def test_users_who_come_just_before_all_are_told_are_told_and_so_are_later_ones() -> None:
    async def test(nodes: Nodes) -> None:
        a = await nodes.start("a")
        starting = nodes.runtime.spawn(nodes.start("b"))
        await nodes.pass_time(STATE_SECONDS - 0.01)
        a.come(1)
        b = await starting
        a.come(2)
        await nodes.pass_time(0.1)
        assert b.presence.online == {1: "alice", 2: "bob"}

    run(test)


def test_what_is_told_again_costs_nothing() -> None:
    async def test(nodes: Nodes) -> None:
        a, b = await nodes.start("a"), await nodes.start("b")
        for user_id in NAMES:
            b.come(user_id)
            await nodes.pass_time(0.1)
        await nodes.pass_time(0.6)
        before = nodes.exchange.messages
        a.hear(Changes("b", 1, 2, [Present(1, "alice", online=False)]))
        assert a.presence.online == NAMES and nodes.exchange.messages == before, "nothing is asked for"

    run(test)


def test_pages_of_users_that_do_not_follow_each_other_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeats, "PAGES_MAX", 3)

    async def test(nodes: Nodes) -> None:
        a = await nodes.start("a")
        a.hear(Heartbeat("b", 1, 7, Vitals(Position(1, 7))))
        users = [Present(user_id, name) for user_id, name in NAMES.items()]
        a.hear(UsersPage("b", 1, 7, 0, False, users[:1]))
        a.hear(UsersPage("b", 1, 7, 2, True, users[2:]))
        assert a.presence.online == {}
        a.hear(UsersPage("b", 1, 7, 1, False, users[1:2]))
        a.hear(UsersPage("b", 1, 7, 2, True, users[2:]))
        assert a.presence.online == NAMES
        a.hear(Changes("b", 1, 8, [Present(1, "alice", online=False)]))
        assert a.beats.living["b"].users == {2, 3, 4} == set(a.presence.online)
        for page in range(10):
            a.hear(UsersPage("b", 1, 9, page, False, users))
        assert len(a.beats.living["b"].pages) == 3, "whoever never comes to an end is not kept"

    run(test)


def test_so_many_nodes_are_listened_to_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeats, "NODES_MAX", 3)

    async def test(nodes: Nodes) -> None:
        a = await nodes.start("a")
        for number in range(9):
            a.hear(Heartbeat(f"n{number}", 1, 0, Vitals(Position(1, 7))))
        assert len(a.beats.living) == 3

    run(test)


def test_a_node_that_answers_twice_is_counted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(nodes: Nodes) -> None:
        a, b = await nodes.start("a"), await nodes.start("b")
        await nodes.pass_time()
        monkeypatch.setattr(Connections, "sessions_of_user", lambda self, user_id: [SESSION])
        answers = [answer for answer in [b.port.answered(encode(heartbeats._SessionsQuestion("a", 1)))] if answer]

        async def ask(topic: str, data: bytes, seconds: float, answers_max: int) -> list[bytes]:
            return answers * 2

        monkeypatch.setattr(a.port, "ask", ask)
        assert await a.beats.sessions_of(1) == ([SESSION], [])

    run(test)
