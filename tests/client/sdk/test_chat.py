"""The connection against a server that the test plays: losses, resumes, resends, refusals, and bounds."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

import chat_client
from chat_client.sdk import chat as chat_module
from chat_client.sdk import event_queue, link
from chat_client.sdk.backoff import Pauses
from chat_client.sdk.chat import Chat, connect
from chat_client.sdk.errors import CannotConnect, Disconnected, Refused
from chat_client.sdk.events import (  # fmt: skip
    AnyEvent,
    Connected,
    Connecting,
    Ended,
    Forgotten,
    Lost,
    OtherReply,
    Outgoing,
    TokenNotKept,
    Unknown,
)
from chat_client.sdk.runtime import Runtime
from chat_client.sdk.server_address import Server, read
from chat_client.token_file import TokenFile
from chat_server.protocol.messages import Message, MessagesShown
from chat_server.protocol.people import PresenceChanged
from tests.client.fake import AT, FakeLink, FakeServer, message
from tests.harness import TIMEOUT_SECONDS


@pytest.fixture
async def server() -> AsyncIterator[FakeServer]:
    async with FakeServer() as server:
        yield server


class LaterRuntime(Runtime):
    """Time has passed that a test does not wait for."""

    later = 0.0

    def elapsed(self) -> float:
        return super().elapsed() + self.later


class Client:
    """A chat at fake servers, and what it tells."""

    def __init__(self) -> None:
        self._stack = AsyncExitStack()

    def enter(self, *servers: FakeServer, **options: Any) -> asyncio.Task[Chat]:
        addresses = [server.address for server in servers]
        context = connect(addresses, **{"user": "bob", "pauses": Pauses(0.001, 0.002), **options})
        return asyncio.create_task(self._stack.enter_async_context(context))

    async def sign_in(self, server: FakeServer, *missed: Any, **options: Any) -> tuple[Chat, FakeLink]:
        entering = self.enter(server, **options)
        link = await server.link()
        await link.sign_in(*missed)
        chat = await entering
        assert isinstance((await until(chat, Connected))[-1], Connected)
        return chat, link

    async def close(self) -> None:
        await self._stack.aclose()


@pytest.fixture
async def client(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Client]:
    monkeypatch.setattr(chat_module, "GOODBYE_SECONDS_MAX", 0)  # the server that is played answers no goodbye
    client = Client()
    yield client
    await client.close()


async def until(chat: Chat, kind: type) -> list[AnyEvent]:
    """The events up to the first of this kind."""
    events: list[AnyEvent] = []
    async with asyncio.timeout(TIMEOUT_SECONDS):
        async for event in chat:
            events.append(event)
            if isinstance(event, kind):
                return events
    raise AssertionError(f"the chat ended: {events}")


def ids(events: list[AnyEvent]) -> list[int]:
    return [event.id for event in events if isinstance(event, Message)]


# ---- signing in


async def test_what_a_bot_sees_in_order(server: FakeServer, client: Client) -> None:
    entering = client.enter(server)
    link = await server.link()
    await link.sign_in(message(8), message(9))
    link.write(message(11), {"type": "presence", "user": "carol", "online": True})
    chat = await entering
    assert (chat.user, chat.token, chat.server_version, chat.history) == ("bob", "the token", "9.9", "h")
    assert chat.signed_in is not None and chat.signed_in.seq == 10
    connecting, *missed, connected = await until(chat, Connected)
    assert connecting == Connecting(server.address, 1)
    assert ids(missed) == [8, 9]
    assert connected == Connected(server.address, chat.signed_in, resumed=False) and chat.state == connected
    assert ids(await until(chat, PresenceChanged)) == [11]
    assert chat.position == 11


async def test_it_tells_who_it_is(server: FakeServer, client: Client) -> None:
    client.enter(server)
    link = await server.link()
    link.greet()
    assert (await link.expect("format"))["client"] == f"chat-client/{chat_client.__version__}"


async def test_a_token_is_tried_first_then_the_name(server: FakeServer, client: Client) -> None:
    kept: list[str] = []

    class Tokens:
        def get(self, user: str, server: Server) -> str | None:
            assert str(server) == link_to
            return "old"

        def put(self, user: str, token: str) -> None:
            kept.append(f"+{user} {token}")
            raise OSError(30, "Read-only file system")

        def drop(self, user: str, token: str) -> None:
            kept.append(f"-{user} {token}")

    link_to = server.address
    entering = client.enter(server, tokens=Tokens())
    link = await server.link()
    resume = await link.begin_sign_in()
    assert (resume["cmd"], resume["token"], "position" in resume) == ("resume", "old", False)
    link.refuse(resume, "bad_token")
    link.end_sign_in(await link.expect("sign_in"))
    chat = await entering
    assert kept == ["-bob old", "+bob the token"]
    assert (await until(chat, TokenNotKept))[-1] == TokenNotKept("Read-only file system")


async def test_a_token_is_sent_to_its_own_server_alone(server: FakeServer, client: Client, tmp_path: Path) -> None:
    async with FakeServer() as stranger:
        TokenFile(tmp_path / "t", read(server.address)).put("bob", "secret")
        entering = client.enter(
            stranger, server, tokens=TokenFile(tmp_path / "t", read([stranger.address, server.address]))
        )
        link = await stranger.link()
        first = await link.begin_sign_in()
        assert (first["cmd"], "secret" in str(first)) == ("sign_in", False)
        link.refuse(first, "busy")
        link.lose()
        second = await (await server.link()).sign_in()
        assert (second["cmd"], second["token"]) == ("resume", "secret")
        await entering


async def test_after_too_many_wrong_passwords_it_waits_and_asks_again(server: FakeServer, client: Client) -> None:
    told: list[object] = []

    async def ask(words: str) -> str | None:
        told.append(words)
        return f"secret {len(told)}"

    async def wait(words: str, seconds: float) -> None:
        told.append((words, seconds))

    entering = client.enter(server, ask_password=ask, wait=wait)
    link = await server.link()
    link.refuse(await link.begin_sign_in(), "password_required", needs="password")
    link.refuse(await link.expect("sign_in"), "too_fast", retry_in=7)
    link = await server.link()
    again = await link.begin_sign_in()
    assert "password" not in again, "one is asked for a new one"
    link.refuse(again, "password_required", needs="password")
    right = await link.expect("sign_in")
    assert right["password"] == "secret 3"
    link.end_sign_in(right)
    await entering
    assert told == ["bob has a password", ("too many wrong passwords", 7.0), "bob has a password"]


async def test_who_types_the_password_slowly_is_not_asked_again(server: FakeServer, client: Client) -> None:
    link = server.link

    async def ask(words: str) -> str | None:
        first.lose()
        return "secret"

    entering = client.enter(server, ask_password=ask)
    first = await link()
    first.refuse(await first.begin_sign_in(), "password_required", needs="password")
    second = await link()
    command = await second.begin_sign_in()
    assert command["password"] == "secret"
    second.lose()
    with pytest.raises(CannotConnect):
        await entering


async def test_no_account_is_made_where_that_is_not_wanted(server: FakeServer, client: Client) -> None:
    entering = client.enter(server, register=False)
    link = await server.link()
    command = await link.begin_sign_in()
    assert command["register"] is False
    link.refuse(command, "unknown_user")
    with pytest.raises(Refused, match="--register makes"):
        await entering


async def test_a_password_is_asked_for_only_if_the_server_wants_one(server: FakeServer, client: Client) -> None:
    asked: list[str] = []

    async def ask(words: str) -> str | None:
        asked.append(words)
        return f"secret {len(asked)}"

    entering = client.enter(server, ask_password=ask)
    link = await server.link()
    first = await link.begin_sign_in()
    assert "password" not in first
    link.refuse(first, "password_required", needs="password")
    second = await link.expect("sign_in")
    assert second["password"] == "secret 1"
    link.refuse(second, "wrong_password")
    third = await link.expect("sign_in")
    link.end_sign_in(third)
    await entering
    assert asked == ["bob has a password", "wrong password"]


async def test_a_new_account_gets_its_password_and_the_code_that_invites(server: FakeServer, client: Client) -> None:
    told: list[str] = []
    passwords, codes = ["one", "two", "secret", "secret"], ["typo", "code"]

    async def ask_password(words: str) -> str | None:
        told.append(words)
        return passwords.pop(0)

    async def ask_code(words: str) -> str | None:
        told.append(words)
        return codes.pop(0)

    entering = client.enter(server, ask_password=ask_password, ask_code=ask_code)
    link = await server.link()
    link.refuse(await link.begin_sign_in(), "forbidden", needs="code")
    link.refuse(await link.expect("sign_in"), "forbidden", needs="code")
    second = await link.expect("sign_in")
    assert second["code"] == "code" and "password" not in second
    link.refuse(second, "password_required", needs="new_password")
    right = await link.expect("sign_in")
    assert (right["code"], right["password"]) == ("code", "secret")
    link.end_sign_in(right)
    await entering
    assert told == [
        "there is no account bob yet; it is made with an invitation",
        "this code invites nobody (any more)",
        "there is no account bob yet; choose a password for it",
        "once more",
        "these were not the same",
        "once more",
    ]


@pytest.mark.parametrize("code", ["password_required", "forbidden"])
async def test_nothing_is_asked_for_where_it_would_not_help(server: FakeServer, client: Client, code: str) -> None:
    async def ask(words: str) -> str | None:
        raise AssertionError(words)

    entering = client.enter(server, ask_password=ask, ask_code=ask)
    link = await server.link()
    link.refuse(await link.begin_sign_in(), code)
    with pytest.raises(Refused, match=code):
        await entering


async def test_without_the_password_it_is_refused(server: FakeServer, client: Client) -> None:
    async def ask(words: str) -> str | None:
        return None

    entering = client.enter(server, ask_password=ask)
    link = await server.link()
    link.refuse(await link.begin_sign_in(), "password_required", needs="password")
    with pytest.raises(Refused, match="password_required"):
        await entering


# ---- the first connection


async def test_nothing_listens_there(server: FakeServer, client: Client) -> None:
    server._server.close()
    with pytest.raises(CannotConnect, match="nothing listens there"):
        await client.enter(server)


async def test_what_listens_there_is_no_chat(server: FakeServer, client: Client) -> None:
    entering = client.enter(server)
    (await server.link()).write("SSH-2.0-OpenSSH_9.2")
    with pytest.raises(CannotConnect, match="no chat server"):
        await entering


async def test_a_server_that_has_no_room_says_so(server: FakeServer, client: Client) -> None:
    entering = client.enter(server)
    link = await server.link()
    link.write("* closing: too many connections; try again later")
    link.lose()
    with pytest.raises(CannotConnect, match="too many connections"):
        await entering


async def test_a_patient_one_tries_until_it_works(server: FakeServer, client: Client) -> None:
    entering = client.enter(server, patient=True)
    (await server.link()).lose()
    (await server.link()).lose()
    await (await server.link()).sign_in()
    chat = await entering
    states = await until(chat, Connected)
    assert [type(each) for each in states] == [Connecting, Lost, Connecting, Lost, Connecting, Connected]
    assert [each.attempt for each in states if isinstance(each, Connecting)] == [1, 2, 3]


async def test_of_several_servers_each_failure_is_told(server: FakeServer, client: Client) -> None:
    async with FakeServer() as other:
        other._server.close()
        entering = client.enter(other, server)
        (await server.link()).write("SSH-2.0-OpenSSH_9.2")
        with pytest.raises(CannotConnect) as error:
            await entering
    assert str(error.value) == (
        f"{other.address}: nothing listens there; {server.address}: what answers there is no chat server"
    )


async def test_several_servers_are_tried_in_turn(server: FakeServer, client: Client) -> None:
    async with FakeServer() as other:
        other._server.close()
        entering = client.enter(other, server)
        link = await server.link()
        await link.sign_in()
        chat = await entering
        link.lose()
        await (await server.link()).sign_in()
        tried = [each.server for each in await until(chat, Lost) if isinstance(each, Connecting)]
        assert tried == [other.address]


# ---- losses


async def test_it_goes_on_from_its_position(server: FakeServer, client: Client) -> None:
    chat, link = await client.sign_in(server)
    link.write(message(11), message(12))
    assert ids([*(await until(chat, Message)), *(await until(chat, Message))]) == [11, 12]
    link.lose()
    link = await server.link()
    # This one breaks in the middle of what was missed.
    command = await link.begin_sign_in()
    assert (command["cmd"], command["token"], command["position"]) == ("resume", "the token", 12)
    link.returned(command, message(13), message(14))
    link.lose()
    link = await server.link()
    command = await link.sign_in(message(13), message(14), message(11, 15), message(16), seq=16)
    assert command["position"] == 12, "what a command returns does not move it"
    events = await until(chat, Connected)
    assert [(each.id, each.seq) for each in events if isinstance(each, Message)] == [
        (13, 13), (14, 14), (11, 15), (16, 16),
    ]  # fmt: skip
    assert isinstance(events[-1], Connected) and events[-1].resumed
    assert chat.position == 16


async def test_what_was_not_answered_goes_out_again_with_its_key(server: FakeServer, client: Client) -> None:
    chat, link = await client.sign_in(server)
    posted = [chat.post("send", target="main", text=text) for text in ("one", "two")]
    first, second = await link.expect("send"), await link.expect("send")
    assert [first["key"], second["key"]] == [each.key for each in posted]
    link.ok(first, id=11, at=AT)
    await chat.settled(posted[0].key)
    link.lose()
    await until(chat, Lost)
    later = chat.post("send", target="main", text="three")
    link = await server.link()
    # Both of one's own have come to the server; the answer to the second was lost.
    await link.sign_in(message(11, sender="bob"), message(12, sender="bob"), seq=12)
    again, new = await link.expect("send"), await link.expect("send")
    assert (again["key"], again["text"], new["key"]) == (second["key"], "two", later.key)
    link.ok(again, id=12, at=AT)
    link.ok(new, id=13, at=AT)
    assert (await chat.settled(later.key)).state == "sent"
    events = await until(chat, Connected)
    assert ids(events) == [12], "the first was acknowledged: it is no news"
    states = [(each.key, each.state) for each in [*(await until(chat, Outgoing)), *(await until(chat, Outgoing))]
              if isinstance(each, Outgoing)]  # fmt: skip
    assert states == [(second["key"], "sent"), (later.key, "sent")]
    assert chat.outgoing == []
    with pytest.raises(KeyError):
        await chat.settled(later.key)


async def test_ones_own_message_does_not_come_again(server: FakeServer, client: Client) -> None:
    chat, link = await client.sign_in(server)
    sending = asyncio.create_task(chat.send("main", "mine"))
    link.ok(await link.expect("send"), id=11, at=AT)
    await sending
    link.lose()
    await (await server.link()).sign_in(message(11, sender="bob"), message(12), seq=12)
    assert ids(await until(chat, Connected)) == [12]


async def test_what_is_old_is_held(server: FakeServer, client: Client) -> None:
    runtime = LaterRuntime()
    chat, link = await client.sign_in(server, runtime=runtime)
    link.lose()
    await until(chat, Lost)
    old = [chat.post("send", target="main", text=text) for text in ("old", "older")]
    runtime.later += 301
    new = chat.post("send", target="main", text="new")
    link = await server.link()
    await link.sign_in()
    assert (await link.expect("send"))["key"] == new.key
    assert [each.key for each in chat.held] == [each.key for each in old]
    chat.discard(old[1].key)
    chat.confirm()
    assert (await link.expect("send"))["key"] == old[0].key
    with pytest.raises(KeyError):
        {each.key: each for each in chat.outgoing}[old[1].key]


async def test_another_history(server: FakeServer, client: Client) -> None:
    chat, link = await client.sign_in(server)
    doubtful = chat.post("send", target="main", text="did it come?")
    await link.expect("send")
    link.lose()
    await (await server.link()).sign_in(message(11), seq=11, history="restored")
    again = await server.link()
    command = await again.sign_in(message(3), seq=3, history="restored")
    assert "position" not in command
    events = await until(chat, Connected)
    forgotten = [type(each) for each in events].index(Forgotten)
    assert ids(events[forgotten:]) == [3], "what is unread there"
    assert [each.key for each in chat.held] == [doubtful.key], "its key means nothing there"
    assert (chat.position, chat.history) == (3, "restored")


async def test_reconnect_at_once(server: FakeServer, client: Client) -> None:
    chat, link = await client.sign_in(server, pauses=Pauses(1000, 1000))
    link.lose()
    lost = (await until(chat, Lost))[-1]
    assert isinstance(lost, Lost) and lost.retry_at > chat.runtime.elapsed() + 400
    with pytest.raises(Disconnected, match="the server closed the connection"):
        await chat.command("ping")
    connected = asyncio.create_task(chat.connected())
    chat.reconnect()
    await (await server.link()).sign_in()
    await connected


async def test_a_server_that_falls_silent(server: FakeServer, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "QUIET_SECONDS", 0.02)
    chat, far = await client.sign_in(server)
    far.ok(await far.expect("ping"))
    monkeypatch.setattr(link, "PONG_SECONDS_MAX", 0.02)
    lost = (await until(chat, Lost))[-1]
    assert isinstance(lost, Lost) and "nothing came from the server" in lost.why


async def test_a_command_whose_answer_is_lost(server: FakeServer, client: Client) -> None:
    chat, link = await client.sign_in(server)
    command = asyncio.create_task(chat.command("who", username="alice"))
    await link.expect("who")
    link.lose()
    with pytest.raises(Disconnected, match="whether it was done is not known"):
        await command


# ---- commands


async def test_commands_are_answered_by_label(server: FakeServer, client: Client) -> None:
    chat, link = await client.sign_in(server)
    pages = [asyncio.create_task(chat.command("history", chat="main", limit=limit)) for limit in (1, 2)]
    commands = [await link.expect("history"), await link.expect("history")]
    assert [(each["chat"], each["limit"]) for each in commands] == [("main", 1), ("main", 2)]
    for command in commands:
        link.returned(command, message(command["limit"]))
        link.write(message(10 + command["limit"]))
        link.ok(command, chat="main", count=1)
    for limit, page in enumerate(pages, 1):
        lines, reply = await page
        assert ids(list(lines)) == [limit]
        assert reply == MessagesShown("main", 1)
    assert ids(await until(chat, Message)) == [11]
    assert chat.position == 12, "what was pushed moves it"


async def test_a_refusal(server: FakeServer, client: Client) -> None:
    chat, link = await client.sign_in(server)
    asking = asyncio.create_task(chat.command("who", username="nobody"))
    link.refuse(await link.expect("who"), "unknown_user")
    with pytest.raises(Refused) as refused:
        await asking
    assert refused.value.code == "unknown_user"
    sending = asyncio.create_task(chat.send("nobody", "hi"))
    link.refuse(await link.expect("send"), "unknown_user")
    with pytest.raises(Refused, match="unknown_user"):
        await sending


async def test_what_no_server_could_take_is_refused_here(server: FakeServer, client: Client) -> None:
    chat, _ = await client.sign_in(server)
    with pytest.raises(Refused, match="line_too_long"):
        await chat.send("main", "x" * 70_000)
    with pytest.raises(Refused, match="line_too_long"):
        await chat.command("who", username="x" * 70_000)
    for line in ("hi", "/who a\nb", "/format text"):
        with pytest.raises(Refused):
            await chat.line(line)


async def test_nothing_overtakes_what_was_answered_unavailable(server: FakeServer, client: Client) -> None:
    chat, link = await client.sign_in(server)
    first = chat.post("send", target="main", text="first")
    link.refuse(await link.expect("send"), "unavailable")
    told = (await until(chat, Outgoing))[-1]
    assert isinstance(told, Outgoing) and (told.state, told.in_doubt) == ("waiting", True)
    assert told.error is not None and "it is not known whether it was done" in str(told.error)
    chat.post("send", target="main", text="second")
    chat.post("send", target="main", text="third")
    for _ in range(3):
        again = await link.expect("send")
        assert (again["key"], again["text"]) == (first.key, "first")
        link.refuse(again, "unavailable", done=False)
    ping = asyncio.create_task(chat.command("ping"))
    answered = {"first": await link.next()}
    if answered["first"]["cmd"] == "ping":
        link.ok(answered["first"])
        answered["first"] = await link.expect("send")
    else:
        link.ok(await link.expect("ping"))
    await ping
    for text in ("first", "second", "third"):
        command = answered.get(text) or await link.expect("send")
        assert command["text"] == text
        link.ok(command, id=11, at=AT)
    assert (await chat.settled(command["key"])).state == "sent"


@pytest.mark.parametrize(("fields", "done", "words"), [({}, None, "not known"), ({"done": False}, False, "nothing")])
async def test_whether_it_was_done_is_said(
    server: FakeServer, client: Client, fields: dict[str, Any], done: bool | None, words: str
) -> None:
    chat, link = await client.sign_in(server)
    asking = asyncio.create_task(chat.command("edit", id=3, text="x"))
    link.refuse(await link.expect("edit"), "unavailable", **fields)
    with pytest.raises(Refused, match=words) as refused:
        await asking
    assert refused.value.done is done


async def test_what_was_typed_without_a_connection_goes_out_in_order_whatever_it_is(
    server: FakeServer, client: Client, tmp_path: Path
) -> None:
    path, runtime = tmp_path / "a.txt", LaterRuntime()
    path.write_text("hi")
    chat, link = await client.sign_in(server, runtime=runtime)
    link.lose()
    await until(chat, Lost)
    chat.post("send", target="main", text="one")
    chat.post("send_delayed", target="main", delay="10m", text="two")
    file = chat.post_file("main", path)
    chat.post("reply", id=3, text="four")
    assert [(each.verb, each.told) for each in chat.outgoing] == [
        ("send", "one"), ("send_delayed", "delayed 10m: two"), ("send_file", "file a.txt"), ("reply", "four"),
    ]  # fmt: skip
    runtime.later += 240
    link = await server.link()
    await link.sign_in()
    took: Any = {}
    for _ in range(4):
        command = await link.next()
        took[command["cmd"]] = command
    assert set(took) == {"send", "send_delayed", "send_file", "reply"}
    assert 359 <= float(took["send_delayed"]["delay"]) <= 360
    link.ok(took["send_file"], upload=7, received=0)
    chunk = await link.expect("chunk")
    link.ok(chunk, upload=7, received=2, id=12, at=AT, file={"id": 1, "name": "a.txt", "size": 2, "sha256": "0"})
    assert (await chat.settled(file.key)).state == "sent"


async def test_a_file_that_waits_is_held_and_thrown_away_like_a_message(
    server: FakeServer, client: Client, tmp_path: Path
) -> None:
    path, runtime = tmp_path / "a.txt", LaterRuntime()
    path.write_text("hi")
    chat, link = await client.sign_in(server, runtime=runtime)
    link.lose()
    await until(chat, Lost)
    sending = asyncio.create_task(chat.send_file("main", path))
    while not chat.outgoing:
        await asyncio.sleep(0)
    chat.post("send_delayed", target="main", delay="10m", text="two")
    runtime.later += 301
    await (await server.link()).sign_in()
    await until(chat, Connected)
    assert [each.verb for each in chat.held] == ["send_file", "send_delayed"]
    chat.discard()
    with pytest.raises(Disconnected, match="it was not sent"):
        await sending
    assert chat.outgoing == []


async def test_what_a_newer_server_says(server: FakeServer, client: Client) -> None:
    chat, link = await client.sign_in(server)
    link.write({"type": "waved", "user": "alice"}, "no JSON at all", message(11, mood="good"))
    assert await until(chat, Message) == [
        Unknown("waved", {"user": "alice"}),
        Message(11, 11, "main", "alice", AT, "text 11"),
    ]
    asking = asyncio.create_task(chat.command("wave", username="alice"))
    link.ok(await link.expect("wave"), waved=True)
    assert (await asking).reply == OtherReply({"waved": True})


# ---- the end


async def test_signing_out_ends_it(server: FakeServer, client: Client) -> None:
    chat, link = await client.sign_in(server)
    leaving = asyncio.create_task(chat.line("/sign_out"))
    label, line = (await link.line()).split(" ", 1)
    assert line == "/sign_out"
    link.write({"type": "ok", "re": "sign_out", "label": label.removeprefix("@"), "closed": 0})
    await leaving
    assert (await until(chat, Ended))[-1] == Ended("signed_out", "signed out")
    assert [event async for event in chat] == []
    assert chat.token is None
    with pytest.raises(Disconnected):
        chat.post("send", target="main", text="hi")


async def test_signed_out_from_elsewhere(server: FakeServer, client: Client) -> None:
    chat, link = await client.sign_in(server)
    link.write({"type": "closing", "reason": "signed out elsewhere", "code": "signed_out"})
    link.lose()
    assert (await until(chat, Ended))[-1] == Ended("signed_out", "signed out elsewhere")


async def test_a_sign_in_that_is_refused_later(server: FakeServer, client: Client) -> None:
    chat, link = await client.sign_in(server)
    link.lose()
    link = await server.link()
    link.refuse(await link.begin_sign_in(), "bad_token")
    link.refuse(await link.expect("sign_in"), "password_required", needs="password")
    why = "no; at a terminal, chat-client --user bob asks for it"
    assert (await until(chat, Ended))[-1] == Ended("password_required", why)


async def test_closing_with_something_that_waits(server: FakeServer, client: Client) -> None:
    chat, link = await client.sign_in(server)
    sending = asyncio.create_task(chat.send("main", "hi"))
    await link.expect("send")
    link.lose()
    await until(chat, Lost)
    await chat.close()
    with pytest.raises(Disconnected, match="it is not known whether it was sent") as unknown:
        await sending
    assert unknown.value.done is None


# ---- bounds


async def test_who_does_not_read_makes_the_server_wait(
    server: FakeServer, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_queue, "EVENTS_MAX", 50)
    monkeypatch.setattr(link, "READ_BYTES_MAX", 1024)
    chat, far = await client.sign_in(server)
    count = 20_000
    far.write(*(message(id_, text="x" * 500) for id_ in range(11, 11 + count)))
    for _ in range(200):
        await asyncio.sleep(0)
    assert len(chat._events._events) < 100
    seen = 0
    async for event in chat:
        assert isinstance(event, Message) and event.id == 11 + seen
        seen += 1
        if seen == count:
            break


async def test_a_command_is_answered_though_nobody_reads(
    server: FakeServer, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_queue, "EVENTS_MAX", 50)
    chat, far = await client.sign_in(server)
    far.write(*(message(id_) for id_ in range(11, 211)))
    asking = asyncio.create_task(chat.command("ping"))
    far.ok(await far.expect("ping"))
    await asking


async def test_who_waits_behind_too_much_is_given_up(
    server: FakeServer, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_queue, "EVENTS_MAX", 50)
    monkeypatch.setattr(event_queue, "OVERFLOW_MAX", 500)
    monkeypatch.setattr(link, "READ_BYTES_MAX", 1024)
    chat, far = await client.sign_in(server)
    asking = asyncio.create_task(chat.command("ping"))
    await far.expect("ping")
    far.write(*(message(id_) for id_ in range(11, 5011)))
    with pytest.raises(Disconnected, match="too many events"):
        await asking
    assert len(chat._events._events) < 600


async def test_so_much_was_missed_that_it_must_be_read_first(
    server: FakeServer, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_queue, "EVENTS_MAX", 50)
    monkeypatch.setattr(link, "READ_BYTES_MAX", 1024)
    entering = client.enter(server)
    far = await server.link()
    await far.sign_in(*(message(id_) for id_ in range(1, 2001)), seq=2000)
    chat = await entering
    assert chat.user == ""
    assert len(ids(await until(chat, Connected))) == 2000
    assert chat.user == "bob"
    await chat.close()
