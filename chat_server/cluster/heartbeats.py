"""Heartbeats of the nodes: which of them live, and which users are connected to each.

Once a second a node tells the others that it lives, and at once which users came and went. The message bus keeps
nothing and may lose what it is given, so each node numbers what it says of its users: a gap in the numbers shows a
loss, and then that node is asked for all of its users. A node hears itself, too; one that does not is cut off.
"""

import logging
from collections.abc import Callable, Iterable, Mapping

from msgspec import Struct

from chat_server.cluster.bus_messages import BusDecoder, encode
from chat_server.cluster.milestones import Milestone
from chat_server.delivery.connections import NODES_MAX, Connections
from chat_server.delivery.peers import Present, SessionsElsewhere, UserSession
from chat_server.delivery.presence import PresenceTracker
from chat_server.log.entries import Identity
from chat_server.log.stream import Bus, Position
from chat_server.rules.typing_signals import TypingSignal
from chat_server.runtime import Runtime, Timer

log = logging.getLogger("chat.cluster")

BEAT_SECONDS = 1.0
# A node counts as gone after this many of one's own beats without a word from it, so its users are offline within 6 s.
# Beats are counted and not seconds: a process that was stopped for a while has itself to blame for what it missed.
SILENT_BEATS = 5
# Changes within this time are told in one message.
CHANGES_SECONDS = 0.02
# In one message, which is below 512 KiB even if all names have 128 bytes and all reasons for being away 800.
USERS_MAX = 500
# In the list of all users of a node. No node has that many connections.
PAGES_MAX = 1000
# The shortest time between two lists of all users of a node, however many nodes ask.
STATE_SECONDS = 0.2
# A node that was cut off waits this long for the lists of the others before it says who has gone meanwhile.
RETURN_SECONDS = 2.0
ASK_SECONDS = 1.0
TOPIC, SESSIONS, TYPING = "nodes", "sessions", "typing"


class Vitals(Struct, frozen=True):
    """What a node says of itself with each beat: how far it has come in the log, and what it counts.

    `milestone` is the last batch at which all nodes compare their digests of outcomes. `version` is the newest version
    of the log that the node knows, and `program` that of the program; `makes_snapshot` says whether it makes one now.
    """

    position: Position
    milestone: Milestone | None = None
    version: int = 0
    program: str = ""
    counts: dict[str, int] = {}
    makes_snapshot: bool = False


class _NodeMessage(Struct, frozen=True, tag_field="type"):
    """Something that a node says. `number` counts what this incarnation of it has said of its users."""

    node: str
    incarnation: int
    number: int


class Heartbeat(_NodeMessage, frozen=True, tag="beat"):
    vitals: Vitals


class Changes(_NodeMessage, frozen=True, tag="changes"):
    """Users of a node who came, went, or are away or back."""

    users: list[Present]


class UsersPage(_NodeMessage, frozen=True, tag="state"):
    """A page of all users of a node, after the changes up to `number`; the pages follow each other."""

    page: int
    is_last: bool
    users: list[Present]


class Farewell(_NodeMessage, frozen=True, tag="farewell"):
    """The node is stopping."""


class Question(_NodeMessage, frozen=True, tag="question"):
    """Asks a node for all of its users, or all nodes if `whose` is empty."""

    whose: str = ""


class _TypingElsewhere(Struct, frozen=True):
    node: str
    signal: TypingSignal


class _SessionsQuestion(Struct, frozen=True):
    node: str
    user_id: int


class _SessionsAnswer(Struct, frozen=True):
    node: str
    sessions: list[UserSession]


class Peer:
    """Another node that lives."""

    def __init__(self, incarnation: int) -> None:
        self.incarnation = incarnation
        self.silent_beats = 0
        self.vitals: Vitals | None = None
        # That of the last thing it has said of its users; None until all of them are known.
        self.number: int | None = None
        self.users: set[int] = set()
        self.pages: list[UsersPage] = []


class Heartbeats:
    """The other nodes, as they are heard. It implements `delivery.peers.Peers`."""

    def __init__(
        self,
        runtime: Runtime,
        bus: Bus,
        identity: Identity,
        presence: PresenceTracker,
        connections: Connections,
        *,
        vitals: Callable[[], Vitals],
        typing: Callable[[TypingSignal], None],
        departed: Callable[[int], None],
        unheard: Callable[[], None],
        heard: Callable[[Mapping[str, Milestone]], None] = lambda milestones: None,
    ) -> None:
        """`typing` takes the signals of users of other nodes, and `departed` logs that a user of a dead node is gone.

        `heard` is called with the last milestones of all living nodes whenever one of them is heard, and `unheard` once
        a second while this node is cut off.
        """
        self._runtime = runtime
        self._bus = bus
        self._node, self._incarnation = identity
        self._presence = presence
        self._connections = connections
        self._vitals = vitals
        self._typing = typing
        self._departed = departed
        self._unheard = unheard
        self._heard = heard
        self._decoder = BusDecoder[Heartbeat | Changes | UsersPage | Farewell | Question](
            Heartbeat | Changes | UsersPage | Farewell | Question, "something that a node said"
        )
        self._typing_decoder = BusDecoder[_TypingElsewhere](_TypingElsewhere, "who types on another node")
        self._question_decoder = BusDecoder[_SessionsQuestion](_SessionsQuestion, "a question about sessions")
        self._sessions_decoder = BusDecoder[_SessionsAnswer](_SessionsAnswer, "an answer about sessions")
        self._peers: dict[str, Peer] = {}
        self._number = 0
        self._changed: dict[int, Present] = {}
        self._unheard_beats = 0  # of this node's own
        self._has_lost_all = False
        self._is_running = True
        self._timer: Timer | None = None
        self._changes_timer: Timer | None = None
        self._state_timer: Timer | None = None
        self._return_timer: Timer | None = None

    # ---- what is known

    @property
    def is_cut_off(self) -> bool:
        """Whether this node does not even hear itself."""
        return self._unheard_beats >= SILENT_BEATS

    @property
    def are_heard(self) -> bool:
        return not self.is_cut_off and not self._has_lost_all

    @property
    def living(self) -> dict[str, Peer]:
        """The other nodes, by their names."""
        return self._peers

    def rank(self) -> int:
        """How many of the living nodes come before this one."""
        return sum(name < self._node for name in self._peers)

    def may_make_snapshot(self) -> bool:
        """Whether this node is the first of those with the oldest program, and no other one is making a snapshot.

        Programs of all nodes can then read it, so an upgrade may be given up.
        """
        known = self._known_vitals()
        others = (vitals for name, vitals in known.items() if name != self._node)
        if self.is_cut_off or any(vitals.makes_snapshot for vitals in others):
            return False
        return self._node == min(known, key=lambda name: (known[name].version, name))

    def milestones(self) -> dict[str, Milestone]:
        """The last milestones of the living nodes, including this one, as far as they have any."""
        return {name: vitals.milestone for name, vitals in self._known_vitals().items() if vitals.milestone}

    def vitals(self) -> dict[str, Vitals] | None:
        """What each living node last said of itself, including this one; None while one has said nothing yet."""
        known = self._known_vitals()
        return known if self.are_heard and len(known) == 1 + len(self._peers) else None

    def _known_vitals(self) -> dict[str, Vitals]:
        """What each living node last said of itself, including this one; nodes that said nothing yet are left out."""
        known = {name: peer.vitals for name, peer in self._peers.items() if peer.vitals is not None}
        return known | {self._node: self._vitals()}

    def statistics(self) -> Mapping[str, Mapping[str, int]]:
        return {name: vitals.counts for name, vitals in sorted(self._known_vitals().items())}

    # ---- from the start to the end

    async def start(self) -> None:
        """Begin to be heard, and learn who is connected to the other nodes before anybody is let in here."""
        self._bus.subscribe(TOPIC, self._take)
        self._bus.subscribe(TYPING, self._take_typing)
        self._bus.answer(SESSIONS, self._answer_sessions)
        self._presence.peers = self
        self._say(Question(self._node, self._incarnation, self._number))
        self._beat()
        await self._runtime.sleep(ASK_SECONDS)

    def leave(self) -> None:
        self._say(Farewell(self._node, self._incarnation, self._number))
        self._is_running = False
        for timer in (self._timer, self._changes_timer, self._state_timer, self._return_timer):
            if timer is not None:
                timer.cancel()

    def _say(self, message: _NodeMessage) -> None:
        if self._is_running:
            self._bus.publish(TOPIC, encode(message))

    def _beat(self) -> None:
        self._timer = self._runtime.call_later(BEAT_SECONDS, self._beat)
        was_cut_off = self.is_cut_off
        self._unheard_beats += 1
        if self.is_cut_off:
            if not was_cut_off:
                self._cut_off()
            self._unheard()
        else:
            for node, peer in list(self._peers.items()):
                peer.silent_beats += 1
                # If this node did not even hear its own last beat, it may be the one that is cut off.
                if peer.silent_beats >= SILENT_BEATS and self._unheard_beats == 1:
                    log.warning("node %s has not been heard for %d s: it counts as gone", node, SILENT_BEATS)
                    self._has_lost_all = len(self._peers) == 1
                    self._lose(node)
        self._say(Heartbeat(self._node, self._incarnation, self._number, self._vitals()))

    def _cut_off(self) -> None:
        log.warning("this node does not hear itself: it is cut off from the others")
        self._peers.clear()
        self._presence.lose_others()

    def _return(self) -> None:
        """This node hears itself again, so it will hear the others: they are asked for their users."""
        log.warning("this node hears itself again")
        self._say(Question(self._node, self._incarnation, self._number))
        self._return_timer = self._runtime.call_later(RETURN_SECONDS, self._miss)

    def _miss(self) -> None:
        for user_id in self._presence.miss():
            self._note_departure(user_id)

    def _note_departure(self, user_id: int) -> None:
        """Have one of the nodes log the departure of a user whose own node did not log it."""
        if self.rank() == 0:
            self._departed(user_id)

    # ---- telling of one's own users

    def tell_presence(self, user: Present) -> None:
        if not self._is_running:
            return
        self._changed[user.user_id] = user
        if self._changes_timer is None:
            self._changes_timer = self._runtime.call_later(CHANGES_SECONDS, self._tell_changes)

    def _tell_changes(self) -> None:
        self._changes_timer = None
        users, self._changed = list(self._changed.values()), {}
        for start in range(0, len(users), USERS_MAX):
            self._number += 1
            self._say(Changes(self._node, self._incarnation, self._number, users[start : start + USERS_MAX]))

    def _state_soon(self) -> None:
        if self._state_timer is None:
            self._state_timer = self._runtime.call_later(STATE_SECONDS, self._tell_state)

    def _tell_state(self) -> None:
        self._state_timer = None
        if self._changes_timer is not None:
            self._changes_timer.cancel()
            self._tell_changes()
        users = list(self._presence.here())
        for page, start in enumerate(range(0, max(1, len(users)), USERS_MAX)):
            part, is_last = users[start : start + USERS_MAX], start + USERS_MAX >= len(users)
            self._say(UsersPage(self._node, self._incarnation, self._number, page, is_last, part))

    # ---- hearing the others

    def _take(self, data: bytes) -> None:
        message = self._decoder.decode(data)
        if message is None:
            return
        if message.node == self._node:
            self._take_own(message)
        elif self._is_running and not self.is_cut_off:
            self._take_others(message)

    def _take_own(self, message: _NodeMessage) -> None:
        if message.incarnation == self._incarnation and isinstance(message, Heartbeat):
            was_cut_off, self._unheard_beats = self.is_cut_off, 0
            if was_cut_off:
                self._return()

    def _take_others(self, message: _NodeMessage) -> None:
        if isinstance(message, Question):
            if message.whose in ("", self._node):
                self._state_soon()
            return
        peer = self._peers.get(message.node)
        if peer is not None and message.incarnation < peer.incarnation:
            # This process was stopped for a while, and its successor is already here.
            return
        if peer is not None and (isinstance(message, Farewell) or message.incarnation > peer.incarnation):
            self._lose(message.node)
            peer = None
        if isinstance(message, Farewell):
            return
        if peer is None:
            if len(self._peers) >= NODES_MAX:
                return
            log.info("node %s is heard", message.node)
            peer = self._peers[message.node] = Peer(message.incarnation)
            self._has_lost_all = False
        peer.silent_beats = 0
        match message:
            case Heartbeat():
                peer.vitals = message.vitals
                if peer.number != message.number:
                    self._ask(message.node, peer)
                self._heard(self.milestones())
            case Changes() if peer.number is not None:
                if message.number == peer.number + 1:
                    peer.number = message.number
                    self._take_users(message.node, peer, message.users)
                elif message.number > peer.number:
                    self._ask(message.node, peer)
            case UsersPage() if peer.number != message.number:
                self._take_page(message, peer)

    def _ask(self, node: str, peer: Peer) -> None:
        """Ask a node for all of its users, since something of them was missed or nothing is known yet."""
        peer.number, peer.pages = None, []
        self._say(Question(self._node, self._incarnation, self._number, node))

    def _take_page(self, message: UsersPage, peer: Peer) -> None:
        if message.page == 0:
            peer.pages = []
        if message.page != len(peer.pages) or message.page >= PAGES_MAX:
            return
        peer.pages.append(message)
        if not message.is_last:
            return
        users = [user for page in peer.pages for user in page.users]
        peer.pages = []
        peer.number = message.number
        gone = peer.users - {user.user_id for user in users}
        self._take_users(message.node, peer, users)
        self._drop(message.node, peer, sorted(gone))

    def _take_users(self, node: str, peer: Peer, users: list[Present]) -> None:
        for user in users:
            if user.online:
                peer.users.add(user.user_id)
                self._presence.come_elsewhere(node, user)
            else:
                self._drop(node, peer, [user.user_id], is_noted=user.is_noted)

    def _drop(self, node: str, peer: Peer, users: Iterable[int], *, is_noted: bool = False) -> None:
        """These users have no connection to the node any more."""
        for user_id in users:
            peer.users.discard(user_id)
            if self._presence.go_elsewhere(node, user_id) and not is_noted:
                self._note_departure(user_id)

    def _lose(self, node: str) -> None:
        peer = self._peers.pop(node)
        self._drop(node, peer, sorted(peer.users))

    # ---- who types

    def tell_typing(self, signal: TypingSignal) -> None:
        if self._is_running:
            self._bus.publish(TYPING, encode(_TypingElsewhere(self._node, signal)))

    def _take_typing(self, data: bytes) -> None:
        message = self._typing_decoder.decode(data)
        if message is not None and message.node != self._node and self._is_running:
            self._typing(message.signal)

    # ---- sessions

    async def sessions_of(self, user_id: int) -> SessionsElsewhere:
        asked = sorted(self._peers)
        if not asked:
            return SessionsElsewhere([], [])
        question = encode(_SessionsQuestion(self._node, user_id))
        sessions: list[UserSession] = []
        for data in await self._bus.ask(SESSIONS, question, ASK_SECONDS, len(asked)):
            answer = self._sessions_decoder.decode(data)
            if answer is not None and answer.node in asked:
                asked.remove(answer.node)
                sessions += answer.sessions
        return SessionsElsewhere(sessions, asked)

    def _answer_sessions(self, data: bytes) -> bytes | None:
        question = self._question_decoder.decode(data)
        if question is None or question.node == self._node or not self._is_running:
            return None
        sessions = self._connections.sessions_of_user(question.user_id)
        return encode(_SessionsAnswer(self._node, sessions))
