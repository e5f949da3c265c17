"""Blocks between users: nothing new goes between the two, and neither's mentions count."""

from chat_server.errors import Refusal
from chat_server.protocol.people import BlockList, BlockSet, BlockUser, ListBlocked, UnblockUser
from chat_server.rules.context import Context, View
from chat_server.rules.lookup import Place, find_user, unknown_user_refusal
from chat_server.rules.registry import reading, rule
from chat_server.store import accounts, blocks, rooms
from chat_server.store.accounts import User

# One user may block so many others.
BLOCKED_MAX = 1000


def refuse_blocked(asked: Context | View, one: User, other: User) -> None:
    """Refuse if one has blocked the other. MUST be called before one sends the other a message, file or invitation."""
    if blocks.is_blocked_between(asked.db, one.id, other.id):
        raise blocked_refusal(other.name)


def blocked_refusal(name: str) -> Refusal:
    """Build the refusal, whose words are the same for both, so that they do not tell who has blocked whom."""
    return Refusal("blocked", f"nothing goes between you and {name}: one of you has blocked the other; see /blocked")


def refuse_blocked_at(context: Context, user: User, place: Place) -> None:
    """Refuse as `refuse_blocked` does if the place is the one-to-one chat of two users of whom one blocks the other."""
    if any(blocks.is_blocked_between(context.db, user.id, other) for other, _ in place.readers if other != user.id):
        raise blocked_refusal(place.name_for(user.id).removeprefix("@"))


def find_mentioned(context: Context, author: User, chat_id: int, named: tuple[str, ...]) -> list[str] | None:
    """Find the users whom a text mentions: those it names who are in the chat and have not blocked the author.

    Return None if it names no user at all. An empty list means that it names some, none of whom it mentions.
    """
    found = [blocks.find_named(context.db, folded, chat_id, author.id) for folded in named]
    users = [user for user in found if user is not None]
    return [name for name, is_called in users if is_called] if users else None


@rule(BlockUser)
def block(context: Context, command: BlockUser) -> BlockSet:
    user = context.user()
    other = find_user(context.db, command.username.name, command.username.folded, user.id)
    if not blocks.has_blocked(context.db, user.id, other.id) and blocks.count_of(context.db, user.id) >= BLOCKED_MAX:
        raise Refusal("too_many", f"you have blocked {BLOCKED_MAX} users already; /unblock one of them first")
    blocks.insert(context.db, user.id, other.id)
    # Invitations and requests that wait would go on counting towards the limits of both.
    rooms.end_between(context.db, user.id, other.id)
    return BlockSet(other.name, True)


@rule(UnblockUser)
def unblock(context: Context, command: UnblockUser) -> BlockSet:
    user = context.user()
    other = accounts.find_id_and_name(context.db, command.username.folded)
    if other is None:
        raise unknown_user_refusal(command.username.name)
    if other[0] == user.id:
        raise Refusal("not_yourself", "that is you; name somebody else")
    blocks.delete(context.db, user.id, other[0])
    return BlockSet(other[1], False)


@reading(ListBlocked)
def list_blocked(view: View, command: ListBlocked) -> BlockList:
    return BlockList(blocks.names_of(view.db, view.user_id))
