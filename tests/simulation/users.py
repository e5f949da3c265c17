"""Users who talk, read slowly, lose their connections and come back, and who check all that they are shown."""

import json
import re
import zlib
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

from tests.fake_runtime import FakeRuntime
from tests.simulation.connection import MemoryConnection
from tests.simulation.ledger import ROOM, Ledger, Row, Said, check, direct, readers

NAMES = ["alice", "bob", "carol"]
EMOJIS = ["👍", "🎉", "🔥", "😀"]
# What may be said to a command that came too late: the message was deleted, or the server stops.
MAY_BE_REFUSED = {"unknown_message", "unavailable"}
TAKE_BYTES = [64, 512, 4096]
AWAY_SECONDS_MIN, AWAY_SECONDS_MAX = 0.1, 3.0
SHOWN_CHARS_MAX = 200


class World(Protocol):
    machine: FakeRuntime
    ledger: Ledger
    is_steady: bool
    """The server neither stops nor is about to be killed."""

    def connect(
        self, take_bytes_max: int, received: Callable[[bytes], None], ended: Callable[[], None]
    ) -> MemoryConnection | None:
        """None: the server does not run."""

    def delivered(self) -> int:
        """The seq up to which the server has delivered."""

    def tell(self, what: str) -> None:
        """A line of the transcript."""


class User(ABC):
    def __init__(self, world: World, name: str, password: str | None, device: str = "") -> None:
        """`device` tells several of one user apart."""
        self.name = name
        self.device = device
        self.is_signed_in = False
        self._world = world
        self._ledger = world.ledger
        self._random = world.machine.random
        self._password = password
        self._connection: MemoryConnection | None = None
        self._connections = 0
        self._labels = 0
        self._roots = 0
        self._line = b""
        self._waiting: deque[Said] = deque()  # the commands that this connection has not answered
        self._lost = world.machine.event()
        self._is_orderly = False  # the end of the connection is one's own wish: everything is answered before
        self._has_napped = False  # for so long that the server may have ended the connection
        self._is_calm = False
        # What one knows of, by id: the chat, and who wrote it.
        self._known: dict[int, tuple[str, str]] = {}
        self._own: dict[int, int] = {}  # one's own, and how often it was changed

    # ---- connections

    @property
    def is_connected(self) -> bool:
        return self._connection is not None

    async def come_in(self) -> None:
        """Connect and sign in, however often it takes."""
        while not self.is_signed_in:
            self._connections += 1
            take_bytes_max = self._random.choice(TAKE_BYTES)
            self._lost.clear()
            self._line = b""
            number = self._connections
            self._connection = self._world.connect(
                take_bytes_max, partial(self._receive, number), partial(self._end, number)
            )
            if self._connection is not None:
                self._tell("connects")
                self._is_orderly = self._has_napped = False
                self._begin()
                said = self._sign_in()
                await said.ended
                check(said.is_done is not False, f"{self.name} cannot sign in")
                self.is_signed_in = said.is_done is True and self.is_connected
            if not self.is_signed_in:
                await self._world.machine.sleep(self._random.uniform(AWAY_SECONDS_MIN, 1.0))
        self._signed_in()

    def _end(self, number: int) -> None:
        if number != self._connections:
            return
        self._tell("is cut off")
        check(not (self._is_orderly and self._waiting), f"{self.name} left in order, with {len(self._waiting)} open")
        self._connection = None
        self.is_signed_in = False
        waiting, self._waiting = self._waiting, deque()
        for said in waiting:
            said.ended.set_result(None)
        self._lost.set()

    def server_ends(self) -> None:
        """Nobody can expect everything to be answered."""
        self._is_orderly = False

    def _tell(self, what: str) -> None:
        self._world.tell(f"{self.name}{self.device}/{self._connections} {what}")

    # ---- talking

    def say(self, verb: str, **fields: Any) -> Said:
        chat = text = None
        self._labels += 1
        label = f"{self.name[0]}{self.device}{self._labels}"
        if verb in ("send_all", "send", "reply"):
            chat = self._known[fields["id"]][0] if verb == "reply" else self._chat(fields.get("target", "main"))
        if "text" in fields:
            text = fields["text"]
        changes = fields.get("id") if verb in ("edit", "delete", "react") else None
        said = Said(self.name, label, verb, chat, changes, text, fields.get("emoji"))
        said.line = self._command(label, verb, fields, text)
        if chat or changes:
            self._ledger.note(said)
        self._send(said)
        return said

    def _send(self, said: Said) -> None:
        assert self._connection is not None
        self._tell(f"> {said.line.decode()}")
        self._waiting.append(said)
        said.connection = self._connections
        self._connection.send(said.line + b"\n")

    def _chat(self, name: str) -> str:
        """A chat as the ledger calls it, by what one calls it oneself."""
        if name == "main" or name.startswith("#"):
            return name
        return direct(self.name, name.removeprefix("@"))

    def _new_text(self, root: str = "", revision: int = 0) -> str:
        if not root:
            self._roots += 1
            root = f"{self.name}{self.device}-{self._roots}"
        size = self._random.choice([0, 5, 40, 300, 900])
        return f"{root}.{revision} " + "word " * (size // 5) + "end"

    async def live(self) -> None:
        """Talk, and come and go, until it is time to be calm."""
        while not self._is_calm:
            if not self.is_signed_in:
                await self.come_in()
            for _ in range(self._random.choice([1, 1, 1, 2, 5, 12])):
                self._act()
            if self._random.random() < 0.5 and self._waiting:
                await self._waiting[-1].ended
            await self._world.machine.sleep(self._random.expovariate(3))
            if self.is_signed_in and not self._is_calm:
                await self._misbehave()

    def be_calm(self) -> None:
        self._is_calm = True

    async def settle(self) -> None:
        """Come back if need be, and be told everything."""
        while True:
            await self.come_in()
            said = self.say("ping")
            await said.ended
            if said.is_done:
                return

    async def _misbehave(self) -> None:
        chance = self._random.random()
        assert self._connection is not None
        if chance < 0.04:
            self._tell("is reset")
            self._connection.reset()
        elif chance < 0.06:
            self._tell("finishes")
            for _ in range(self._random.randint(0, 5)):
                self._act()
            self._is_orderly = self._world.is_steady and not self._has_napped
            self._connection.finish()
            await self._lost.wait()
        elif chance < 0.08:
            self._is_orderly = self._world.is_steady and not self._has_napped
            self.say("quit")
            await self._lost.wait()
        elif chance < 0.14:
            seconds = self._random.choice([1, 5, 5, 30])
            self._tell(f"naps {seconds} s")
            self._has_napped = True
            self._connection.nap(seconds)
        if not self.is_signed_in:
            await self._world.machine.sleep(self._random.uniform(AWAY_SECONDS_MIN, AWAY_SECONDS_MAX))

    def _act(self) -> None:
        if not self.is_signed_in:
            return
        verb = self._random.choices(
            ["send_all", "send", "reply", "edit", "delete", "react", "ping", "history"], [6, 6, 2, 4, 1, 4, 1, 1]
        )[0]
        if verb == "send_all":
            self.say(verb, text=self._new_text())
        elif verb == "send":
            others = [name for name in NAMES if name != self.name]
            self.say(verb, target=self._random.choice([*others, ROOM, ROOM]), text=self._new_text())
        elif verb in ("reply", "react") and self._known:
            id = self._random.choice(list(self._known)[-30:])
            if verb == "reply":
                self.say(verb, id=id, text=self._new_text())
            else:
                self._react(id)
        elif verb in ("edit", "delete") and self._own:
            id = self._random.choice(list(self._own)[-10:])
            first = self._ledger.acknowledged[id].text or ""
            if verb == "delete":
                del self._own[id]
                self.say(verb, id=id)
            else:
                self._own[id] += 1
                self.say(verb, id=id, text=self._new_text(first.partition(".")[0], self._own[id]))
        elif verb == "history":
            self.say(verb, chat=self._random.choice(["main", ROOM]), limit=self._random.choice([3, 50]))
        elif verb == "ping":
            self.say(verb)

    def _react(self, id: int) -> None:
        mine = {each.emoji for each in self._ledger.changes[id] if each.author == self.name}
        emoji = self._random.choice(EMOJIS)
        if emoji not in mine:
            self.say("react", id=id, emoji=emoji)

    # ---- listening

    def _receive(self, number: int, data: bytes) -> None:
        if number != self._connections or self._connection is None:
            return
        *lines, self._line = (self._line + data).split(b"\n")
        for line in lines:
            text = line.decode()
            more = f"… {zlib.crc32(line):08x}" if len(text) > SHOWN_CHARS_MAX else ""
            self._tell(f"< {text[:SHOWN_CHARS_MAX]}{more}")
            self._take(text)

    def _answered(self, label: str, code: str | None, id: int | None, *, is_undone: bool = False) -> Said:
        """The reply to the oldest command that is not answered yet: with its code if it is a refusal.

        `is_undone`: it says that nothing was done.
        """
        check(self._waiting, f"{self.name} is answered {label} and waits for nothing")
        said = self._waiting.popleft()
        check(said.label == label, f"{self.name} is answered {label} in the place of {said.label}")
        check(code is None or code in MAY_BE_REFUSED, f"{self.name} is refused {said.verb}: {code}")
        if code == "unavailable" and not (is_undone and (said.chat or said.id)):
            said.ended.set_result(None)
            return said
        said.is_done = code is None
        if said.chat is not None and said.is_done:
            assert id is not None
            self._ledger.note_sent(said, id)
            self._own[id] = 0
            self._known[id] = said.chat, self.name
        said.ended.set_result(None)
        return said

    def _shown(self, id: int, author: str, chat: str, text: str | None) -> None:
        self._ledger.check_shown(self.name, NAMES, id, author, chat, text)
        if text is None:
            self._known.pop(id, None)
        else:
            self._known[id] = chat, author

    def sees(self, row: Row) -> bool:
        return self.name in readers(row.chat, NAMES)

    # ---- what the formats make different

    @abstractmethod
    def _begin(self) -> None:
        """On a new connection."""

    @abstractmethod
    def _sign_in(self) -> Said: ...

    @abstractmethod
    def _signed_in(self) -> None: ...

    @abstractmethod
    def _command(self, label: str, verb: str, fields: dict[str, Any], text: str | None) -> bytes: ...

    @abstractmethod
    def _take(self, line: str) -> None: ...

    @abstractmethod
    def check_shown_so_far(self, rows: list[Row]) -> None:
        """At any time while the server rests: nothing of the store is missing up to where one stands."""

    @abstractmethod
    def check_shown_all(self, rows: list[Row]) -> None:
        """Once everything has settled."""


_MESSAGE = re.compile(
    r"\[(\S+)\] (to )?(?:(main|#\w+) (\w+)|@(\w+)): ([^()]*|\(deleted\))((?: \([^()]*\))*) \(#(\d+)\)"
)
_REPLY = re.compile(r"([+-]) @(\w+) (?:(\w+): )?(.*)")
_FORMS = {
    "sign_in": "{name} {password}",
    "send_all": "{text}",
    "send": "{target} {text}",
    "reply": "{id} {text}",
    "edit": "{id} {text}",
    "delete": "{id}",
    "react": "{id} {emoji}",
    "history": "{chat} limit {limit}",
    "create_chat": "{chat}",
    "invite": "{chat} {username}",
    "join": "{chat}",
}


class TextUser(User):
    """Reads by id: messages are new in ascending order; what is shown again must have changed."""

    def _begin(self) -> None:
        self._newest = 0
        self._bodies: dict[int, str] = {}
        self._changed_here: set[int] = set()
        self._entered_at = 0

    def __init__(self, world: World, name: str, password: str | None) -> None:
        super().__init__(world, name, password)
        self._ever_shown: set[int] = set()
        self._begin()

    def _sign_in(self) -> Said:
        return self.say("sign_in", name=self.name, password=self._password or "")

    def _signed_in(self) -> None:
        self._entered_at = self._world.delivered()

    def _command(self, label: str, verb: str, fields: dict[str, Any], text: str | None) -> bytes:
        if "id" in fields:
            self._changed_here.add(fields["id"])
        return f"@{label} /{verb} {_FORMS.get(verb, '').format(**fields)}".strip().encode()

    def _take(self, line: str) -> None:
        if line.startswith(("* ", "  ")):
            return
        if line.startswith("["):
            self._take_message(line)
            return
        match = _REPLY.fullmatch(line)
        assert match is not None, f"{self.name} cannot read {line}"
        sent = re.fullmatch(r"sent #(\d+)", match[4]) if match[1] == "+" else None
        code, is_undone = match[3] if match[1] == "-" else None, "nothing was done" in match[4]
        said = self._answered(match[2], code, int(sent[1]) if sent else None, is_undone=is_undone)
        if said.chat is not None and sent:
            self._is_new(int(sent[1]))

    def _is_new(self, id: int) -> None:
        check(id > self._newest, f"#{id} is shown to {self.name} after #{self._newest}")
        self._newest = id

    def _take_message(self, line: str) -> None:
        match = _MESSAGE.fullmatch(line)
        assert match is not None, f"{self.name} cannot read {line}"
        _, to, chat, author, other, text, marks, number = match.groups()
        id = int(number)
        if other:
            chat, author = direct(self.name, other), self.name if to else other
        self._shown(id, author, chat, None if text == "(deleted)" else text)
        self._ever_shown.add(id)
        if any(said.verb == "history" for said in self._waiting):
            # What a command returns cannot be told from what is pushed.
            return
        has_changed = text == "(deleted)" or any(
            not mark.startswith("on #") for mark in re.findall(r"\(([^()]*)\)", marks)
        )
        if not has_changed:
            self._is_new(id)
        check(self._bodies.get(id) != text + marks, f"#{id} is shown to {self.name} twice: {text}{marks}")
        self._bodies[id] = text + marks

    def check_shown_so_far(self, rows: list[Row]) -> None:
        pass

    def check_shown_all(self, rows: list[Row]) -> None:
        for row in filter(self.sees, rows):
            if row.author != self.name:
                check(row.id in self._ever_shown, f"#{row.id} was never shown to {self.name}")
            if row.seq > self._entered_at and row.id not in self._changed_here and row.author != self.name:
                body = self._bodies.get(row.id, "")
                text = "(deleted)" if row.text is None else row.text
                check(body.startswith(text), f"{self.name} knows #{row.id} as {body}, not as {text}")
                for emoji, name in row.reactions:
                    check(emoji in body and name in body, f"{self.name} does not see {emoji} by {name} on #{row.id}")


class JsonUser(User):
    """Follows the changes by seq from a position, and says again with its key what may have been lost."""

    def __init__(self, world: World, name: str, password: str | None, device: str = "") -> None:
        super().__init__(world, name, password, device)
        self._token: str | None = None
        self._position = 0
        self._floor = 0  # what has not changed since was perhaps not shown
        self._states: dict[int, int] = {}  # by id, the seq of the state that is known
        self._returned: list[dict[str, Any]] = []
        self._again: list[Said] = []

    def _begin(self) -> None:
        self._returned = []
        self._last_seq = 0
        self._has_json = False
        self.say("format", format="json", client="simulation")

    def _sign_in(self) -> Said:
        if self._token is None or self._random.random() < 0.1:
            return self.say("sign_in", username=self.name, password=self._password)
        return self.say("resume", token=self._token, position=self._position)

    def _signed_in(self) -> None:
        again, self._again = self._again, []
        for said in again:
            self._send(said)

    def _end(self, number: int) -> None:
        waiting = list(self._waiting)
        super()._end(number)
        if number == self._connections:
            self._again += [self._renewed(said) for said in waiting if said.chat is not None]

    def _renewed(self, said: Said) -> Said:
        """The same, to be answered anew."""
        again = Said(said.author, said.label, said.verb, said.chat, None, said.text, None, said.line)
        self._ledger.note(again)
        return again

    def _command(self, label: str, verb: str, fields: dict[str, Any], text: str | None) -> bytes:
        key = {"key": label} if verb in ("send_all", "send", "reply") else {}
        fields = {name: value for name, value in fields.items() if value is not None}
        return json.dumps({"cmd": verb, "label": label, **fields, **key}, ensure_ascii=False).encode()

    def _take(self, line: str) -> None:
        if not self._has_json and line.startswith("* "):
            return
        event = json.loads(line)
        if event["type"] in ("ok", "error"):
            self._take_reply(event)
        elif event["type"] == "message":
            chat = self._chat(event["chat"])
            self._shown(event["id"], event["from"], chat, event.get("text"))
            if "label" in event:
                self._returned.append(event)
            else:
                self._follow(event["seq"], event["id"])
                check(event["seq"] > self._position, f"{self.name} is at {self._position} and is pushed {event['seq']}")
                self._position = event["seq"]

    def _follow(self, seq: int, id: int) -> None:
        check(seq > self._last_seq, f"{self.name} is told {seq} after {self._last_seq}")
        self._last_seq = seq
        self._states[id] = max(seq, self._states.get(id, 0))

    def _take_reply(self, event: dict[str, Any]) -> None:
        said = self._answered(event["label"], event.get("code"), event.get("id"))
        returned, self._returned = self._returned, []
        if said.verb == "format":
            self._has_json = True
        if not said.is_done:
            if said.chat is not None and said.is_done is None:
                self._again.append(self._renewed(said))
            return
        if said.verb in ("resume", "sign_in"):
            self._take_welcome(said, event, returned)
        elif said.chat is not None and event["id"] > self._last_seq:
            # Not one that was sent before, and is said again.
            self._follow(event["id"], event["id"])
        elif said.id is not None and "note" not in event and event["seq"] != self._last_seq:
            # A change of one's own whose message was not shown before comes as a message, then in its reply.
            self._follow(event["seq"], said.id)

    def _take_welcome(self, said: Said, event: dict[str, Any], returned: list[dict[str, Any]]) -> None:
        key = "seq" if said.verb == "resume" else "id"
        order = [each[key] for each in returned]
        check(order == sorted(set(order)), f"{self.name} is shown what was missed out of order: {order}")
        if said.verb == "resume":
            inside = all(self._position < each["seq"] <= event["seq"] for each in returned)
            check(inside, f"{self.name} came back at {self._position} and is shown {order}")
        else:
            unread = sum(chat["unread"] for chat in event["chats"])
            check(event["new"] or unread == len(returned), f"{self.name} has {unread} unread and is shown {order}")
            self._floor = event["seq"]
        for each in returned:
            self._states[each["id"]] = max(each["seq"], self._states.get(each["id"], 0))
        self._token = event.get("token", self._token)
        self._position = self._last_seq = event["seq"]

    def check_shown_so_far(self, rows: list[Row]) -> None:
        for row in filter(self.sees, rows):
            if self._floor < row.seq <= self._position:
                known = self._states.get(row.id)
                check(known == row.seq, f"{self.name} at {self._position} knows #{row.id} as of {known}, not {row.seq}")

    def check_shown_all(self, rows: list[Row]) -> None:
        self.check_shown_so_far(rows)
        for row in filter(self.sees, rows):
            if row.seq > self._floor:
                known = self._states.get(row.id)
                check(known == row.seq, f"{self.name} knows #{row.id} as of {known}, not {row.seq}, in the end")
