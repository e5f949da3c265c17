"""What nodes tell each other over the message bus, as bytes; what cannot be read is left out."""

import logging
from typing import Any, Generic, TypeVar

from msgspec.msgpack import Decoder, Encoder

from chat_server.errors import UNDECODABLE

log = logging.getLogger("chat.cluster")

M = TypeVar("M")

encode = Encoder().encode


class BusDecoder(Generic[M]):
    """Reads messages of one kind. A newer node may say more than this one understands, and anybody may send rubbish."""

    def __init__(self, type: Any, what: str) -> None:
        """`what` names such a message in the log."""
        self._decode = Decoder(type).decode
        self._what = what
        self._has_warned = False

    def decode(self, data: bytes) -> M | None:
        """Return the message, None if it cannot be read. The first such message is logged."""
        try:
            message: M = self._decode(data)
        except UNDECODABLE as error:
            if not self._has_warned:
                log.warning("%s cannot be read and is left out, as others like it will be: %s", self._what, error)
            self._has_warned = True
            return None
        return message
