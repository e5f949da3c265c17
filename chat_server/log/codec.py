"""The encoding of batches in a replicated log: magic bytes, a version, and MessagePack.

Entries are encoded one by one as they come, so that the size of a batch is known while it gathers and no entry is
encoded twice.
"""

from msgspec import Raw, Struct
from msgspec.msgpack import Decoder, Encoder

from chat_server.errors import UNDECODABLE
from chat_server.log.entries import Batch, Entry, WrongBatch, check_version
from chat_server.log.stream import StreamRecord
from chat_server.log.versions import OLDEST, VERSION

MAGIC = b"\0chatlog"
_VERSION_BYTES = 2
# Of one encoded batch. NATS takes 1 MiB unless it is told otherwise, and closes a connection that sends more.
BATCH_BYTES_MAX = 512 << 10
# What is around the entries of a batch takes less than this: its names are short.
_ENVELOPE_BYTES_MAX = 1024
ENTRIES_BYTES_MAX = BATCH_BYTES_MAX - _ENVELOPE_BYTES_MAX

_encoder = Encoder()
_decoder = Decoder(Batch)


class NotOurs(Exception):
    """Raised for a message that no node of a chat has written; the text says why. All nodes skip it alike."""


class _Head(Struct, array_like=True):
    """What the batches of all versions MUST begin with: it tells those of a version to come from rubbish."""

    history: str
    node: str


class _Encoded(Struct, array_like=True, forbid_unknown_fields=True):
    """A batch whose entries are encoded; its fields MUST be those of `Batch`."""

    history: str
    node: str
    incarnation: int
    nonce: bytes
    number: int
    sent_ms: int
    entries: list[Raw]
    version: int


_head_decoder = Decoder(_Head)
_envelope_decoder = Decoder(_Encoded)


def encode_entry(entry: Entry) -> bytes:
    return _encoder.encode(entry)


def encode(batch: Batch, entries: list[bytes] | None = None) -> bytes:
    """Encode a batch. `entries` are its entries as `encode_entry` gave them, if they are at hand."""
    raw = [Raw(entry) for entry in (map(encode_entry, batch.entries) if entries is None else entries)]
    encoded = _Encoded(
        batch.history, batch.node, batch.incarnation, batch.nonce, batch.number, batch.sent_ms, raw, batch.version
    )
    return MAGIC + batch.version.to_bytes(_VERSION_BYTES) + _encoder.encode(encoded)


def decode(record: StreamRecord, history: str | None) -> Batch:
    """Decode the batch of a record; `history` is that of the chat, None before its first batch.

    Raises NotOurs. Raises WrongBatch for a version that is not known here, and for an entry that is not: another node
    may know it, so that this one MUST NOT pass it over.
    """
    data = record.data
    start = len(MAGIC) + _VERSION_BYTES
    if len(data) < start or not data.startswith(MAGIC):
        raise NotOurs("it was not written by chat-server")
    version = int.from_bytes(data[len(MAGIC) : start])
    if not OLDEST <= version <= VERSION:
        try:
            head = _head_decoder.decode(memoryview(data)[start:])
        except UNDECODABLE as error:
            raise NotOurs(f"it cannot be read: {error}") from None
        _check_sender(head, record, history)
    check_version(record.position, version, record.node)
    envelope: Batch | _Encoded
    unknown: Exception | None = None
    try:
        envelope = _decoder.decode(memoryview(data)[start:])
    except UNDECODABLE as error:
        unknown = error
        try:
            envelope = _envelope_decoder.decode(memoryview(data)[start:])
        except UNDECODABLE:
            raise NotOurs(f"it cannot be read: {error}") from None
    if envelope.version != version:
        raise NotOurs("it has two versions")
    _check_sender(envelope, record, history)
    if isinstance(envelope, _Encoded):
        raise WrongBatch(
            f"batch {record.position} of the log, from node {record.node}, has version {version}, and yet holds what"
            f" this program does not know ({unknown}): start the chat-server that this node runs"
        )
    return envelope


def _check_sender(sent: _Head | _Encoded | Batch, record: StreamRecord, history: str | None) -> None:
    """Raise NotOurs for what is of another chat, or of a node that the subject does not name."""
    if sent.node != record.node:
        raise NotOurs(f"it says that node {sent.node[:40]!r} sent it")
    if history is not None and sent.history != history:
        raise NotOurs(f"it is of the chat {sent.history[:40]!r}")
