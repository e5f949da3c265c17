from pathlib import Path

import pytest
from msgspec.structs import replace

from chat_server.errors import Refusal
from chat_server.log.entries import MACHINE, Configure, Entry, Logged
from chat_server.protocol.arguments import Text, Username, Word
from chat_server.protocol.control import (
    CONTROL,
    AccountForgotten,
    Acts,
    Appoint,
    Audit,
    AuditedAct,
    ChangeSettings,
    Dismiss,
    Export,
    Exported,
    Forget,
    ListOperators,
    OperatorSet,
    Record,
    RepairTime,
    SetPasswordOf,
    SettingsChanged,
    ShowSettings,
    TimeRepaired,
)
from chat_server.protocol.names import check
from chat_server.protocol.operators import Announce
from chat_server.protocol.table import TABLE
from chat_server.protocol.times import iso
from tests.unit.chat import LIMITS, Chat, Said
from tests.unit.fakes import DAY_MS, HOUR_MS, NOON_MS

BOB = Username("bob", "bob")


def control(chat: Chat, command: Logged) -> Said:
    return chat.do(command, user_id=MACHINE)


def code(chat: Chat, command: Logged) -> str:
    with pytest.raises(Refusal) as refused:
        control(chat, command)
    return refused.value.code


def test_no_connection_takes_the_machines_commands(chat: Chat) -> None:
    assert not CONTROL.keys() & TABLE.keys()
    with pytest.raises(Refusal, match="there is no /appoint"):
        chat.say("alice", "/appoint alice")
    for command in (Appoint(BOB), Forget(BOB), SetPasswordOf(BOB, Word("h"))):
        with pytest.raises(Refusal) as refused:
            chat.do(command, "alice")
        assert refused.value.code == "forbidden"
    for query in (Audit(), Export(BOB), ListOperators()):
        with pytest.raises(Refusal, match="for operators"):
            chat.ask("alice", query)


def test_operators_may_not_use_the_machines_commands(chat: Chat) -> None:
    """These commands are in a table of their own, which no line can name."""
    control(chat, SetPasswordOf(BOB, Word("argon")))
    control(chat, Appoint(BOB))
    with pytest.raises(Refusal, match="there is no /forget"):
        chat.say("bob", "/forget alice")


def test_operators_are_appointed_and_dismissed(chat: Chat) -> None:
    assert code(chat, Appoint(BOB)) == "password_required"
    assert code(chat, Appoint(Username("nobody", "nobody"))) == "unknown_user"
    control(chat, SetPasswordOf(BOB, Word("argon")))
    assert control(chat, Appoint(BOB)).reply == OperatorSet("bob", True)
    chat.configure()
    chat.say("bob", "/stats")
    assert control(chat, Dismiss(BOB)).reply == OperatorSet("bob", False)
    assert code(chat, Dismiss(BOB)) == "bad_argument"
    chat.batch(Entry(Configure(LIMITS, [check("bob")])))
    assert code(chat, Dismiss(BOB)) == "forbidden"


def test_times_in_the_future_are_repaired_to_when_it_was(chat: Chat) -> None:
    chat.clock.step(DAY_MS)
    chat.say("alice", "/send_all hi")
    chat.clock.step(-DAY_MS)
    chat.clock.advance(HOUR_MS)
    assert control(chat, RepairTime()).reply.messages == 1
    (message,) = chat.say("bob", "/history main").events
    assert message.at == iso(NOON_MS)  # type: ignore[attr-defined]
    assert control(chat, RepairTime()).reply == TimeRepaired(0, 0)


def test_a_deleted_account_is_no_operator_any_more(chat: Chat) -> None:
    control(chat, SetPasswordOf(BOB, Word("argon")))
    control(chat, Appoint(BOB))
    assert [each.user for each in chat.ask_as(MACHINE, ListOperators()).reply.operators] == ["bob"]
    control(chat, Forget(BOB))
    assert chat.ask_as(MACHINE, ListOperators()).reply.operators == []


def test_a_new_password_ends_all_sign_ins(chat: Chat) -> None:
    chat.sign_in("dora", token_hash=b"t")
    (ending,) = control(chat, SetPasswordOf(Username("dora", "dora"), Word("argon"))).endings
    assert (ending.user_id, ending.code, ending.asker) == (chat.ids["dora"], "signed_out", "closed")
    assert chat.db.value("SELECT count(*) FROM tokens") == 0
    assert chat.db.value("SELECT password FROM users WHERE name = 'dora'") == "argon"


def test_forget_deletes_the_account(chat: Chat) -> None:
    control(chat, SetPasswordOf(BOB, Word("argon")))
    control(chat, Appoint(BOB))
    said = chat.say("bob", "/send_all hello").reply
    chat.say("alice", f"/reply {said.id} yes")
    chat.say("bob", "/report carol for private reasons")
    gone = control(chat, Forget(BOB))
    assert gone.reply == AccountForgotten("bob")
    assert [(ending.user_id, ending.code) for ending in gone.endings] == [(chat.ids["bob"], "account_deleted")]
    assert chat.say("alice", f"/thread {said.id}").texts == [None, "yes"]
    assert code(chat, Forget(BOB)) == "unknown_user"
    assert all("hello" not in str(rows) and "private" not in str(rows) for rows in chat.dump().values())
    assert chat.dump()["operators"] == []


def test_an_export_has_all_that_is_the_users_and_nothing_else(chat: Chat) -> None:
    control(chat, SetPasswordOf(BOB, Word("$argon2id$hash")))
    chat.sign_in("bob", token_hash=b"tokenhash", saw_version=1)
    first = chat.say("alice", "/send bob not his").reply
    chat.say("bob", "/send alice mine")
    chat.say("bob", f"/react {first.id} 👍")
    chat.say("bob", "/send_delayed main 1h later")
    chat.say("bob", "/report carol rude")
    chat.say("alice", "/report bob secretly")
    said = chat.ask_as(MACHINE, Export(BOB))
    told = [(event.kind, event.data) for event in said.events if isinstance(event, Record)]
    assert said.reply == Exported("bob", len(told))
    assert [kind for kind, _ in told] == [
        "account", "token", "network", "membership", "membership", "reaction", "delayed", "report", "text_bytes",
        "message",
    ]  # fmt: skip
    data = dict(told)
    assert data["account"]["has_password"] == 1 and data["account"]["created"].endswith("Z")
    assert (data["message"]["text"], data["message"]["chat"]) == ("mine", "@alice")
    assert (data["delayed"]["text"], data["report"]["user"]) == ("later", "carol")
    assert not any(word in str(told) for word in ("argon", "tokenhash", "not his", "secretly"))


def test_the_audit_goes_on_after_an_id(chat: Chat, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chat_server.rules.control.ACTS_PAGE_MAX", 2)
    for text in "abcde":
        control(chat, Announce(text))  # type: ignore[arg-type]
    said = chat.ask_as(MACHINE, Audit())
    assert [event.why for event in said.events if isinstance(event, AuditedAct)] == list("abcde")
    assert said.reply == Acts(5)
    rest = chat.ask_as(MACHINE, Audit(3))  # type: ignore[arg-type]
    assert [event.id for event in rest.events if isinstance(event, AuditedAct)] == [4, 5]


# ---- settings


def test_settings_are_shown_and_a_lone_server_keeps_its_own(chat: Chat) -> None:
    shown = chat.ask_as(MACHINE, ShowSettings()).reply.settings
    assert (shown["page"], shown["main-rate-limit"], shown["operator"]) == ("20", "off", "none")
    assert code(chat, ChangeSettings(Text("page 30"))) == "bad_argument"
    assert chat.ask_as(MACHINE, ShowSettings()).reply.settings == shown


def test_settings_are_changed_for_all_nodes(tmp_path: Path) -> None:
    chat = Chat(tmp_path, stream=1)
    chat.sign_in("alice")
    chat.due()
    shown = chat.ask_as(MACHINE, ShowSettings()).reply.settings
    done = control(chat, ChangeSettings(Text("page 30 operator Boss,anna replay 20 main-rate-limit 1/1h"))).reply
    assert done == SettingsChanged(
        {"page": "30", "operator": "anna,Boss", "main-rate-limit": "1/1h"},
        {"page": "20", "operator": "none", "main-rate-limit": "off"},
    )
    assert chat.ask_as(MACHINE, ShowSettings()).reply.settings == shown | done.settings
    assert chat.dump()["audit"][-1][2:] == (
        "server", "cluster settings", None, "page 20 -> 30, operator none -> anna,Boss, main-rate-limit off -> 1/1h",
    )  # fmt: skip
    chat.say("alice", "/send_all one")
    with pytest.raises(Refusal, match="as many messages to main"):
        chat.say("alice", "/send_all two")
    chat.executor._load()
    assert chat.executor.limits is not None and chat.executor.limits.page_messages == 30
    assert control(chat, ChangeSettings(Text("operator none"))).reply.settings == {"operator": "none"}
    note = control(chat, ChangeSettings(Text("allow-passwordless off"))).reply.note
    assert note is None
    assert "--allow-passwordless" in control(chat, ChangeSettings(Text("allow-passwordless on"))).reply.note


def test_settings_that_are_said_wrongly_change_nothing(tmp_path: Path) -> None:
    chat = Chat(tmp_path, stream=1)
    chat.sign_in("alice")
    before = chat.ask_as(MACHINE, ShowSettings()).reply
    for wrong in ("page", "page 30 replay", "page 30 port 9", "page 30 replay x"):
        assert code(chat, ChangeSettings(Text(wrong))) == "bad_argument"
    assert chat.ask_as(MACHINE, ShowSettings()).reply == before and chat.dump()["audit"] == []


def test_a_node_that_starts_sets_them_only_where_none_were_set(tmp_path: Path) -> None:
    chat = Chat(tmp_path)
    chat.batch(Entry(Configure(replace(LIMITS, page_messages=7), [check("eve")], only_first=True)))
    shown = chat.ask_as(MACHINE, ShowSettings()).reply.settings
    assert (shown["page"], shown["operator"]) == ("20", "none")
    chat.close()
