"""The encoding of batches in a replicated log: magic bytes, a version, and MessagePack.

Entries are encoded one by one as they come, so that the size of a batch is known while it gathers and no entry is
encoded twice.
"""

from msgspec import DecodeError, Raw, Struct
from msgspec.msgpack import Decoder, Encoder

from chat_server.log.entries import VERSION, Batch, Entry, wrong_version
from chat_server.log.stream import StreamRecord

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


class _Encoded(Struct, array_like=True):
    """A batch whose entries are encoded already; its fields MUST be those of `Batch`."""

    history: str
    node: str
    incarnation: int
    nonce: bytes
    number: int
    sent_ms: int
    entries: list[Raw]
    version: int


def encode_entry(entry: Entry) -> bytes:
    return _encoder.encode(entry)


def encode(batch: Batch, entries: list[bytes] | None = None) -> bytes:
    """Encode a batch. `entries` are its entries as `encode_entry` gave them, if they are at hand."""
    raw = [Raw(entry) for entry in (map(encode_entry, batch.entries) if entries is None else entries)]
    encoded = _Encoded(
        batch.history, batch.node, batch.incarnation, batch.nonce, batch.number, batch.sent_ms, raw, batch.version
    )
    return MAGIC + batch.version.to_bytes(_VERSION_BYTES) + _encoder.encode(encoded)


def decode(record: StreamRecord) -> Batch:
    """Decode the batch of a record. Raises NotOurs, and WrongBatch for one of a version that is not known here."""
    data = record.data
    start = len(MAGIC) + _VERSION_BYTES
    if len(data) < start or not data.startswith(MAGIC):
        raise NotOurs("it was not written by chat-server")
    version = int.from_bytes(data[len(MAGIC) : start])
    if version != VERSION:
        raise wrong_version(record.position, version, record.node)
    try:
        batch = _decoder.decode(memoryview(data)[start:])
    except (DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise NotOurs(f"it cannot be read: {error}") from None
    if batch.version != version:
        raise NotOurs("it has two versions")
    if batch.node != record.node:
        raise NotOurs(f"it says that node {batch.node[:40]!r} sent it")
    return batch
