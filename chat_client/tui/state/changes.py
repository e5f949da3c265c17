"""Changes to messages that the server has not answered yet. The next change starts from them."""

from chat_client.tui.state.requests import ChangeRequest
from chat_server.protocol.messages import Message


class PendingChanges:
    def __init__(self) -> None:
        self._requests: list[ChangeRequest] = []

    def add(self, request: ChangeRequest) -> None:
        self._requests.append(request)

    def remove(self, request: ChangeRequest) -> None:
        """It was answered."""
        self._requests.remove(request)

    def text_of(self, message: Message) -> str:
        """Its text, or the new one while an edit is under way."""
        texts = [each.value for each in self._requests if (each.verb, each.id) == ("edit", message.id)]
        return texts[-1] if texts else message.text or ""

    def has_reacted(self, message: Message | None, id: int, emoji: str, me: str) -> bool:
        """Whether the user has reacted so, or will have when the change under way is answered."""
        verbs = [each.verb for each in self._requests if (each.id, each.value) == (id, emoji) and each.verb != "edit"]
        if verbs:
            return verbs[-1] == "react"
        return message is not None and me in (message.reactions or {}).get(emoji, [])
