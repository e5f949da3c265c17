"""The deliver station as a whole: it takes committed batches to the connections."""

from collections.abc import Callable

from chat_server.chat_time import ChatTime
from chat_server.delivery.connections import Connections, Receiver, UserConnection
from chat_server.delivery.fanout import FanOut, TellNotices, abort
from chat_server.delivery.memberships import Memberships
from chat_server.delivery.outage import Outage
from chat_server.delivery.outbox import Outbox
from chat_server.delivery.presence import PresenceTracker
from chat_server.delivery.rendering import RoutedEvents
from chat_server.delivery.routing import Ended, route
from chat_server.delivery.typing_signals import TypingSignals
from chat_server.delivery.user_sessions import UserSessions
from chat_server.log.entries import Identity
from chat_server.rules.executor import Executed
from chat_server.runtime import Runtime
from chat_server.send_ring import WriteNow


class Delivery:
    def __init__(
        self,
        runtime: Runtime,
        time: ChatTime,
        identity: Identity,
        *,
        seq: int,
        outbox_bytes_max: int,
        presence_max: int,
        told: TellNotices,
        detached: Callable[[int], None],
        departed: Callable[[int], None],
        write_now: WriteNow,
    ) -> None:
        """`seq` is that of the last batch; replies go to the sessions of this `identity` alone.

        `detached` is called with the number of a session that was a user's until now, `departed` with a user whose last
        connection to any node is gone.
        """
        self._identity = identity
        self._detached = detached
        self._departed = departed
        self.connections = Connections()
        self.memberships = Memberships()
        self.feed = FanOut(time, self.connections, told, write_now, seq=seq, bytes_max=outbox_bytes_max)
        self.presence = PresenceTracker(runtime, presence_max, self.feed.tell_presence)
        self.typing = TypingSignals(runtime, self.connections, self.memberships, self.presence, self.feed.tell_live)
        self.outage = Outage(runtime, time, self.feed.tell_all)
        self.sessions = UserSessions(self.connections, self.presence, self._ending)
        self._told = told
        # What ends with the batch that is being delivered.
        self._endings: dict[int, Ended] = {}
        self._runtime = runtime
        # When the delivery of the last batch began: the time of all of its outcomes.
        self.began = runtime.monotonic()

    @property
    def delivered(self) -> int:
        """The seq of the last batch."""
        return self.feed.delivered

    def now(self) -> str:
        return self.feed.now()

    def put_off_signals(self, put_off: bool) -> None:
        """Tell nobody who types, comes or goes while the server has too much to do."""
        self.typing.is_put_off = put_off
        self.presence.put_off(put_off)

    # ---- who is connected

    def add(self, receiver: Receiver, outbox: Outbox | None = None) -> int:
        """A new connection, and where its replies are written; its number, which is never given again."""
        return self.connections.add(receiver, outbox)

    def remove(self, connection: UserConnection) -> None:
        self.detach(connection)
        self.connections.remove(connection.number)

    def attach(self, connection: UserConnection, user_id: int, name: str, seq: int, away: str | None = None) -> None:
        """The connection belongs to the user as of `seq`."""
        connection.outbox.attach(user_id, seq)
        self.feed.follow(connection.outbox)
        self.connections.attach(connection, user_id)
        self.presence.come(user_id, name, away)

    def detach(self, connection: UserConnection) -> None:
        outbox = connection.outbox
        user_id = outbox.user_id
        if not user_id:
            return
        outbox.detach()
        self.feed.unfollow(outbox)
        self._detached(connection.number)
        self.connections.detach(connection, user_id)
        if not self.connections.has_user(user_id):
            self.memberships.forget(user_id)
            if self.presence.go(user_id):
                self._departed(user_id)

    # ---- a batch

    def deliver(self, executed: Executed) -> RoutedEvents:
        """Return the events, by who received them."""
        self.began = self._runtime.monotonic()
        plan = route(executed, self._identity, self.memberships, self.connections)
        self._endings = plan.endings
        for user_id, change in plan.presence:
            self.presence.change(user_id, change)
        told = self.feed.write(plan)
        self._end()
        for session in plan.replies:
            receiver = self.connections.find(session)
            if receiver is not None:
                try:
                    receiver.settled()
                except Exception:
                    abort(receiver)
        for user_id, notices in told.items():
            self._told(user_id, notices)
        for entered in plan.entered:
            if not self.connections.has_user(entered.user_id):
                self.memberships.forget(entered.user_id)
        return plan.events

    def _ending(self, user_id: int) -> list[int]:
        """The numbers of the user's connections that end with the batch that is being delivered."""
        connected = self.connections.of_user(user_id)
        return [connection.number for connection in connected if connection.number in self._endings]

    def _end(self) -> None:
        endings, self._endings = self._endings, {}
        for session, (ending, how) in endings.items():
            connection = self.connections.find_of_user(ending.user_id, session)
            if connection is None:
                continue
            try:
                if how == "signed_out":
                    connection.sign_out()
                else:
                    connection.close(ending.code, ending.reason)
            except Exception:
                abort(connection)
