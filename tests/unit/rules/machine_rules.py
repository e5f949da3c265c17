"""The steps of users, one class a topic, which tests combine. Mostly users take steps that they may take."""

from base64 import b64decode
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, ClassVar

from chat_server.errors import Refusal
from chat_server.log.entries import CompleteUpload, LeaveUploads, MarkSeen
from chat_server.protocol.files import Chunk
from chat_server.rules.context import View
from chat_server.rules.files import check_chunk
from chat_server.store import files, operators
from tests.unit.rules.machine import NAMES, ROOMS, START, Drawn, Machine
from tests.unit.rules.model import MAIN
from tests.unit.rules.model_files import Upload
from tests.unit.rules.model_people import OPERATOR
from tests.unit.rules.model_rooms import Room

# The bytes of the files by name; two have the same.
CONTENTS = {"a": b"aaaa", "again": b"aaaa", "b": b"bbbbbbb", "large": b"l" * 9}
LEASE = "lease-1"


class RoomRules(Machine):
    verbs: ClassVar[tuple[str, ...]] = (
        "create", "invite", "invite", "join", "join", "decline", "ask", "ask", "revoke", "decide", "decide", "leave",
        "remove", "give",
    )  # fmt: skip

    def begin(self) -> None:
        super().begin()
        self.both(lambda: self.model.create(NAMES[0], ROOMS[0]), lambda: self.say(NAMES[0], "/create_chat #one").chat)
        self.both(
            lambda: self.model.invite(NAMES[0], ROOMS[0], NAMES[1]), lambda: self.say(NAMES[0], "/invite #one ben").user
        )
        self.both(lambda: self.model.join(NAMES[1], ROOMS[0]), lambda: self.say(NAMES[1], "/join #one").asked)

    def at(self, drawn: Drawn, who: Callable[[Room], Iterable[str]]) -> tuple[str, str]:
        """Return a user whom `who` selects for an existing chat, and that chat; at times another user."""
        name = self.one_of(self.model.rooms, drawn.which, drawn.room)
        chat = self.model.rooms.get(name) or Room(0, name, "", [])
        return self.one_of(who(chat), drawn.which // 3, drawn.name), chat.name

    def create(self, drawn: Drawn) -> None:
        name, room = drawn.name, drawn.room
        self.both(lambda: self.model.create(name, room), lambda: self.say(name, f"/create_chat {room}").chat)

    def invite(self, drawn: Drawn) -> None:
        (name, room), guest = self.at(drawn, lambda chat: chat.members), drawn.other
        self.both(lambda: self.model.invite(name, room, guest), lambda: self.say(name, f"/invite {room} {guest}").user)

    def join(self, drawn: Drawn) -> None:
        name, room = self.at(drawn, lambda chat: chat.invited)
        self.both(lambda: self.model.join(name, room), lambda: self.say(name, f"/join {room}").asked)

    def decline(self, drawn: Drawn) -> None:
        name, room = self.at(drawn, lambda chat: chat.invited)
        self.both(lambda: self.model.decline(name, room), lambda: self.say(name, f"/decline {room}").chat)

    def ask(self, drawn: Drawn) -> None:
        """Ask by a new code, or by one that may have expired."""
        (name, room), old = self.at(drawn, lambda chat: chat.members), drawn.back % 3
        if not old:
            self.both(lambda: self.model.link(name, room), lambda: self.say(name, f"/invite_link {room}").code)
        code = f"code-{self.model.codes_drawn - old}"
        for asker in (drawn.name, drawn.other):
            self.both(partial(self.model.join_by_code, asker, code), partial(self.asks, asker, code))

    def asks(self, name: str, code: str) -> bool:
        asked: bool = self.say(name, f"/join {code}").asked
        return asked

    def revoke(self, drawn: Drawn) -> None:
        name, room = self.at(drawn, lambda chat: chat.members)
        self.both(lambda: self.model.revoke(name, room), lambda: self.say(name, f"/revoke_link {room}").revoked)

    def decide(self, drawn: Drawn) -> None:
        name, room, asker = drawn.name, drawn.room, drawn.other
        for chat in self.model.rooms.values():
            if chat.asked and drawn.which:
                name, room, asker = self.one_of([chat.owner], drawn.which // 3, name), chat.name, chat.asked[0]
        word, verb = (self.model.approve, "approve") if drawn.back % 3 else (self.model.deny, "deny")
        self.both(lambda: word(name, room, asker), lambda: self.say(name, f"/{verb} {room} {asker}").user)

    def leave(self, drawn: Drawn) -> None:
        name, room = self.at(drawn, lambda chat: chat.members)
        self.both(lambda: self.model.leave(name, room), lambda: self.say(name, f"/leave {room}").chat)

    def with_member(self, drawn: Drawn) -> tuple[str, str, str]:
        """Return mostly the owner of a chat, the chat, and a member."""
        name, room = self.at(drawn, lambda chat: [chat.owner] if chat.owner else [])
        chat = self.model.rooms.get(room)
        return name, room, self.one_of(chat.members if chat else (), drawn.back, drawn.other)

    def remove(self, drawn: Drawn) -> None:
        name, room, member = self.with_member(drawn)
        self.both(
            lambda: self.model.remove(name, room, member), lambda: self.say(name, f"/remove {room} {member}").user
        )

    def give(self, drawn: Drawn) -> None:
        name, room, member = self.with_member(drawn)
        self.both(lambda: self.model.give(name, room, member), lambda: self.say(name, f"/give {room} {member}").owner)

    def sees(self, name: str) -> None:
        super().sees(name)
        for room in ROOMS[:2]:
            self.sees_room(name, room)

    def sees_room(self, name: str, room: str) -> None:
        if self.model.is_in(name, room):
            chat, listed = self.model.rooms[room], self.say(name, f"/members {room}")
            assert (listed.owner, listed.members) == (chat.owner, chat.members)
            return
        words = f"you are in no chat {room}; /status lists your chats and invitations"
        for line in (f"/members {room}", f"/history {room}"):
            try:
                raise AssertionError(f"{line}: {self.say(name, line)}")
            except Refusal as refusal:
                assert (refusal.code, refusal.text) == ("unknown_chat", words)


class MessageRules(Machine):
    verbs: ClassVar[tuple[str, ...]] = (
        "reply", "reply", "reply", "edit", "edit", "delete_message", "react", "react", "unreact", "thread",
        "read", "seen", "all_but_one_read", "all_but_one_read",
    )  # fmt: skip

    def begin(self) -> None:
        super().begin()
        for name, to in ((NAMES[0], NAMES[1]), (NAMES[1], NAMES[0]), (NAMES[2], MAIN)):
            self.send(START._replace(name=name, to=to))

    def recent(self, drawn: Drawn, *, own: bool = False) -> tuple[str, int]:
        """Return a user and the id of a recent message that the user mostly can see, or with `own` mostly wrote."""
        last = self.model.messages[-8:]
        if drawn.minutes < 30:
            last = [each for each in self.model.messages if not isinstance(each.chat, str)][-4:] or last
        if not drawn.back or not last:
            return drawn.name, 99_999
        message = last[-drawn.back % len(last)]
        readers = [name for name in self.model.alive() if self.model._sees(name, message.chat)]
        return self.one_of([message.author] if own else readers, drawn.which, drawn.name), message.id

    def reply(self, drawn: Drawn) -> None:
        (name, id_), text = self.recent(drawn), drawn.text
        self.both(lambda: self.model.reply(name, id_, text), lambda: self.say(name, f"/reply {id_} {text}").id)

    def edit(self, drawn: Drawn) -> None:
        (name, id_), text = self.recent(drawn, own=True), drawn.text
        self.both(lambda: self.model.edit(name, id_, text), lambda: self.say(name, f"/edit {id_} {text}").seq)

    def delete_message(self, drawn: Drawn) -> None:
        name, id_ = self.recent(drawn)
        name = OPERATOR if drawn.which % 3 else name
        self.both(lambda: self.model.delete_message(name, id_), lambda: self.say(name, f"/delete {id_}").seq)

    def react(self, drawn: Drawn) -> None:
        (name, id_), emoji = self.recent(drawn), "👍" if drawn.minutes else "+1"
        self.both(lambda: self.model.react(name, id_, emoji), lambda: self.say(name, f"/react {id_} {emoji}").seq)

    def unreact(self, drawn: Drawn) -> None:
        (name, id_), emoji = self.recent(drawn), "👍" if drawn.minutes else "+1"
        self.both(lambda: self.model.unreact(name, id_, emoji), lambda: self.say(name, f"/unreact {id_} {emoji}").seq)

    def thread(self, drawn: Drawn) -> None:
        name, id_ = self.recent(drawn)
        if name in self.model.alive():
            self.both(
                lambda: self.shown(name, self.model.thread(name, id_)),
                lambda: self.chat.say(name, f"/thread {id_}").events,
            )

    def read(self, drawn: Drawn) -> None:
        (name, to), up_to = self.from_to(drawn), max(0, self.model.seq + 1 - drawn.back)
        if name in self.model.alive():
            self.both(lambda: self.model.read(name, to, up_to), lambda: self.say(name, f"/read {to} {up_to}").id)

    def seen(self, drawn: Drawn) -> None:
        if drawn.name in self.model.alive():
            up_to = max(0, self.model.seq - drawn.back)
            self.model.seen(drawn.name, up_to)
            self.chat.do(MarkSeen(up_to), drawn.name)

    def all_but_one_read(self, drawn: Drawn) -> None:
        """Let all but one read, and some time pass, so that messages expire."""
        for name in self.model.alive():
            if name != drawn.name or drawn.which % 2:
                self.seen(drawn._replace(name=name, back=0))
        self.time_passes(drawn.minutes if drawn.minutes in (30, 60, 61) else 0)


class BlockRules(Machine):
    verbs: ClassVar[tuple[str, ...]] = ("block", "block", "unblock")

    def pair(self, drawn: Drawn) -> tuple[str, str]:
        """Return mostly the same two users, so that their blocks meet other steps."""
        return (NAMES[drawn.which % 2], NAMES[1 - drawn.which % 2]) if drawn.back % 3 else (drawn.name, drawn.other)

    def block(self, drawn: Drawn) -> None:
        """Block, at times while a delayed message waits."""
        name, other = self.pair(drawn)
        if drawn.text == "hi":
            self.send_delayed(drawn._replace(name=other, to=name, minutes=1))
        self.both(lambda: self.model.block(name, other), lambda: self.say(name, f"/block {other}").user)
        self.time_passes(drawn.minutes % 2)

    def unblock(self, drawn: Drawn) -> None:
        name, other = self.pair(drawn)
        self.both(lambda: self.model.unblock(name, other), lambda: self.say(name, f"/unblock {other}").user)

    def sees(self, name: str) -> None:
        super().sees(name)
        assert self.say(name, "/blocked").blocked == sorted(self.model.users[name].blocked)


class BanRules(Machine):
    """Reports and bans by the operator, mostly of one user, so that they meet."""

    verbs: ClassVar[tuple[str, ...]] = ("report", "report", "ban", "ban", "unban", "unban")

    def accused(self, drawn: Drawn) -> str:
        return NAMES[1] if drawn.back % 3 else drawn.other

    def report(self, drawn: Drawn) -> None:
        name, to = drawn.name, self.accused(drawn)
        self.both(lambda: self.model.report(name, to), lambda: self.say(name, f"/report {to}").reports)

    def ban(self, drawn: Drawn) -> None:
        """Ban, at times so that a delayed message waits for the end of the ban."""
        name, to = self.one_of([OPERATOR], drawn.which, drawn.name), self.accused(drawn)
        minutes, waits = drawn.minutes or 5, drawn.which % 2
        if waits:
            self.send_delayed(drawn._replace(name=to, to=MAIN, minutes=1))
        self.both(
            lambda: self.model.ban(name, to, minutes * 60_000), lambda: self.say(name, f"/ban {to} {minutes}m").until
        )
        self.time_passes(2 * waits)

    def unban(self, drawn: Drawn) -> None:
        name, to = self.one_of([OPERATOR], drawn.which, drawn.name), self.accused(drawn)
        self.both(lambda: self.model.unban(name, to), lambda: self.say(name, f"/unban {to}").note is None)

    def sees(self, name: str) -> None:
        super().sees(name)
        if name == OPERATOR:
            reports = [(each.by, each.user, each.counted) for each in self.say(name, "/reports").reports]
            assert sorted(reports) == sorted((by, whom, it) for by, whom, _, it in self.model.reports)

    def teardown(self) -> None:
        acts = [(act.act, act.whom) for act in operators.list_acts(self.chat.db, 0, 1000)]
        assert acts == self.model.acts
        super().teardown()


class FileRules(Machine):
    verbs: ClassVar[tuple[str, ...]] = (
        "send_file", "send_file", "open_upload", "open_upload", "open_again", "overtaken", "send_rest", "send_rest",
        "cancel_upload", "connections_end",
    )  # fmt: skip

    def begin(self) -> None:
        super().begin()
        for back, (name, to) in enumerate(((NAMES[1], MAIN), (NAMES[1], NAMES[0]), (NAMES[2], NAMES[1]))):
            self.send_file(START._replace(name=name, to=to, back=back))

    def open_upload(self, drawn: Drawn) -> None:
        name, to = self.from_to(drawn)
        self.open(name, to, list(CONTENTS)[drawn.back % 4])

    def open_again(self, drawn: Drawn) -> None:
        """Open the same upload again, or one that differs in its name alone."""
        name, upload = self.upload(drawn)
        self.open(name, upload.target, "again" if drawn.minutes > 30 else upload.name)

    def open(self, name: str, to: str, content: str) -> None:
        line = f"/send_file {to} {content} {len(CONTENTS[content])}"
        self.both(
            lambda: self.model.open_upload(name, to, content, CONTENTS[content]), lambda: self.say(name, line).upload
        )

    def send_file(self, drawn: Drawn) -> None:
        """Send a whole file at once."""
        self.open_upload(drawn)
        for upload in self.model.uploads[-1:]:
            self.finish(upload.author, upload, raced=False)

    def overtaken(self, drawn: Drawn) -> None:
        """Reach the limit in main between the last bytes and the message."""
        self.open(drawn.name, MAIN, "a")
        self.flood(drawn)
        for upload in self.model.uploads[-1:]:
            self.finish(upload.author, upload, raced=True)

    def upload(self, drawn: Drawn) -> tuple[str, Upload]:
        """Return mostly the user of an upload that is under way, and the upload."""
        if not self.model.uploads or not drawn.which:
            return drawn.name, Upload(99_999, "", MAIN, "a", b"")
        upload = self.model.uploads[drawn.back % len(self.model.uploads)]
        return self.one_of([upload.author], drawn.which // 3, drawn.name), upload

    def send_rest(self, drawn: Drawn) -> None:
        self.finish(*self.upload(drawn), raced=drawn.which % 2 > 0)

    def finish(self, name: str, upload: Upload, *, raced: bool) -> None:
        """Finish an upload. Much may have happened before the last bytes, or (raced) between them and the message."""
        word = self.model.complete if raced else self.model.send_rest
        self.both(lambda: word(name, upload.id), lambda: self.bytes_come(name, upload, raced))

    def bytes_come(self, name: str, upload: Upload, raced: bool) -> int:
        user_id = self.chat.ids.get(name, 0)
        if not raced:
            view = View(self.chat.db, user_id, self.chat.time.now(), self.chat.limits, {})
            check_chunk(view, LEASE, Chunk(upload.id, upload.data))  # type: ignore[arg-type]
        blobs, sha256 = self.chat.blobs, ""
        if files.find_upload(self.chat.db, upload.id, user_id) is not None:
            blobs.append(upload.id, upload.data)
            sha256 = blobs.seal(upload.id)
            blobs.place(upload.id, sha256)
        sent: int = self.chat.do(CompleteUpload(upload.id, sha256), name).reply.id
        return sent

    def cancel_upload(self, drawn: Drawn) -> None:
        name, upload = self.upload(drawn)
        self.both(
            lambda: self.model.cancel_upload(name, upload.id),
            lambda: self.say(name, f"/cancel_upload {upload.id}").upload,
        )

    def connections_end(self, drawn: Drawn) -> None:
        """End all connections. At times somebody comes back."""
        self.model.leave_uploads()
        self.chat.do(LeaveUploads(LEASE))
        if drawn.text == "hi":
            self.open_again(drawn)
        self.time_passes((0, 9, 10)[drawn.back % 3])

    def delete_account(self, drawn: Drawn) -> None:
        """Delete an account, mostly that of a user who sends a file."""
        senders = [each.author for each in self.model.uploads]
        super().delete_account(drawn._replace(name=self.one_of(senders, drawn.back, drawn.name)))

    def time_passes(self, minutes: int) -> None:
        super().time_passes(minutes)
        self.chat.sweep()
        assert {blob for folder in self.chat.blobs.folders() for blob in folder} == self.model.blobs()
        uploads = [row[0] for row in self.chat.db.all("SELECT id FROM uploads ORDER BY id")]
        assert uploads == [each.id for each in self.model.uploads]

    def sees(self, name: str) -> None:
        super().sees(name)
        last = self.model.uploads_opened
        for id_ in range(max(1, last - 3), last + 1):
            self.both(partial(self.model.fetch, name, id_), partial(self.fetched, name, id_))
        for chat, _, _ in self.model.chats(name):
            listed = self.say(name, f"/files {chat}").files
            found = [((each.id, each.name, each.size, each.sha256), each.message_id, each.from_) for each in listed]
            wanted = self.model.files_in(name, chat.removeprefix("@"))
            assert found == [((it.id, it.name, it.size, it.sha256), id_, author) for it, id_, author in wanted]
        assert self.say(name, "/status").limits["file_bytes"].used == self.model.bytes_used(name)

    def fetched(self, name: str, id_: int) -> bytes:
        chunks: list[Any] = self.chat.say(name, f"/get_file {id_}").events
        return b"".join(b64decode(chunk.data) for chunk in chunks)
