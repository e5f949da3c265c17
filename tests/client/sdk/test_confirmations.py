"""What a reply confirms comes as the same events that another connection of the same user is pushed."""

import asyncio
from itertools import count

from chat_client.sdk.chat import Chat, connect
from chat_server.protocol.base import Event
from chat_server.protocol.connection import Notice
from chat_server.protocol.messages import Message, ReadMarker
from chat_server.protocol.people import Muted, PresenceChanged
from chat_server.protocol.rooms import Invited, Joined, Left, SlowModeChanged, TopicChanged
from tests.client.conftest import Home
from tests.harness import TIMEOUT_SECONDS

# Each line is typed by alice after those before it; what it makes others see. `bob:` is typed by bob, who sees it too.
STEPS: list[tuple[str, type[Event] | None]] = [
    ("/edit {mine} changed", Message),
    ("/react {theirs} 👍", Message),
    ("/unreact {theirs} 👍", Message),
    ("/delete {mine}", Message),
    ("/mute main", Muted),
    ("/unmute main", Muted),
    ("/read main {theirs}", ReadMarker),
    ("/get_chat_with bob", ReadMarker),
    ("/create_chat #team", Joined),
    ("/topic #team plans", TopicChanged),
    ("/topic #team", None),
    ("/slow_mode #team 30s", SlowModeChanged),
    ("/slow_mode #team", None),
    ("/slow_mode #team off", SlowModeChanged),
    ('/topic #team ""', TopicChanged),
    ("/invite #team bob", None),
    ("bob: /join #team", Joined),
    ("bob: /send #team hello", Message),
    ("/messages #team", ReadMarker),
    ("bob: /create_chat #bobs", None),
    ("bob: /invite #bobs alice", Invited),
    ("/join #bobs", Joined),
    ("/remove #team bob", Left),
    ("/invite #team bob", None),
    ("bob: /join #team", Joined),
    ("/give #team bob", Notice),
    ("/leave #team", Left),
]


CHANGES = (Message, ReadMarker, Muted, Joined, Left, Notice, TopicChanged, SlowModeChanged, Invited)


async def seen(chat: Chat, until: str, *kinds: type[Event]) -> list[tuple[Event, bool]]:
    """The events up to a message with this text, and whether each is told to be one's own doing."""
    events: list[tuple[Event, bool]] = []
    async with asyncio.timeout(TIMEOUT_SECONDS):
        async for event in chat:
            if isinstance(event, Message) and event.text == until:
                break
            if isinstance(event, kinds or CHANGES):
                events.append((event, chat.is_own))
    return events


async def test_the_connection_that_changes_something_is_told_what_the_others_are(home: Home) -> None:
    async with (
        connect(home.address, user="bob") as bob,
        connect(home.address, user="alice") as alice,
        connect(home.address, user="alice") as other,
    ):
        reading = asyncio.create_task(drop(bob))
        await bob.send("@alice", "to alice alone")
        theirs = (await bob.command("send", target="main", text="theirs")).reply.id  # type: ignore[attr-defined]
        mine = (await alice.command("send", target="main", text="mine")).reply.id  # type: ignore[attr-defined]
        marks = (f"mark {number}" for number in count())
        await mark(bob, "@alice", mark_ := next(marks))
        await seen(alice, mark_), await seen(other, mark_)
        for line, wanted in STEPS:
            who, typed = (bob, line[5:]) if line.startswith("bob: ") else (alice, line)
            await who.line(typed.format(mine=mine, theirs=theirs))
            await mark(bob, "@alice", mark_ := next(marks))
            here, there = await seen(alice, mark_), await seen(other, mark_)
            assert [event for event, _ in here] == [event for event, _ in there], line
            assert [own for _, own in here] == [who is alice] * len(here) and not any(own for _, own in there), line
            assert [isinstance(event, wanted or Event) for event, _ in here] == [True] * (wanted is not None), line
        reading.cancel()


async def test_the_user_is_told_of_being_away_as_the_others_are(home: Home) -> None:
    async with connect(home.address, user="bob") as bob, connect(home.address, user="alice") as alice:
        for line in ("/away lunch", "/back"):
            await alice.line(line)
        await mark(bob, "@alice", "mark")
        await mark(alice, "@bob", "mark")
        here = [event for event, own in await seen(alice, "mark", PresenceChanged) if own]
        there = [event for event, _ in await seen(bob, "mark", PresenceChanged)]
        assert here == there[-2:] == [PresenceChanged("alice", True, "lunch"), PresenceChanged("alice", True)]


async def drop(chat: Chat) -> None:
    async for _ in chat:
        pass


async def mark(chat: Chat, target: str, text: str) -> None:
    await chat.command("send", target=target, text=text)
