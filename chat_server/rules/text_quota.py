"""The quota of one user's stored texts. Deleting, shortening and expiry free room again."""

from chat_server.errors import Refusal, no_room_refusal
from chat_server.protocol.file_names import describe_size
from chat_server.rules.context import Context, View
from chat_server.store import text_quota


def refuse_without_room(context: Context, user_id: int, new: str, old: str | None = None) -> None:
    """Refuse a text, new or in place of an old one, for which there is no room on the disk or in the user's quota.

    A text that is no longer than the old one is taken even on a full disk.
    """
    grows = len(new.encode()) - len((old or "").encode())
    if grows > 0:
        if not context.has_room:
            raise no_room_refusal()
        _refuse_over_quota(context, user_id, grows)


def refuse_over_text_quota(asked: Context | View, user_id: int, text: str) -> None:
    """Refuse a text for which the user's quota has no room."""
    _refuse_over_quota(asked, user_id, len(text.encode()))


def _refuse_over_quota(asked: Context | View, user_id: int, more: int) -> None:
    most = asked.limits.text_quota_bytes
    used = text_quota.reserve(asked.db, user_id, more, most)
    if used is not None:
        raise Refusal(
            "too_large",
            f"your stored texts may take {describe_size(most)} together, and take {describe_size(used)}; /delete"
            " messages that you do not need any more, /cancel_delayed some, or wait until some expire",
        )
