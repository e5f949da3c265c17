"""Losses of the connection, of which one is told in each outage, however many tries fail after it."""

from chat_client.sdk.events import AnyEvent, Connected, Lost


class Losses:
    def __init__(self) -> None:
        self._is_told = False

    def is_news(self, state: AnyEvent) -> bool:
        """Whether a state of the connection is to be told. With several servers each try fails in other words."""
        if isinstance(state, Connected):
            self._is_told = False
        elif isinstance(state, Lost):
            is_news, self._is_told = not self._is_told or state.going_to is not None, state.going_to is None
            return is_news
        return True

    def tell_next(self) -> None:
        """Somebody has asked for a try, and wants to know how it ends."""
        self._is_told = False
