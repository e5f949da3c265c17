"""Who is connected, and how a batch reaches all of them.

A batch costs one rendering a format and one write a connection, however many messages it has; a connection that is
behind costs nothing. The session of a command gets its reply in the command's place, and not the command's own events.
"""

import asyncio
import logging
from collections.abc import Callable, Container, Iterator, Set
from contextlib import contextmanager
from typing import Protocol

from chat_server.delivery.blocks import EVERYONE, Blocks, IndexedReply, room_channel
from chat_server.delivery.memberships import Memberships
from chat_server.delivery.outbox import Outbox
from chat_server.log.entries import Entry, Identity
from chat_server.protocol.formats import FORMATS, Format
from chat_server.protocol.messages import Message
from chat_server.protocol.people import PresenceChanged
from chat_server.protocol.times import iso
from chat_server.rules.executor import Executed, Outcome
from chat_server.rules.outcomes import Ending, Entered, Push
from chat_server.runtime import Clock
from chat_server.store.readers import Readers

log = logging.getLogger("chat.delivery")

# So often others are told within so long of one user's coming, going and being away; then how it is at its end.
PRESENCE_TOLD_MAX = 10
PRESENCE_SECONDS = 10.0


class Receiver(Protocol):
    """A session, as the hub knows it."""

    number: int
    outbox: Outbox
    # The hash of the token that it came in by.
    token: bytes | None

    def settle(self, outcome: Outcome) -> bytes:
        """Take the outcome of the command with the number of `entry.origin`; the bytes of its reply."""

    def settled(self) -> None:
        """The replies of this batch have been written."""

    def sign_out(self) -> None:
        """It is nobody's any more; the connection stays."""

    def close(self, code: str, reason: str) -> None:
        """Say why, then hang up."""

    def abort(self) -> None:
        """Hang up at once."""


class Hub:
    def __init__(
        self, clock: Clock, readers: Readers, identity: Identity, *, outbox_bytes_max: int, presence_max: int
    ) -> None:
        """Replies go to the sessions of this `identity` alone."""
        self.readers = readers
        self._identity = identity
        self.delivered = 0
        self.deliveries = 0  # lines of events that connections got, counted a batch at a time: own ones are in it
        self.sessions: dict[int, Receiver] = {}
        self.online: dict[int, str] = {}  # the names of all who have a connection, by user id
        self.memberships = Memberships()
        # Called with a user and the notices that the user was told just now.
        self.on_told: Callable[[int, list[int]], None] = lambda user_id, notices: None
        # Called with the number of a session that was a user's until now.
        self.on_detached: Callable[[int], None] = lambda session: None
        # Called when the last connection of a user is gone.
        self.on_departed: Callable[[int], None] = lambda user_id: None
        self._clock = clock
        # Half of what an outbox may hold: a live one has less than the other half in its transport.
        self.block_bytes_max = outbox_bytes_max // 2
        self._presence_max = presence_max
        self._numbers = 0
        self._by_user: dict[int, dict[int, Receiver]] = {}
        self._live: dict[Format, dict[Outbox, None]] = {format: {} for format in FORMATS.values()}
        self._behind: dict[Outbox, None] = {}
        self._away: dict[int, str] = {}  # why they are, of those online
        self._announced: dict[int, str] = {}  # who was told to be online, and why away ("" for who is not)
        self._came_or_went: dict[int, str] = {}
        self._told_times: dict[int, int] = {}  # how often in these PRESENCE_SECONDS
        self._told_enough: dict[int, str] = {}  # who changed again after that
        # What ends with the batch that is being delivered, and whether it is closed or only signed out.
        self._endings: dict[Receiver, tuple[Ending, str]] = {}

    def now(self) -> str:
        """The time in ISO 8601, from which people's times are shown."""
        return iso(self._clock.now_ms())

    # ---- who is connected

    def add(self, receiver: Receiver) -> int:
        """A new connection; its number, which is never given again."""
        self._numbers += 1
        self.sessions[self._numbers] = receiver
        return self._numbers

    def remove(self, receiver: Receiver) -> None:
        self.detach(receiver)
        self.sessions.pop(receiver.number, None)

    def attach(self, receiver: Receiver, user_id: int, name: str, seq: int, away: str | None = None) -> None:
        """The connection belongs to the user as of `seq`."""
        receiver.outbox.attach(user_id, seq)
        self._behind[receiver.outbox] = None
        self._by_user.setdefault(user_id, {})[receiver.number] = receiver
        self.online[user_id] = name
        self._away_changed(user_id, PresenceChanged(name, True, away))

    def detach(self, receiver: Receiver) -> None:
        outbox = receiver.outbox
        user_id = outbox.user_id
        if not user_id:
            return
        outbox.detach()
        self._behind.pop(outbox, None)
        self.on_detached(receiver.number)
        connected = self._by_user[user_id]
        del connected[receiver.number]
        if not connected:
            del self._by_user[user_id]
            self.memberships.forget(user_id)
            self._away.pop(user_id, None)
            self._presence_changed(user_id, self.online.pop(user_id))
            self.on_departed(user_id)

    def _asker(self, entry: Entry) -> Receiver | None:
        """Who waits for the entry's reply here. A former process of this node had other sessions."""
        origin = entry.origin
        if origin is None or (origin.node, origin.incarnation) != self._identity:
            return None
        return self.sessions.get(origin.session)

    def of_user(self, user_id: int) -> list[Receiver]:
        """The user's connections, the oldest first."""
        return list(self._by_user.get(user_id, {}).values())

    def tokens(self) -> list[bytes]:
        """By which the connections came in that are somebody's; each once, in a defined order."""
        receivers = (receiver for own in self._by_user.values() for receiver in own.values())
        return sorted({receiver.token for receiver in receivers if receiver.token is not None})

    def joined(self, outbox: Outbox) -> None:
        self._behind.pop(outbox, None)
        self._live[outbox.format][outbox] = None

    def told(self, user_id: int, notices: list[int]) -> None:
        self.on_told(user_id, notices)

    def left(self, outbox: Outbox) -> None:
        self._live[outbox.format].pop(outbox, None)
        self._behind[outbox] = None

    # ---- a batch

    def deliver(self, executed: Executed) -> None:
        before, self.delivered = self.delivered, executed.seq
        blocks = Blocks(self.now())
        replies: dict[Receiver, list[tuple[int, Outcome]]] = {}
        told: dict[int, list[int]] = {}
        entering: dict[int, list[Receiver]] = {}
        moving = {move.room for outcome in executed.outcomes for move in outcome.moves}
        for index, outcome in enumerate(executed.outcomes):
            receiver = self._asker(outcome.entry)
            if receiver is not None:
                replies.setdefault(receiver, []).append((index, outcome))
            if type(outcome.result) is Entered:
                self.memberships.enter(outcome.result)
                if receiver is not None:
                    receiver.token = outcome.result.token
                    entering.setdefault(outcome.result.user_id, []).append(receiver)
            for ending in outcome.endings:
                # Who comes in later in this batch came in after it.
                for each in (*self.of_user(ending.user_id), *entering.get(ending.user_id, ())):
                    how = ending.asker if each is receiver else "closed"
                    if ending.is_of(each.number, each.token) and how != "kept":
                        self._endings.setdefault(each, (ending, how))
            if outcome.moves:
                self._move(outcome, came=False)
            for push in outcome.pushes:
                self._route(push, outcome, index, blocks, told, moving)
            if outcome.moves:
                self._move(outcome, came=True)
        # Who waits for an answer first, then those to whom something goes that not everyone gets, then all the others.
        done: dict[Outbox, None] = {}
        for receiver, outcomes in replies.items():
            done[receiver.outbox] = None
            with self._alone(receiver):
                self._answer(receiver, outcomes, blocks, before)
        in_rooms = (user_id for room in sorted(blocks.rooms) for user_id in self.memberships.users(room))
        for user_id in dict.fromkeys((*blocks.users, *in_rooms)):
            for receiver in self.of_user(user_id):
                if receiver.outbox not in done:
                    done[receiver.outbox] = None
                    self._write(receiver.outbox, blocks, before)
        self._fan_out(blocks, done, before)
        self._count(blocks)
        for outbox in list(self._behind):
            outbox.catch_up()
        self._end()
        for receiver in replies:
            with self._alone(receiver):
                receiver.settled()
        for user_id, notices in told.items():
            self.on_told(user_id, notices)
        for outcome in executed.outcomes:
            if type(outcome.result) is Entered and outcome.result.user_id not in self._by_user:
                self.memberships.forget(outcome.result.user_id)

    def ending(self, user_id: int) -> list[Receiver]:
        """Which of the user's connections end with the batch that is being delivered."""
        return [receiver for receiver, (ending, _) in self._endings.items() if ending.user_id == user_id]

    def _end(self) -> None:
        endings, self._endings = self._endings, {}
        for receiver, (ending, how) in endings.items():
            if receiver.outbox.user_id != ending.user_id:
                continue
            with self._alone(receiver):
                if how == "signed_out":
                    receiver.sign_out()
                else:
                    receiver.close(ending.code, ending.reason)

    def _count(self, blocks: Blocks) -> None:
        """Of a batch at once, so about: in a private chat who is behind is counted, a second device is not."""
        self.deliveries += blocks.count(EVERYONE) * sum(map(len, self._live.values()))
        for user_id in blocks.users:
            self.deliveries += blocks.count(user_id) * len(self._by_user.get(user_id, ()))
        for room in blocks.rooms:
            self.deliveries += blocks.count(room_channel(room)) * len(self.memberships.users(room))

    def _move(self, outcome: Outcome, *, came: bool) -> None:
        for move in outcome.moves:
            if move.came == came:
                self.memberships.move(move)
                for receiver in self.of_user(move.user_id):
                    receiver.outbox.move(move.name, came=came)

    @contextmanager
    def _alone(self, receiver: Receiver) -> Iterator[None]:
        """A mistake in what concerns one session ends that session, and nothing else."""
        try:
            yield
        except Exception:
            log.exception("session %d failed: this is a bug; it is closed", receiver.number)
            receiver.abort()

    def _route(
        self, push: Push, outcome: Outcome, index: int, blocks: Blocks, told: dict[int, list[int]], moving: Set[int]
    ) -> None:
        everyone = (EVERYONE,) if push.users is None else push.users
        for channel in self._room_channels(push.room, moving) if push.room else everyone:
            if channel > EVERYONE and channel not in self._by_user:
                continue
            if not isinstance(push.event, Message):
                if isinstance(push.event, PresenceChanged):
                    self._away_changed(outcome.entry.user_id, push.event)
                    continue
                self._keep_for_behind(push, channel, self._asker(outcome.entry))
            blocks.add(channel, index, push.event, push.notice)
            if push.notice and any(receiver.outbox.live for receiver in self.of_user(channel)):
                told.setdefault(channel, []).append(push.notice)

    def _room_channels(self, room: int, moving: Set[int]) -> tuple[int, ...]:
        """Where somebody comes or goes in this batch, the chat's events go to those who are in it at this moment."""
        users = self.memberships.users(room)
        return tuple(users) if room in moving else (room_channel(room),) if users else ()

    def _keep_for_behind(self, push: Push, channel: int, by: Receiver | None) -> None:
        if channel > EVERYONE:
            outboxes = [each.outbox for each in self.of_user(channel)]
        else:
            outboxes = [each for each in self._behind if channel == EVERYONE or self._is_in(each, channel)]
        for outbox in outboxes:
            if not outbox.live and not (by and by.outbox is outbox):
                outbox.keep(push.event, push.notice)

    def _is_in(self, outbox: Outbox, channel: int) -> bool:
        return outbox.user_id in self.memberships.users(room_channel(channel))

    def _channels(self, outbox: Outbox, blocks: Blocks) -> tuple[int, ...]:
        return blocks.channels(outbox.user_id, self.memberships.rooms(outbox.user_id))

    def _answer(self, receiver: Receiver, outcomes: list[tuple[int, Outcome]], blocks: Blocks, before: int) -> None:
        outbox = receiver.outbox
        if not outbox.live:
            for _, outcome in outcomes:
                _reply_late(outbox, receiver.settle(outcome), outcome)
            return
        indexed: list[IndexedReply] = [(index, receiver.settle(outcome)) for index, outcome in outcomes]
        block = blocks.block(self._channels(outbox, blocks), outbox.format)
        if len(block.data) > self.block_bytes_max:
            self._leave_to_store(outbox, blocks, before, {index for index, _ in outcomes})
            for (_, data), (_, outcome) in zip(indexed, outcomes, strict=True):
                _reply_late(outbox, data, outcome)
            return
        outbox.write(block.cut(indexed))

    def _write(self, outbox: Outbox, blocks: Blocks, before: int) -> None:
        if not outbox.live:
            return
        data = blocks.block(self._channels(outbox, blocks), outbox.format).data
        if len(data) > self.block_bytes_max:
            self._leave_to_store(outbox, blocks, before)
        else:
            outbox.write(data)

    def _leave_to_store(self, outbox: Outbox, blocks: Blocks, before: int, own: Container[int] = ()) -> None:
        """A batch that is too much to be written at once is read from the store, page by page."""
        outbox.lag(before)
        for event, notice in blocks.other_events(self._channels(outbox, blocks), own):
            outbox.keep(event, notice)

    def _fan_out(self, blocks: Blocks, done: dict[Outbox, None], before: int) -> None:
        if not blocks.has_lines_for_everyone():
            return
        for format, live in self._live.items():
            receivers = [outbox for outbox in live if outbox not in done] if done else list(live)
            if not receivers:
                continue
            data = blocks.block((EVERYONE,), format).data
            if len(data) > self.block_bytes_max:
                for outbox in receivers:
                    self._leave_to_store(outbox, blocks, before)
            elif data:
                for outbox in receivers:
                    outbox.send(data)

    # ---- presence

    def _away_changed(self, user_id: int, now: PresenceChanged) -> None:
        """It is told as all presence is: to those who want to know, and while there are not too many to tell."""
        if user_id not in self.online:
            return
        if now.away:
            self._away[user_id] = now.away
        else:
            self._away.pop(user_id, None)
        self._presence_changed(user_id, now.user)

    def _presence_changed(self, user_id: int, name: str) -> None:
        if not self._came_or_went:
            asyncio.get_running_loop().call_soon(self._announce_presence)
        self._came_or_went[user_id] = name

    def _announce_presence(self) -> None:
        """Tell who came and went in this turn, all at once; who did both is not worth a word."""
        changed, self._came_or_went = self._came_or_went, {}
        events: dict[int, PresenceChanged] = {}
        for user_id, name in changed.items():
            now = self._away.get(user_id, "") if user_id in self.online else None
            if now == self._announced.get(user_id):
                continue
            if not self._may_tell_of(user_id):
                self._told_enough[user_id] = name
                continue
            if now is None:
                del self._announced[user_id]
            else:
                self._announced[user_id] = now
            events[user_id] = PresenceChanged(name, now is not None, now or None)
        if not events or len(self.online) > self._presence_max:
            return
        for format, live in self._live.items():
            lines = {user_id: format.event(event, self.now()) for user_id, event in events.items()}
            data = b"".join(lines.values())
            for outbox in [each for each in live if each.presence]:
                own = lines.get(outbox.user_id)
                outbox.write(data if own is None else data.replace(own, b"", 1))
        for outbox in self._behind:
            for user_id, event in events.items():
                if user_id != outbox.user_id:
                    outbox.keep(event)

    def _may_tell_of(self, user_id: int) -> bool:
        """Who changes all the time would cost all the others a line each time."""
        if not self._told_times:
            asyncio.get_running_loop().call_later(PRESENCE_SECONDS, self._tell_presence_again)
        times = self._told_times[user_id] = self._told_times.get(user_id, 0) + 1
        return times <= PRESENCE_TOLD_MAX

    def _tell_presence_again(self) -> None:
        self._told_times.clear()
        self._came_or_went = self._told_enough | self._came_or_went
        self._told_enough = {}
        self._announce_presence()


def _reply_late(outbox: Outbox, data: bytes, outcome: Outcome) -> None:
    """To a connection that is not live, which may have to read up to there first."""
    own = tuple(push.event.seq for push in outcome.pushes if isinstance(push.event, Message))
    outbox.reply_as_of(outcome.seq, data, own)
