"""Files: opening, completing and ending uploads, and who may fetch which file.

The bytes of a file do not go through the log. Only the opening of an upload, which reserves its size, and its
completion do. The completion checks everything again, since much may have happened meanwhile.
"""

import logging
from binascii import b2a_base64
from collections.abc import Iterator

from chat_server.errors import Refusal, no_room_refusal
from chat_server.log.entries import CompleteUpload, LeaveUploads, OpenUpload, RefuseForRoom
from chat_server.protocol.arguments import Target
from chat_server.protocol.file_names import PIECE_BYTES, describe_size
from chat_server.protocol.files import (
    CancelUpload,
    Chunk,
    FileChunk,
    FileList,
    Files,
    FileSent,
    GetFile,
    SendFile,
    Upload,
    UploadCancelled,
)
from chat_server.protocol.messages import File
from chat_server.rules.blocks import refuse_blocked
from chat_server.rules.context import Context, View
from chat_server.rules.lookup import find_chat, find_message, find_room, find_user
from chat_server.rules.messages import find_earlier_reply, find_place, post, refuse_rate_limited, run_once
from chat_server.rules.moderation import refuse_banned
from chat_server.rules.outcomes import Answer, Opened, Stale
from chat_server.rules.registry import reading, rule
from chat_server.rules.slow_mode import refuse_held_up
from chat_server.rules.text_quota import refuse_over_text_quota
from chat_server.store import accounts, files
from chat_server.store.accounts import User
from chat_server.store.blobs import Blobs, Damaged
from chat_server.store.chats import MAIN
from chat_server.store.files import Stored, Uploading

log = logging.getLogger("chat.files")

# Uploads of one user under way.
UPLOADS_MAX = 50
UPLOADS_ENDED_AT_ONCE_MAX = 1000
LIST_MAX = 1000


@rule(OpenUpload)
def open_upload(context: Context, command: OpenUpload) -> Upload | Opened:
    """Open an upload, or go on with the one that is under way for the same file already."""
    asked, author = command.asked, context.user()
    own = files.uploads_of(context.db, author.id)
    done = find_earlier_reply(
        context, asked.key, _content(asked.target, asked.name, asked.size, asked.sha256 or ""), Upload
    )
    if done is not None:
        return done
    _refuse_sending(context, author, asked.target, asked.name)
    if not context.has_room:
        raise no_room_refusal()
    same = next((each for each in own if _is_same(each, asked)), None)
    if command.object is not None and not files.is_bucket_open(files.bucket_of(command.object), context.elapsed_ms):
        raise Stale
    if same is not None:
        files.hold(context.db, same.id, context.node, command.lease, asked.key, command.object)
        return Opened(same.id, same.size)
    if asked.key is not None and any(each.key == asked.key for each in own):
        raise Refusal("bad_argument", "this key belongs to another upload that is under way; take a new one")
    _refuse_too_large(context, asked.size)
    if len(own) >= UPLOADS_MAX:
        raise Refusal("too_many", f"you have {UPLOADS_MAX} uploads under way; finish one, or /cancel_upload one")
    _refuse_over_quota(context, author, asked.size)
    upload = files.insert_upload(
        context.db, author.id, asked.target, asked.name, asked.size, asked.sha256 or "", asked.key
    )
    files.hold(context.db, upload, context.node, command.lease, asked.key, command.object)
    return Opened(upload, asked.size)


def _content(target: Target, name: str, size: int, sha256: str) -> object:
    """Return what makes two requests the same."""
    return target.folded, target.kind, name, size, sha256


def _is_same(upload: Uploading, asked: SendFile) -> bool:
    content = _content(upload.target, upload.name, upload.size, upload.sha256)
    keys = {upload.key, asked.key} - {None}
    return content == _content(asked.target, asked.name, asked.size, asked.sha256 or "") and len(keys) < 2


def _refuse_sending(asked: Context | View, author: User, target: Target, name: str) -> None:
    """Refuse what the author may not send there now: by the same checks in the same order as a message."""
    refuse_banned(asked, author)
    refuse_over_text_quota(asked, author.id, name)
    if target.kind == "main":
        refuse_held_up(asked, author.id, MAIN, "main")
        refuse_rate_limited(asked, author)
    elif target.kind == "room":
        room = find_room(asked.db, author.id, target)
        refuse_held_up(asked, author.id, room.id, room.name)
    else:
        refuse_blocked(asked, author, find_user(asked.db, target.name, target.folded, author.id))


def _refuse_too_large(context: Context, size: int) -> None:
    most = context.limits.file_bytes_max
    if size > most:
        raise Refusal(
            "too_large",
            f"a file has at most {describe_size(most)} ({most} bytes), this one has {size} bytes;"
            " make it smaller, or send it in parts",
        )
    if not size:
        raise Refusal("bad_argument", "an empty file cannot be sent; its size is at least 1")


def _refuse_over_quota(context: Context, author: User, size: int) -> None:
    used, most = files.bytes_of(context.db, author.id), context.limits.file_quota_bytes
    if used + size > most:
        raise Refusal(
            "too_large",
            f"your files may have {describe_size(most)} together, and have {describe_size(used)};"
            " /delete a message whose file is not needed any more, or /cancel_upload an upload",
        )


def check_chunk(view: View, lease: str | None, command: Chunk) -> Uploading:
    """Find the upload that a chunk belongs to. Everything that would refuse the completed upload refuses the chunk now.

    `lease` is the lease of the connection that sent the chunk.
    """
    author = accounts.by_id(view.db, view.user_id)
    if author is None:
        raise Refusal("not_signed_in", "this account has been deleted")
    refuse_banned(view, author)
    upload = files.find_upload(view.db, command.upload, author.id)
    if upload is None:
        raise unknown_upload_refusal(command.upload)
    if lease is None or upload.lease != lease:
        raise not_open_refusal(upload.id)
    _refuse_sending(view, author, upload.target, upload.name)
    return upload


def unknown_upload_refusal(upload: int) -> Refusal:
    return Refusal("unknown_upload", f"no upload {upload} of yours is under way; /send_file begins one")


def not_open_refusal(upload: int) -> Refusal:
    return Refusal(
        "unknown_upload",
        f"upload {upload} is not open on this connection; the same /send_file again goes on with it from here",
    )


@rule(CompleteUpload)
def complete_upload(context: Context, command: CompleteUpload) -> Upload | Refusal:
    """Post the message of a completed upload, or delete the upload and return the refusal."""
    upload = files.find_upload(context.db, command.upload, context.user_id)
    if upload is None:
        raise unknown_upload_refusal(command.upload)
    # Another node, or another connection, has gone on with it meanwhile.
    if upload.object != command.object:
        raise not_open_refusal(upload.id)
    author = context.user()
    try:
        _refuse_sending(context, author, upload.target, upload.name)
        if upload.sha256 not in ("", command.sha256):
            raise Refusal(
                "bad_argument",
                f"what came has the sha256 {command.sha256}, not the one that was announced; the upload is gone,"
                " send the file again",
            )
        _refuse_too_large(context, upload.size)
        _refuse_over_quota(context, author, 0)
    except Refusal as refusal:
        files.delete_upload(context.db, upload.id)
        # The key to its bytes stands in the log.
        context.db.unclean = context.db.unclean or command.secret is not None
        return refusal
    # From here on the key belongs to the message.
    files.hand_over_object(context.db, upload.id)
    files.delete_upload(context.db, upload.id)
    content = _content(upload.target, upload.name, upload.size, upload.sha256)
    try:
        return run_once(context, upload.key, content, Upload, lambda: _post(context, author, upload, command))
    finally:
        if command.object is not None:
            files.drop_unused_object(context.db, command.object)


def _post(context: Context, author: User, upload: Uploading, command: CompleteUpload) -> Upload:
    place = find_place(context, author, upload.target)
    file = File(upload.id, upload.name, upload.size, command.sha256)
    sent = post(context, author, place, upload.name, (), file=file)
    if command.object is not None and command.secret is not None:
        files.place_in_store(context.db, file.id, Stored(command.object, command.secret))
    context.counts["files"] += 1
    return Upload(upload.id, upload.size, sent.id, sent.at, file)


@rule(CancelUpload)
def cancel_upload(context: Context, command: CancelUpload) -> UploadCancelled:
    if files.find_upload(context.db, command.upload, context.user().id) is None:
        raise unknown_upload_refusal(command.upload)
    files.delete_upload(context.db, command.upload)
    return UploadCancelled(command.upload)


@rule(LeaveUploads)
def leave_uploads(context: Context, command: LeaveUploads) -> None:
    files.leave(context.db, context.node, command.lease, context.elapsed_ms + files.UPLOAD_LIFE_MS)


def end_uploads(context: Context) -> None:
    """Delete uploads whose users did not come back in time, and buckets that are empty for good."""
    files.delete_expired_uploads(context.db, context.elapsed_ms, UPLOADS_ENDED_AT_ONCE_MAX)
    files.delete_empty_buckets(context.db, context.elapsed_ms)


@rule(RefuseForRoom)
def refuse_for_room(context: Context, command: RefuseForRoom) -> None:
    raise no_room_refusal()


# ---- reading


@reading(GetFile, reader="files")
def get_file(view: View, command: GetFile) -> Answer:
    file = find_file(view, command.file_id)
    assert view.blobs is not None
    offset = command.offset or 0
    if offset > file.size:
        raise Refusal("bad_argument", f"file {file.id} has {file.size} bytes; usage: {GetFile.spec.usage}")
    for _ in _verify_bytes(view.blobs, file):
        yield []
    end = file.size if command.length is None else min(file.size, offset + command.length)
    head: File | None = file
    while offset < end or head:
        try:
            data = view.blobs.read(file.sha256, offset, min(PIECE_BYTES, end - offset))
        except OSError as error:
            raise _damaged_refusal(file, f"cannot be read ({error.strerror})") from None
        if not data and offset < end:
            raise _damaged_refusal(file, "are cut short")
        yield [FileChunk(file.id, offset, b2a_base64(data, newline=False).decode(), head)]
        offset, head = offset + len(data), None
        # The asker may have lost the right to read it, and the file may be gone.
        find_file(view, command.file_id)
    return FileSent(file.id, file.name, file.size, file.sha256)


def _verify_bytes(blobs: Blobs, file: File) -> Iterator[None]:
    """Verify all bytes of a file in steps before any is sent, so that no damaged ones are."""
    try:
        yield from blobs.verify(file.sha256)
    except Damaged as damaged:
        raise _damaged_refusal(file, str(damaged)) from None


def _damaged_refusal(file: File, how: str) -> Refusal:
    log.error("the bytes of file %d, blob %s, %s", file.id, file.sha256, how)
    return Refusal(
        "unavailable",
        f"the bytes of {file.name} {how} on the server's disk, so that nothing is sent; they are back when anybody"
        " sends the same file again",
        done=False,
    )


def find_file(view: View, file_id: int) -> File:
    """Find a file in a message that the asker may read. Raises Refusal `unknown_file`."""
    found = files.find(view.db, file_id)
    try:
        if found is not None:
            message, _ = find_message(view.db, view.user_id, found[1])
            # The files of a deleted account are stored for a while (see `erasure`).
            if not message.deleted:
                return found[0]
    except Refusal:
        pass
    raise Refusal("unknown_file", f"there is no file {file_id} that you can see; /files <chat> lists those of a chat")


@reading(Files)
def list_files(view: View, command: Files) -> FileList:
    chat_id, name = find_chat(view.db, view.user_id, command.chat)
    if chat_id is None:
        return FileList(name, [])
    listed = files.of_chat(view.db, chat_id, command.before, LIST_MAX + 1)
    more = f"/files {name} before {listed[1].message_id}" if len(listed) > LIST_MAX else None
    return FileList(name, listed[-LIST_MAX:], more)
