"""Comments, threads, edits, deletions and reactions, as rules."""

from typing import Any

import pytest
from msgspec.structs import replace

from chat_server.errors import Refusal
from chat_server.log.entries import CloseAccount
from chat_server.protocol.messages import Changed, Comment, Message, Sent, ThreadShown
from chat_server.protocol.times import iso
from chat_server.rules.threads import EMOJIS_MAX
from tests.unit.chat import Chat, events_to, refusal_of
from tests.unit.fakes import DAY_MS, HOUR_MS, NOON_MS

CHANGES = ("/reply {} hi", "/edit {} hi", "/delete {}", "/react {} +1", "/unreact {} +1", "/thread {}")


def id_of_sent(chat: Chat, name: str, line: str) -> int:
    id_: int = chat.say(name, line).reply.id
    return id_


def ban(chat: Chat, name: str) -> None:
    chat.configure(reports_to_ban=1)
    chat.say("carol", f"/report {name}")


# ---- comments


def test_a_comment_goes_to_the_chat_of_its_message(chat: Chat) -> None:
    on = id_of_sent(chat, "alice", "/send_all hi")
    comment = chat.say("bob", f"/reply {on} there")
    assert comment.reply == Sent(2, iso(NOON_MS))
    (push,) = comment.pushes
    assert push.users is None
    assert push.event == Message(2, 2, "main", "bob", iso(NOON_MS), text="there", reply_to=on)


def test_a_comment_to_a_user_goes_to_both_with_the_name_each_sees(chat: Chat) -> None:
    on = id_of_sent(chat, "alice", "/send bob hi")
    comment = chat.say("alice", f"/reply {on} and more")
    for name, other in (("alice", "@bob"), ("bob", "@alice")):
        (event,) = events_to(comment.pushes, chat.ids[name])
        assert isinstance(event, Message) and (event.chat, event.reply_to) == (other, on)
    assert events_to(comment.pushes, chat.ids["carol"]) == []


def test_a_comment_counts_in_main(chat: Chat) -> None:
    chat.configure(main_rate_count=2, main_rate_window_ms=HOUR_MS)
    on, direct = id_of_sent(chat, "alice", "/send_all hi"), id_of_sent(chat, "bob", "/send alice hi")
    id_of_sent(chat, "alice", f"/reply {on} one")
    assert refusal_of(chat, "alice", f"/reply {on} two").code == "rate_limited"
    id_of_sent(chat, "alice", f"/reply {direct} as many as one likes")
    chat.clock.advance(HOUR_MS)
    id_of_sent(chat, "alice", f"/reply {on} two")


def with_key(on: int, text: str) -> Comment:
    return Comment(on, text, "k1")  # type: ignore[arg-type]


def test_the_same_key_comments_once(chat: Chat) -> None:
    on, other = id_of_sent(chat, "alice", "/send_all hi"), id_of_sent(chat, "alice", "/send_all there")
    first = chat.do(with_key(on, "yes"), "bob")
    ban(chat, "bob")
    again = chat.do(with_key(on, "yes"), "bob")
    assert again.reply == first.reply and again.pushes == []
    for command in (with_key(other, "yes"), with_key(on, "no")):
        with pytest.raises(Refusal, match="key"):
            chat.do(command, "bob")
    chat.clock.advance(DAY_MS)
    assert chat.do(with_key(on, "yes"), "bob").reply.id > first.reply.id


def test_nobody_comments_in_a_chat_with_a_deleted_account(chat: Chat) -> None:
    on = id_of_sent(chat, "alice", "/send bob hi")
    close(chat, "bob")
    assert refusal_of(chat, "alice", f"/reply {on} still there?").code == "unknown_user"
    chat.say("alice", f"/edit {on} bye")


def close(chat: Chat, name: str) -> Any:
    return chat.do(CloseAccount(0), name)


# ---- who may


@pytest.mark.parametrize("line", CHANGES)
def test_a_message_one_may_not_see_is_unknown(chat: Chat, line: str) -> None:
    secret = id_of_sent(chat, "alice", "/send bob psst")
    hidden, nothing = refusal_of(chat, "carol", line.format(secret)), refusal_of(chat, "carol", line.format(99))
    assert hidden.code == nothing.code == "unknown_message"
    assert hidden.text.replace(str(secret), "99") == nothing.text
    assert hidden.fields == nothing.fields


@pytest.mark.parametrize("line", CHANGES[1:3])
def test_only_the_author_edits_and_deletes(chat: Chat, line: str) -> None:
    main, direct = id_of_sent(chat, "alice", "/send_all hi"), id_of_sent(chat, "alice", "/send bob hi")
    for id_ in (main, direct):
        assert refusal_of(chat, "bob", line.format(id_)).code == "forbidden"
        chat.say("alice", line.format(id_))


@pytest.mark.parametrize("line", CHANGES[:5])
def test_a_deleted_message_does_not_change_any_more(chat: Chat, line: str) -> None:
    id_ = id_of_sent(chat, "alice", "/send_all hi")
    chat.say("alice", f"/delete {id_}")
    assert refusal_of(chat, "alice", line.format(id_)).code == "unknown_message"
    assert refusal_of(chat, "bob", line.format(id_)).code == "unknown_message"


def test_a_ban_is_refused_first_but_reading_and_deleting_work(chat: Chat) -> None:
    own, other = id_of_sent(chat, "alice", "/send_all hi"), id_of_sent(chat, "bob", "/send_all hi")
    ban(chat, "alice")
    for line in ("/reply {} hi", "/edit {} hi", "/react {} +1", "/unreact {} +1"):
        for id_ in (own, other, 99):
            assert refusal_of(chat, "alice", line.format(id_)).code == "banned"
    chat.say("alice", f"/thread {other}")
    chat.say("alice", f"/delete {own}")


# ---- changes


def test_each_change_has_a_seq_and_the_whole_message(chat: Chat) -> None:
    id_ = id_of_sent(chat, "alice", "/send_all hi")
    at = iso(NOON_MS)
    chat.clock.advance(1000)
    edit, expected = chat.say("alice", f"/edit {id_} there"), Message(id_, 2, "main", "alice", at, text="there")
    expected = _with(expected, edited=iso(NOON_MS + 1000))
    react = chat.say("bob", f"/react {id_} 👍")
    unreact = chat.say("bob", f"/unreact {id_} 👍")
    delete = chat.say("alice", f"/delete {id_}")
    for said_, message in (
        (edit, expected),
        (react, _with(expected, seq=3, reactions={"👍": ["bob"]})),
        (unreact, _with(expected, seq=4)),
        (delete, Message(id_, 5, "main", "alice", at, deleted=True)),
    ):
        assert said_.reply == Changed(id_, message.seq, message)
        assert [push.event for push in said_.pushes] == [message]
    assert chat.dump()["reactions"] == []


def _with(message: Message, **fields: Any) -> Message:
    return replace(message, **fields)


def test_a_change_goes_to_both_users_with_the_name_each_sees(chat: Chat) -> None:
    id_ = id_of_sent(chat, "alice", "/send bob hi")
    change = chat.say("bob", f"/react {id_} +1")
    for name, other in (("alice", "@bob"), ("bob", "@alice")):
        (event,) = events_to(change.pushes, chat.ids[name])
        assert isinstance(event, Message) and (event.chat, event.from_) == (other, "alice")
        assert name == "alice" or change.reply.message == event
    assert events_to(change.pushes, chat.ids["carol"]) == []


def test_a_command_that_changes_nothing_pushes_nothing(chat: Chat) -> None:
    id_ = id_of_sent(chat, "alice", "/send_all hi")
    nothing = chat.say("bob", f"/unreact {id_} +1")
    assert isinstance(nothing.reply, Changed) and nothing.reply.message is not None
    assert (nothing.reply.seq, nothing.reply.message.reactions, nothing.pushes) == (1, None, [])
    assert nothing.reply.note == f"nothing changed: you have not reacted to #{id_} with +1"
    first = chat.say("bob", f"/react {id_} +1")
    again = chat.say("bob", f"/react {id_} +1")
    assert isinstance(again.reply, Changed) and again.reply.note is not None
    assert replace(again.reply, note=None) == first.reply and again.pushes == []


def test_reactions_come_in_their_order_and_are_bounded(chat: Chat) -> None:
    id_ = id_of_sent(chat, "alice", "/send_all hi")
    emojis = [f"+{number}" for number in range(EMOJIS_MAX)]
    for emoji in reversed(emojis):
        chat.say("bob", f"/react {id_} {emoji}")
    assert refusal_of(chat, "carol", f"/react {id_} 👍").code == "too_many"
    chat.say("carol", f"/react {id_} +3")
    (message,) = chat.say("carol", "/history main").events
    assert isinstance(message, Message) and message.reactions is not None
    assert list(message.reactions) == list(reversed(emojis))
    assert message.reactions["+3"] == ["bob", "carol"]
    chat.say("bob", f"/unreact {id_} +7")
    chat.say("carol", f"/react {id_} 👍")


def test_a_deleted_account_loses_its_reactions(chat: Chat) -> None:
    kept, going = id_of_sent(chat, "alice", "/send_all hi"), id_of_sent(chat, "bob", "/send_all bye")
    comment = id_of_sent(chat, "alice", f"/reply {going} why?")
    for name, id_ in (("bob", kept), ("carol", kept), ("bob", comment), ("bob", going), ("carol", going)):
        chat.say(name, f"/react {id_} +1")
    before = chat.executor.state.seq
    close(chat, "bob")
    events = chat.say("carol", "/history main").events
    states = {event.id: event for event in events if isinstance(event, Message)}
    assert states[kept].reactions == {"+1": ["carol"]}
    assert states[comment].reactions is None and states[comment].text == "why?"
    assert states[going].deleted and states[going].reactions is None
    assert sorted(state.seq for state in states.values()) == [before + 1, before + 2, before + 3]
    assert chat.executor.state.seq == before + 3
    assert [row[0] for row in chat.dump()["reactions"]] == [kept]


# ---- threads


def test_a_thread_has_all_comments_on_its_message(chat: Chat) -> None:
    root = id_of_sent(chat, "alice", "/send_all root")
    id_of_sent(chat, "alice", "/send_all another")
    one = id_of_sent(chat, "bob", f"/reply {root} one")
    nested = id_of_sent(chat, "carol", f"/reply {one} nested")
    id_of_sent(chat, "alice", f"/reply {root} two")
    chat.say("bob", f"/delete {one}")
    chat.say("carol", f"/edit {nested} nested, and edited")
    thread = chat.say("alice", f"/thread {root}")
    assert thread.texts == ["root", None, "nested, and edited", "two"]
    assert thread.reply == ThreadShown(root, "main", 3)
    assert chat.say("alice", f"/thread {one}").texts == [None, "nested, and edited"]
    assert chat.say("alice", f"/thread {nested}").reply == ThreadShown(nested, "main", 0)
    direct = id_of_sent(chat, "alice", "/send bob hi")
    assert chat.say("bob", f"/thread {direct}").reply == ThreadShown(direct, "@alice", 0)


def test_a_long_thread_comes_in_pages(chat: Chat) -> None:
    last = root = id_of_sent(chat, "alice", "/send_all 0")
    for number in range(1, 450):
        last = id_of_sent(chat, "bob", f"/reply {last if number % 2 else root} {number}")
    thread = chat.say("alice", f"/thread {root}")
    assert thread.texts == [str(number) for number in range(450)]
    assert thread.reply.comments == 449
