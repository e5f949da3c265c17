"""Uploads and files without a disk: opening, completing, and what may be removed."""

import hashlib
from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest

from chat_server.errors import Refusal
from chat_server.log.entries import CloseAccount, CompleteUpload, LeaveUploads, OpenUpload
from chat_server.protocol.file_names import PIECE_BYTES
from chat_server.protocol.files import SendFile, Upload
from chat_server.protocol.messages import Message
from chat_server.rules import read
from chat_server.rules.context import View
from chat_server.rules.files import UPLOADS_MAX, check_chunk
from chat_server.rules.outcomes import Opened
from chat_server.store import files, state
from chat_server.store.files import UPLOAD_LIFE_MS
from chat_server.store.local import list_sweeps
from tests.unit.chat import Chat, events_to

DATA = b"hello"
SHA256 = hashlib.sha256(DATA).hexdigest()
OTHER = hashlib.sha256(b"other").hexdigest()
LEASE = "l5"


def ask(chat: Chat, name: str, line: str, key: str | None = None, lease: str = LEASE) -> Any:
    asked: Any = chat.parse(f"/send_file {line}")
    if key:
        asked = SendFile(asked.target, asked.name, asked.size, asked.sha256, key)  # type: ignore[arg-type]
    return chat.do(OpenUpload(asked, lease), name).reply


def code(chat: Chat, name: str, line: str, key: str | None = None) -> str:
    with pytest.raises(Refusal) as refused:
        ask(chat, name, line, key)
    return refused.value.code


def complete(chat: Chat, name: str, upload: int, sha256: str = SHA256) -> Any:
    return chat.do(CompleteUpload(upload, sha256), name)


def code_of_completion(chat: Chat, name: str, upload: int) -> str:
    with pytest.raises(Refusal) as refused:
        complete(chat, name, upload)
    return refused.value.code


def send(chat: Chat, name: str, line: str, data: bytes = DATA) -> Upload:
    """Send a file with all its bytes."""
    upload = ask(chat, name, line).upload
    chat.blobs.append(upload, data)
    sha256 = chat.blobs.seal(upload)
    chat.blobs.place(upload, sha256)
    reply = complete(chat, name, upload, sha256).reply
    chat.blobs.discard(upload)
    assert isinstance(reply, Upload)
    return reply


def chunk(chat: Chat, name: str, upload: int, lease: str = LEASE) -> str:
    view = View(chat.db, chat.ids[name], chat.time.now(), chat.limits, {})
    command: Any = chat.parse(f"/chunk {upload} aGVsbG8=")
    try:
        check_chunk(view, lease, command)
    except Refusal as refusal:
        return refusal.code
    return "ok"


def dropped_rows(chat: Chat) -> list[tuple[int | None, str | None]]:
    return [(each.upload, each.sha256) for each in list_sweeps(chat.db, 100)]


def used_bytes(chat: Chat, name: str) -> int:
    return files.bytes_of(chat.db, chat.ids[name])


def test_a_file_becomes_a_message(chat: Chat) -> None:
    assert ask(chat, "alice", "main x/a.png 5") == Opened(1, 5)
    said = complete(chat, "alice", 1)
    assert said.reply.id == 1 and said.reply.file.name == "a.png"
    (message,) = events_to(said.pushes, chat.ids["bob"])
    assert isinstance(message, Message)
    assert (message.text, message.file) == ("a.png", said.reply.file)
    assert chat.say("bob", "/history main").events == [message]
    assert chat.say("bob", "/thread 1").events == [message]


def test_a_file_to_a_user_is_seen_by_both_alone(chat: Chat) -> None:
    number = send(chat, "alice", "bob a.png 5").upload
    assert chat.say("bob", f"/get_file {number}").reply.sha256 == SHA256
    for stranger, line in (("carol", f"/get_file {number}"), ("carol", "/get_file 99"), ("bob", "/get_file 99")):
        with pytest.raises(Refusal) as refused:
            chat.say(stranger, line)
        assert refused.value.code == "unknown_file"
    assert [each.name for each in chat.say("bob", "/files alice").reply.files] == ["a.png"]
    assert chat.say("carol", "/files alice").reply.files == []


def test_the_same_request_goes_on_with_the_same_upload(chat: Chat) -> None:
    first = ask(chat, "alice", f"bob a.png 5 {SHA256}")
    assert ask(chat, "alice", f"@BOB dir/a.png 5 {SHA256.upper()}", lease="l6") == first
    assert chunk(chat, "alice", 1) == "unknown_upload", "another connection has taken it over"
    assert chunk(chat, "alice", 1, lease="l6") == "ok"
    for other in ("bob a.png 5", f"bob b.png 5 {SHA256}", f"bob a.png 6 {SHA256}", f"carol a.png 5 {SHA256}"):
        assert ask(chat, "alice", other).upload != first.upload
    assert ask(chat, "carol", f"bob a.png 5 {SHA256}").upload != first.upload


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("main a.png 11", "too_large"), ("main a.png 0", "bad_argument"), ("nobody a.png 5", "unknown_user"),
        ("alice a.png 5", "not_yourself"), ("#team a.png 5", "unknown_chat"),
    ],
)  # fmt: skip
def test_refusals_of_uploads(chat: Chat, line: str, wanted: str) -> None:
    chat.configure(file_bytes_max=10)
    assert code(chat, "alice", line) == wanted
    assert used_bytes(chat, "alice") == 0


def test_files_and_uploads_count_towards_the_quota(chat: Chat) -> None:
    chat.configure(file_quota_bytes=12)
    send(chat, "alice", "main a.png 5")
    waiting = ask(chat, "alice", "main b.png 7").upload
    assert used_bytes(chat, "alice") == 12
    assert code(chat, "alice", "main c.png 1") == "too_large"
    assert isinstance(ask(chat, "bob", "main c.png 12"), Opened), "each has one's own"
    chat.say("alice", f"/cancel_upload {waiting}")
    assert used_bytes(chat, "alice") == 5
    chat.say("alice", "/delete 1")
    assert used_bytes(chat, "alice") == 0
    assert isinstance(ask(chat, "alice", "main d.png 12"), Opened)
    chat.configure(file_quota_bytes=11)
    assert code_of_completion(chat, "alice", 4) == "too_large"
    assert used_bytes(chat, "alice") == 0


def test_one_file_may_take_all_of_the_quota(chat: Chat) -> None:
    chat.configure(file_quota_bytes=5)
    send(chat, "alice", "main a.png 5")
    assert used_bytes(chat, "alice") == 5
    assert code(chat, "alice", "main b.png 1") == "too_large"


def test_uploads_of_one_user_are_bounded(chat: Chat) -> None:
    for number in range(UPLOADS_MAX):
        ask(chat, "alice", f"main a{number} 5")
    assert code(chat, "alice", "main more 5") == "too_many"
    assert ask(chat, "alice", "main a0 5").upload == 1
    chat.say("alice", "/cancel_upload 1")
    assert isinstance(ask(chat, "alice", "main more 5"), Opened)


def test_a_file_counts_towards_the_limit_in_main(chat: Chat) -> None:
    chat.configure(main_rate_count=2, main_rate_window_ms=1000)
    ask(chat, "alice", "main b.png 5")
    ask(chat, "alice", "main c.png 5")
    send(chat, "alice", "main a.png 5")
    chat.say("alice", "/send_all hi")
    assert code(chat, "alice", "main d.png 5") == "rate_limited"
    assert chunk(chat, "alice", 1) == "rate_limited", "told before the last bytes are taken: the upload stays"
    assert code_of_completion(chat, "alice", 2) == "rate_limited"
    chat.clock.advance(1000)
    assert (chunk(chat, "alice", 1), chunk(chat, "alice", 2)) == ("ok", "unknown_upload")
    assert complete(chat, "alice", 1).reply.id


def test_a_ban_comes_first(chat: Chat) -> None:
    chat.configure(reports_to_ban=1)
    ask(chat, "alice", "main a.png 5")
    chat.say("bob", "/report alice")
    assert code(chat, "alice", "nobody a.png 99999999999") == "banned"
    assert (chunk(chat, "alice", 1), chunk(chat, "alice", 99)) == ("banned", "banned")
    assert code_of_completion(chat, "alice", 1) == "banned"
    assert used_bytes(chat, "alice") == 0, "what cannot be sent is not kept"
    assert chat.executor.state.seq == 0


def test_a_receiver_deleted_during_an_upload_ends_it(chat: Chat) -> None:
    ask(chat, "alice", "bob a.png 5")
    chat.do(CloseAccount(0), "bob")
    assert chunk(chat, "alice", 1) == "unknown_user"
    assert code_of_completion(chat, "alice", 1) == "unknown_user"


def test_a_wrong_sha256_ends_the_upload(chat: Chat) -> None:
    ask(chat, "alice", f"main a.png 5 {OTHER}")
    assert code_of_completion(chat, "alice", 1) == "bad_argument"
    assert chunk(chat, "alice", 1) == "unknown_upload"
    assert dropped_rows(chat) == [(1, None)]


def test_a_key_works_for_uploads(chat: Chat) -> None:
    assert ask(chat, "alice", "main a.png 5", "k") == ask(chat, "alice", "main a.png 5", "k")
    assert code(chat, "alice", "main b.png 5", "k") == "bad_argument"
    assert ask(chat, "alice", "main a.png 5", "k2").upload == 2
    done = complete(chat, "alice", 1).reply
    assert ask(chat, "alice", "main a.png 5", "k") == done
    assert code(chat, "alice", "main a.png 6", "k") == "bad_argument"
    assert isinstance(ask(chat, "bob", "main a.png 5", "k"), Opened), "each has one's own keys"
    chat.say("alice", "/cancel_upload 2")
    assert ask(chat, "alice", "main a.png 5", "k2").upload == 4, "nothing was sent under it"


def test_a_key_stays_with_its_upload_whoever_goes_on_with_it(chat: Chat) -> None:
    ask(chat, "alice", "main a.png 5", "k1")
    assert ask(chat, "alice", "main a.png 5", lease="l6").upload == 1
    sent = complete(chat, "alice", 1).reply
    assert ask(chat, "alice", "main a.png 5", "k1") == sent


def test_no_file_goes_across_a_block(chat: Chat) -> None:
    ask(chat, "alice", "bob a.png 5")
    chat.say("bob", "/block alice")
    assert code(chat, "alice", "bob b.png 5") == code(chat, "bob", "alice b.png 5") == "blocked"
    assert chunk(chat, "alice", 1) == "blocked"
    assert code_of_completion(chat, "alice", 1) == "blocked"
    assert isinstance(ask(chat, "alice", "main a.png 5"), Opened)


def test_only_the_user_can_use_an_upload(chat: Chat) -> None:
    ask(chat, "alice", "main a.png 5")
    assert chunk(chat, "bob", 1) == "unknown_upload"
    for act in (lambda: complete(chat, "bob", 1), lambda: chat.say("bob", "/cancel_upload 1")):
        with pytest.raises(Refusal) as refused:
            act()
        assert refused.value.code == "unknown_upload"
    assert chunk(chat, "alice", 1) == "ok"


@pytest.mark.parametrize("lease", [LEASE, None])
def test_an_upload_waits_for_its_user_for_a_while(chat: Chat, lease: str | None) -> None:
    for name in ("a", "b"):
        ask(chat, "alice", f"main {name} 5")
    chat.do(LeaveUploads(lease))
    assert chunk(chat, "alice", 1) == "unknown_upload"
    assert state.look_ahead(chat.db, None, None).due_ms == chat.clock.now_ms() + UPLOAD_LIFE_MS
    chat.clock.advance(UPLOAD_LIFE_MS - 1)
    chat.due()
    assert ask(chat, "alice", "main a 5", lease="l6").upload == 1
    chat.clock.advance(1)
    chat.due()
    assert chunk(chat, "alice", 1, lease="l6") == "ok", "held again"
    assert dropped_rows(chat) == [(2, None)]
    assert used_bytes(chat, "alice") == 5


def test_a_session_that_ends_gives_up_its_uploads_alone(chat: Chat) -> None:
    ask(chat, "alice", "main a 5")
    ask(chat, "bob", "main a 5", lease="l6")
    chat.do(LeaveUploads("l6"))
    assert (chunk(chat, "alice", 1), chunk(chat, "bob", 2, lease="l6")) == ("ok", "unknown_upload")


def test_a_deleted_message_loses_its_file(chat: Chat) -> None:
    file = send(chat, "alice", "main a.png 5")
    chat.local.forget_sweeps([1])
    chat.say("alice", f"/edit {file.id} look at this")
    (message,) = chat.say("bob", "/history main").events
    assert isinstance(message, Message) and (message.text, message.file) == ("look at this", file.file)
    chat.say("alice", f"/delete {file.id}")
    (message,) = chat.say("bob", "/history main").events
    assert isinstance(message, Message) and message.deleted and message.file is None
    assert dropped_rows(chat) == [(None, SHA256)]
    assert not files.has_blob(chat.db, SHA256)
    assert chat.say("bob", "/files main").reply.files == []
    with pytest.raises(Refusal):
        chat.say("bob", f"/get_file {file.upload}")


def test_a_deleted_account_loses_its_files_and_uploads(chat: Chat) -> None:
    send(chat, "alice", "bob a.png 5")
    send(chat, "carol", "main a.png 5")
    ask(chat, "alice", "main b.png 5")
    chat.do(CloseAccount(0), "alice")
    assert set(dropped_rows(chat)) == {(1, None), (2, None), (3, None), (None, SHA256)}
    assert files.has_blob(chat.db, SHA256), "carol's has the same bytes"
    assert used_bytes(chat, "alice") == 0
    (message,) = chat.say("bob", "/history alice").events
    assert isinstance(message, Message) and message.file is None


def test_a_file_of_a_deleted_account_is_neither_listed_nor_sent(chat: Chat, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its row stays for a while where the account left much."""
    monkeypatch.setattr("chat_server.rules.erasure.ROWS_MAX", 1)
    chat.say("alice", "/send_all first")
    file = send(chat, "alice", "main a.png 5").upload
    chat.do(CloseAccount(0), "alice")
    assert files.find(chat.db, file), "it has not gone yet"
    assert chat.say("bob", "/files main").reply.files == []
    with pytest.raises(Refusal) as refused:
        chat.say("bob", f"/get_file {file}")
    assert refused.value.code == "unknown_file"


def test_a_removed_message_loses_its_file(chat: Chat) -> None:
    send(chat, "alice", "main a.png 5")
    db = chat.executor._db
    db.run("DELETE FROM messages")
    assert db.value("SELECT count(*) FROM files") == 0
    chat.local.follow()
    assert (None, SHA256) in dropped_rows(chat)


def test_dropped_bytes_may_be_removed_at_once(chat: Chat) -> None:
    ask(chat, "alice", "main a 5")
    assert not chat.local.has_sweeps
    chat.say("alice", "/cancel_upload 1")
    assert chat.local.has_sweeps
    chat.sweep()
    assert not chat.local.has_sweeps


def test_a_part_of_a_file(chat: Chat) -> None:
    data = bytes(range(256)) * 300
    file = send(chat, "alice", f"main a.bin {len(data)}", data)

    def fetched(words: str) -> bytes:
        said = chat.say("bob", f"/get_file {file.upload} {words}")
        assert [bool(event.file) for event in said.events] == [True] + [False] * (len(said.events) - 1)  # type: ignore
        together = "".join(event.data for event in said.events)  # type: ignore
        return b64decode(together, validate=True)

    assert fetched("") == data
    assert fetched("70000") == data[70000:]
    assert fetched("5 7") == data[5:12]
    assert fetched("76000 99999") == data[76000:]
    assert fetched(f"{len(data)}") == b"" == fetched("0 0")
    with pytest.raises(Refusal) as refused:
        fetched(f"{len(data) + 1}")
    assert refused.value.code == "bad_argument"


def test_the_rest_of_a_file_is_not_sent_once_its_message_is_gone(chat: Chat) -> None:
    data = bytes(3 * PIECE_BYTES)
    file = send(chat, "alice", f"main a.bin {len(data)}", data)
    view = View(chat.db, chat.ids["bob"], chat.time.now(), chat.limits, {}, blobs=chat.blobs)
    pages = (page for page in read(view, chat.parse(f"/get_file {file.upload}")) if page)
    next(pages)
    chat.say("alice", f"/delete {file.id}")
    with pytest.raises(Refusal) as refused:
        next(pages)
    assert refused.value.code == "unknown_file"


def test_a_long_list_of_files_says_how_to_go_on(chat: Chat, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("chat_server.rules.files.LIST_MAX", 2)
    for number in range(5):
        send(chat, "alice", f"bob f{number} 5")
    seen: list[str] = []
    more: str | None = "/files bob"
    while more:
        reply = chat.say("alice", more).reply
        seen = [each.name for each in reply.files] + seen
        more = reply.more
    assert seen == [f"f{number}" for number in range(5)]
