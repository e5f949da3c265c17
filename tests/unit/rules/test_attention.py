import pytest

from chat_server.log.entries import CloseAccount
from chat_server.protocol.people import (
    AwaySet,
    Muted,
    MuteSet,
    PreferenceChanged,
    PreferenceSet,
    PreferencesTold,
    PresenceChanged,
)
from chat_server.rules import attention
from chat_server.rules.attention import AWAY_CHARS_MAX, PREFERENCE_CHARS_MAX
from tests.unit.chat import Chat, refusal_of


def muted_chats(chat: Chat, name: str) -> dict[str, bool]:
    return {each.name: each.muted for each in chat.come_back(name).reply.chats}


def test_muting_is_stored_and_pushed_to_the_users_other_sessions(chat: Chat) -> None:
    chat.say("bob", "/send alice hi")
    said = chat.say("alice", "/mute @BOB")
    assert said.reply == MuteSet("@bob", True)
    assert [(push.event, push.users) for push in said.pushes] == [(Muted("@bob", True), (chat.ids["alice"],))]
    assert chat.say("alice", "/mute bob").pushes == []
    assert muted_chats(chat, "alice") == {"main": False, "@bob": True}
    assert muted_chats(chat, "bob") == {"main": False, "@alice": False}
    assert {each.name: each.muted for each in chat.say("alice", "/status").reply.chats}["@bob"]
    said = chat.say("alice", "/unmute bob")
    assert (said.reply, [push.event for push in said.pushes]) == (MuteSet("@bob", False), [Muted("@bob", False)])
    chat.say("alice", "/mute main")
    assert muted_chats(chat, "alice") == {"main": True, "@bob": False}


def test_chats_that_cannot_be_muted(chat: Chat) -> None:
    for verb in ("mute", "unmute"):
        assert refusal_of(chat, "alice", f"/{verb} bob").code == "unknown_chat"
        assert refusal_of(chat, "alice", f"/{verb} #no").code == "unknown_chat"
        assert refusal_of(chat, "alice", f"/{verb} nobody").code == "unknown_user"
        assert refusal_of(chat, "alice", f"/{verb} alice").code == "not_yourself"


def test_preferences_are_kept_for_all_devices_and_told_before_all_messages(chat: Chat) -> None:
    chat.say("bob", "/send alice hi")
    said = chat.say("alice", "/preference level:#ops  all  of\tit ")
    assert said.reply == PreferenceSet("level:#ops", "all of it")
    changed = PreferenceChanged("level:#ops", "all of it")
    assert [(push.event, push.users) for push in said.pushes] == [(changed, (chat.ids["alice"],))]
    assert chat.say("alice", "/preference level:#ops all of it").pushes == [], "nothing new"
    chat.say("alice", "/preference ignore:bob Bob")
    told = PreferencesTold({"ignore:bob": "Bob", "level:#ops": "all of it"})
    assert chat.come_back("alice").events[0] == told
    assert not any(isinstance(event, PreferencesTold) for event in chat.come_back("bob").events)
    said = chat.say("alice", "/preference level:#ops")
    assert (said.reply, [push.event for push in said.pushes]) == (
        PreferenceSet("level:#ops"), [PreferenceChanged("level:#ops")],
    )  # fmt: skip
    assert chat.say("alice", "/preference level:#ops").pushes == []


def test_preferences_are_bounded(chat: Chat, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attention, "PREFERENCES_MAX", 2)
    assert refusal_of(chat, "alice", f"/preference a {'x' * (PREFERENCE_CHARS_MAX + 1)}").code == "too_large"
    for name in "aba":
        chat.say("alice", f"/preference {name} {'x' * PREFERENCE_CHARS_MAX}")
    assert refusal_of(chat, "alice", "/preference c x").code == "too_many"
    chat.say("alice", "/preference a y")
    chat.say("alice", "/preference a")
    assert chat.say("alice", "/preference c x").reply == PreferenceSet("c", "x")


def test_away_and_back(chat: Chat) -> None:
    said = chat.say("alice", "/away  at\tlunch ")
    assert said.reply == AwaySet("at lunch")
    assert [(push.event, push.users) for push in said.pushes] == [(PresenceChanged("alice", True, "at lunch"), None)]
    assert chat.say("alice", "/away at lunch").pushes == [], "nothing new"
    assert chat.say("bob", "/who alice").reply.away == "at lunch"
    assert chat.say("bob", "/status").reply.away == {"alice": "at lunch"}
    assert chat.sign_in("alice").away == "at lunch"
    for line in ("/back", "/away", '{"cmd":"away","text":" "}'):
        chat.say("alice", "/away again")
        said = chat.say("alice", line)
        assert (said.reply, [push.event for push in said.pushes]) == (AwaySet(), [PresenceChanged("alice", True)])
    assert chat.say("alice", "/back").pushes == []
    assert (chat.say("bob", "/who alice").reply.away, chat.say("bob", "/status").reply.away) == (None, None)


def test_limits_of_away(chat: Chat) -> None:
    chat.say("alice", "/away " + "x" * AWAY_CHARS_MAX)
    assert refusal_of(chat, "alice", "/away " + "x" * (AWAY_CHARS_MAX + 1)).code == "too_large"
    chat.configure(reports_to_ban=1)
    chat.say("bob", "/report alice")
    assert refusal_of(chat, "alice", "/away shouting").code == "banned"
    chat.say("alice", "/back")


def test_a_deleted_account_is_not_away(chat: Chat) -> None:
    chat.say("bob", "/away for ever")
    chat.do(CloseAccount(0), "bob")
    assert chat.say("alice", "/status").reply.away is None
