"""The API of JetStream, called as it is documented, for its streams and what is put into them.

The package nats-py has the same calls, but what it makes of them has faults that a log cannot live with: its ordered
consumers may miss that they must be reset, the time in its metadata goes through a float, and its object store adds
bytes to bytes, which is quadratic. What is stored is NATS' own all the same: `nats stream` and `nats object` show it.
"""

import json
from typing import Any

from chat_server.errors import StartError
from chat_server.log.nats_connection import RETRY_SECONDS, Nats, NatsAccess, NatsMessage, place
from chat_server.log.stream import FateUnknown, NotAppended, StreamLost
from chat_server.runtime import Runtime

Json = dict[str, Any]

# An election takes 4 to 9 s, and whoever waits for an append asks again in the meantime.
APPEND_SECONDS = 3.0
ASK_SECONDS = 5.0
BEGIN_SECONDS = 10.0

NO_MESSAGE, NO_STREAM = 10037, 10059
_NOT_CLUSTERED, _OTHER_CONFIGURATION, _OVERLAP = 10074, 10058, 10065
_DISABLED = {10039, 10076}
_NO_QUORUM = 10008
# The codes of errors in answers to a publication which say that nothing was stored: limits, and wrong addresses.
_NOT_STORED = {10002, 10023, 10028, 10039, 10047, 10054, 10060, 10071, 10076, 10164}


class ApiError(Exception):
    """An error that JetStream answers, with its number."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


class Unanswered(NotAppended):
    """JetStream did not answer in time, as at the beginning of an election, or of an outage of most servers."""


async def call(connection: Nats, name: str, body: Json | None = None, seconds: float = ASK_SECONDS) -> Json:
    """Call the API of JetStream. Raises ApiError, and NotAppended where there is no answer."""
    try:
        message = await connection.request(f"$JS.API.{name}", json.dumps(body).encode() if body else b"", seconds)
    except FateUnknown as error:
        # None of the calls does more the second time.
        raise Unanswered(str(error)) from None
    return _answer(message)


def _answer(message: NatsMessage) -> Json:
    answer: Json = json.loads(message.data)
    if error := answer.get("error"):
        raise ApiError(error.get("err_code", 0), error.get("description", "an error without a word"))
    return answer


async def open_nats(runtime: Runtime, access: NatsAccess, node: str, seconds: float = 15.0) -> Nats:
    """Connect to NATS, and see that JetStream is on. Raises StartError once that has failed for `seconds`."""
    connection = Nats(runtime, access, node)
    why = ""
    try:
        async with runtime.timeout(seconds):
            while True:
                await connection.wait()
                try:
                    await call(connection, "INFO")
                except Unanswered:
                    return connection  # it is on, and whoever asks for streams waits for more servers
                except ApiError as error:
                    if error.code == _NO_QUORUM:
                        return connection
                    why = f"JetStream does not work: {error}"
                    if error.code in _DISABLED:
                        break
                except NotAppended as error:
                    why = str(error)
                else:
                    return connection
                await runtime.sleep(RETRY_SECONDS)
    except TimeoutError:
        pass
    await connection.close()
    places = ", ".join(map(place, access.urls))
    raise StartError(
        f"NATS cannot be used: {why or connection.trouble}; --cluster names {places}, and JetStream must be on there"
    )


# ---- streams


async def stream_info(connection: Nats, name: str, body: Json | None = None) -> Json:
    """Raises StreamLost, NotAppended."""
    try:
        return await call(connection, f"STREAM.INFO.{name}", body)
    except ApiError as error:
        if error.code == NO_STREAM:
            raise StreamLost(f"the stream {name} is not in NATS") from None
        raise NotAppended(f"the stream {name} cannot be asked: {error}") from None


async def begin_stream(connection: Nats, name: str, config: Json) -> None:
    """Make a stream with three replicas, or with one where the server is alone. Raises NotAppended, StartError."""
    config = {"name": name, "storage": "file", "discard": "new", "retention": "limits", **config}
    for replicas in (3, 1):
        config["num_replicas"] = replicas
        try:
            found = (await call(connection, f"STREAM.CREATE.{name}", config, BEGIN_SECONDS))["config"]
        except ApiError as error:
            if error.code == _NOT_CLUSTERED and replicas > 1:
                continue
            if error.code == _OVERLAP:
                raise StartError(
                    f"another stream in NATS takes the subjects {', '.join(config['subjects'])}, which {name} needs:"
                    " delete that one, or give this chat a NATS account of its own"
                ) from None
            if error.code != _OTHER_CONFIGURATION:
                raise NotAppended(f"the stream {name} cannot be made: {error}") from None
            try:
                found = (await stream_info(connection, name))["config"]
            except StreamLost as lost:
                raise NotAppended(str(lost)) from None
        _compare(name, config, found)
        return


def _compare(name: str, wanted: Json, found: Json) -> None:
    """Raise StartError where a stream has another configuration than it must have."""
    limits = {"max_age": 0, "max_msgs": -1, "max_bytes": -1, "max_msgs_per_subject": -1, "max_msg_size": -1}
    wanted = limits | wanted
    differing = [
        f"{key} is {found.get(key)!r} instead of {wanted[key]!r}"
        for key in wanted
        if found.get(key, False) != wanted[key]
    ]
    if differing:
        raise StartError(f"the stream {name} in NATS is not as this program makes it: {', '.join(differing)}")


async def delete_stream(connection: Nats, name: str) -> None:
    try:
        await call(connection, f"STREAM.DELETE.{name}", seconds=BEGIN_SECONDS)
    except ApiError as error:
        if error.code != NO_STREAM:
            raise NotAppended(f"the stream {name} cannot be deleted: {error}") from None


async def stream_names(connection: Nats, subject: str, prefix: str) -> list[str]:
    """The streams with a subject like this, whose names begin so; the rest of their names."""
    names: list[str] = []
    while True:
        try:
            page = await call(connection, "STREAM.NAMES", {"subject": subject, "offset": len(names)})
        except ApiError as error:
            raise NotAppended(f"the streams in NATS cannot be listed: {error}") from None
        names += page.get("streams") or []
        if len(names) >= page["total"] or not page.get("streams"):
            return [name.removeprefix(prefix) for name in names if name.startswith(prefix)]


async def append(
    connection: Nats, stream: str, subject: str, data: bytes, headers: dict[str, str] | None = None
) -> int:
    """Append a message to a stream; its sequence. Raises NotAppended, FateUnknown."""
    headers = {"Nats-Expected-Stream": stream, **(headers or {})}
    message = await connection.request(subject, data, APPEND_SECONDS, headers)
    try:
        sequence: int = _answer(message)["seq"]
        return sequence
    except ApiError as error:
        if error.code in _NOT_STORED:
            raise NotAppended(f"NATS refuses the message: {error}") from None
        # Such as a leader that could not write what the others may have written.
        raise FateUnknown(f"NATS says: {error}") from None
