"""Private chats: making them, inviting, asking to join, leaving, and their owners.

Users who are not in a chat are refused with the same words as if it did not exist, since every rule looks among the
asker's own chats first. A chat ends with its last member.
"""

from chat_server.errors import Refusal
from chat_server.log.entries import Accept, Ask, MakeLink
from chat_server.protocol.arguments import Target
from chat_server.protocol.arguments import Username as UserName
from chat_server.protocol.base import Event
from chat_server.protocol.connection import Notice
from chat_server.protocol.rooms import (
    Approve,
    Approved,
    ChatCreated,
    ChatLeft,
    CreateChat,
    Decline,
    Denied,
    Deny,
    Entering,
    Give,
    InvitationDeclined,
    Invite,
    Invited,
    Joined,
    JoinRequest,
    Leave,
    Left,
    LinkMade,
    LinksRevoked,
    MemberList,
    MemberRemoved,
    Members,
    OwnerSet,
    Remove,
    RequestApproved,
    RequestDenied,
    RevokeLink,
    SetTopic,
    TopicChanged,
    TopicShown,
    UserInvited,
)
from chat_server.protocol.times import iso
from chat_server.rules.blocks import refuse_blocked
from chat_server.rules.context import Context, View
from chat_server.rules.lookup import find_room, find_user, unknown_chat_refusal, unknown_user_refusal
from chat_server.rules.moderation import refuse_banned
from chat_server.rules.outcomes import MembershipChange
from chat_server.rules.registry import reading, rule
from chat_server.rules.retention import note_moved
from chat_server.rules.text_quota import refuse_without_room
from chat_server.store import accounts, blocks, chats, files, rooms
from chat_server.store.accounts import User
from chat_server.store.rooms import Room

MEMBERS_LISTED_MAX = 1000
# Invitations of one user, and requests to join one chat, that wait for an answer.
INVITATIONS_MAX = 100
REQUESTS_MAX = 100


@rule(CreateChat)
def create_chat(context: Context, command: CreateChat) -> ChatCreated:
    user = context.user()
    refuse_banned(context, user)
    like = rooms.find_similar_name(context.db, command.name)
    if like is not None:
        name, same = like
        if same:
            raise Refusal("exists", f"there is a chat {name} already; choose another name")
        raise Refusal(
            "bad_name", f"the name #{command.name.name} is too much like that of another chat; choose another"
        )
    _refuse_too_many(context, user, user)
    room = rooms.insert(context.db, command.name, user.id)
    _add_member(context, room, user)
    context.push(Joined(room.name, user.name), user.id)
    return ChatCreated(room.name)


# ---- by invitation


@rule(Invite)
def invite(context: Context, command: Invite) -> UserInvited:
    user = context.user()
    refuse_banned(context, user)
    room = find_room(context.db, user.id, command.chat)
    guest = find_user(context.db, command.username.name, command.username.folded, user.id)
    if rooms.is_member(context.db, room.id, guest.id):
        raise Refusal("exists", f"{guest.name} is in {room.name} already")
    refuse_blocked(context, user, guest)
    if not rooms.is_invited(context.db, room.id, guest.id):
        if rooms.count_invitations(context.db, guest.id) >= INVITATIONS_MAX:
            raise Refusal(
                "too_many", f"{guest.name} has {INVITATIONS_MAX} invitations that wait for an answer; try again later"
            )
        notice = context.push_kept(Invited(room.name, user.name), guest.id)
        rooms.invite(context.db, room.id, guest.id, user.id, notice)
    return UserInvited(room.name, guest.name)


@rule(Accept)
def accept(context: Context, command: Accept) -> Entering:
    user = context.user()
    refuse_banned(context, user)
    room = rooms.of_member(context.db, user.id, command.chat.folded)
    if room is not None:
        return Entering(room.name)
    return _accept(context, _find_invitation(context, user, command.chat), user)


def _accept(context: Context, room: Room, user: User) -> Entering:
    _refuse_too_many(context, user, user)
    _add_member(context, room, user)
    context.push_room(room.id, Joined(room.name, user.name))
    context.push(Joined(room.name, user.name), user.id)
    return Entering(room.name)


@rule(Decline)
def decline(context: Context, command: Decline) -> InvitationDeclined:
    user = context.user()
    room = _find_invitation(context, user, command.chat)
    rooms.end_invitation(context.db, room.id, user.id)
    return InvitationDeclined(room.name)


def _find_invitation(context: Context, user: User, target: Target) -> Room:
    room = rooms.by_invitation(context.db, user.id, target.folded)
    if room is None:
        raise unknown_chat_refusal(str(target))
    return room


# ---- by a link, and the owner's word


@rule(MakeLink)
def make_link(context: Context, command: MakeLink) -> LinkMade:
    user = context.user()
    refuse_banned(context, user)
    room = find_room(context.db, user.id, command.chat)
    expires_ms = context.elapsed_ms + context.limits.link_ttl_ms
    rooms.insert_link(context.db, room.id, command.hash, expires_ms)
    return LinkMade(room.name, "", iso(context.now.wall_ms(expires_ms)))


@rule(RevokeLink)
def revoke_link(context: Context, command: RevokeLink) -> LinksRevoked:
    room = find_room(context.db, context.user().id, command.chat)
    return LinksRevoked(room.name, rooms.delete_links(context.db, room.id, context.elapsed_ms))


@rule(Ask)
def ask(context: Context, command: Ask) -> Entering:
    user = context.user()
    refuse_banned(context, user)
    room = rooms.by_link(context.db, command.hash, context.elapsed_ms)
    if room is None:
        raise _useless_code_refusal()
    if rooms.is_member(context.db, room.id, user.id):
        return Entering(room.name)
    if rooms.is_invited(context.db, room.id, user.id):
        return _accept(context, room, user)
    if blocks.is_blocked_between(context.db, user.id, room.owner):
        raise _useless_code_refusal()
    if not rooms.has_asked(context.db, room.id, user.id):
        if rooms.count_requests(context.db, room.id) >= REQUESTS_MAX:
            raise Refusal("too_many", f"{REQUESTS_MAX} people wait for the word of the owner; try again later")
        rooms.insert_request(
            context.db, room.id, user.id, context.push_kept(JoinRequest(room.name, user.name), room.owner)
        )
    return Entering(room.name, asked=True)


def _useless_code_refusal() -> Refusal:
    """Build one refusal for all reasons: `blocked` would tell somebody outside a chat who owns it."""
    return Refusal(
        "unknown_chat",
        "this code lets you ask nobody: it is not known, has expired or was revoked, or you and the owner of its chat"
        " do not speak; ask whoever gave it to you for another one",
    )


@rule(Approve)
def approve(context: Context, command: Approve) -> RequestApproved:
    user = context.user()
    refuse_banned(context, user)
    room, asker = _find_asker(context, user, command.chat, command.username)
    _refuse_too_many(context, asker, user)
    _add_member(context, room, asker)
    context.push_room(room.id, Joined(room.name, asker.name))
    context.push_kept(Approved(room.name), asker.id)
    return RequestApproved(room.name, asker.name)


@rule(Deny)
def deny(context: Context, command: Deny) -> RequestDenied:
    room, asker = _find_asker(context, context.user(), command.chat, command.username)
    rooms.end_request(context.db, room.id, asker.id)
    context.push_kept(Denied(room.name), asker.id)
    return RequestDenied(room.name, asker.name)


def _find_asker(context: Context, owner: User, target: Target, name: UserName) -> tuple[Room, User]:
    room = _own_room(context, owner, target)
    asker = accounts.by_name(context.db, name.folded)
    if asker is None:
        raise unknown_user_refusal(name.name)
    if not rooms.has_asked(context.db, room.id, asker.id):
        raise Refusal("unknown_user", f"{asker.name} does not ask to join {room.name}; /status lists who does")
    return room, asker


# ---- members


@reading(Members)
def members(view: View, command: Members) -> MemberList:
    room = find_room(view.db, view.user_id, command.chat)
    after = 0
    if command.after is not None:
        known = accounts.find_id_and_name(view.db, command.after.folded)
        if known is None or not rooms.is_member(view.db, room.id, known[0]):
            raise _no_member_refusal(room, command.after.name)
        after = known[0]
    names = rooms.member_names(view.db, room.id, MEMBERS_LISTED_MAX + 1, after)
    owner = accounts.by_id(view.db, room.owner)
    assert owner is not None, "an owner who deletes the account leaves first"
    listed = names[:MEMBERS_LISTED_MAX]
    return MemberList(
        room.name, owner.name, listed, f"/members {room.name} {listed[-1]}" if len(names) > len(listed) else None
    )


@rule(Leave)
def leave(context: Context, command: Leave) -> ChatLeft:
    user = context.user()
    room = find_room(context.db, user.id, command.chat)
    _remove_member(context, room, user, Left(room.name, user.name))
    context.push(Left(room.name, user.name), user.id)
    return ChatLeft(room.name)


def leave_all(context: Context, user: User) -> None:
    """Remove an account that ends from all private chats, with its invitations and requests."""
    for room in rooms.of_user(context.db, user.id):
        _remove_member(context, room, user, Left(room.name, user.name))
    rooms.forget_user(context.db, user.id)


@rule(Remove)
def remove(context: Context, command: Remove) -> MemberRemoved:
    user = context.user()
    room, member = _find_member(context, user, command.chat, command.username)
    left = Left(room.name, member.name, user.name)
    _remove_member(context, room, member, left)
    rooms.end_invitations_by(context.db, room.id, member.id)
    context.push_kept(left, member.id)
    return MemberRemoved(room.name, member.name)


@rule(Give)
def give(context: Context, command: Give) -> OwnerSet:
    user = context.user()
    room, member = _find_member(context, user, command.chat, command.username)
    refuse_blocked(context, user, member)
    _hand_over(context, room, member.id)
    return OwnerSet(room.name, member.name)


def _find_member(context: Context, owner: User, target: Target, name: UserName) -> tuple[Room, User]:
    """Find a chat that the user owns and another member of it."""
    room = _own_room(context, owner, target)
    member = accounts.by_name(context.db, name.folded)
    if member is None or not rooms.is_member(context.db, room.id, member.id):
        raise _no_member_refusal(room, name.name)
    if member.id == owner.id:
        raise Refusal("not_yourself", f"that is you, and {room.name} is yours; /leave {room.name} leaves it")
    return room, member


def _no_member_refusal(room: Room, name: str) -> Refusal:
    return Refusal("unknown_user", f"there is no {name} in {room.name}; /members {room.name} lists who is")


@rule(SetTopic)
def topic(context: Context, command: SetTopic) -> TopicShown:
    user = context.user()
    if command.text is not None:
        refuse_banned(context, user)
    room = find_room(context.db, user.id, command.chat)
    if command.text is None or command.text == (room.topic or ""):
        return TopicShown(room.name, room.topic)
    refuse_without_room(context, user.id, command.text, room.topic)
    rooms.set_topic(context.db, room.id, command.text or None)
    context.push_room(room.id, TopicChanged(room.name, command.text, user.name))
    return TopicShown(room.name, command.text or None)


# ---- parts


def _own_room(context: Context, user: User, target: Target) -> Room:
    room = find_room(context.db, user.id, target)
    if room.owner != user.id:
        owner = accounts.by_id(context.db, room.owner)
        raise Refusal("forbidden", f"only its owner may do that in {room.name}: ask {owner.name if owner else 'them'}")
    return room


def _refuse_too_many(context: Context, user: User, asker: User) -> None:
    most = context.limits.chats_max
    if rooms.count_of_user(context.db, user.id) >= most:
        who = f"you are in {most} private chats, the most there may be; /leave one first"
        if user.id != asker.id:
            who = f"{user.name} is in {most} private chats, the most there may be, and has to leave one first"
        raise Refusal("too_many", who)


def _add_member(context: Context, room: Room, user: User) -> None:
    rooms.join(context.db, room.id, user.id, context.elapsed_ms)
    rooms.end_invitation(context.db, room.id, user.id)
    rooms.end_request(context.db, room.id, user.id)
    context.membership_changes.append(MembershipChange(user.id, room.id, room.name, True))


def _remove_member(context: Context, room: Room, user: User, told: Event) -> None:
    """Remove a user from a chat and tell the others. An owner hands it over; the last member ends it."""
    marker = chats.read_id(context.db, user.id, room.id)
    rooms.leave(context.db, room.id, user.id)
    context.membership_changes.append(MembershipChange(user.id, room.id, room.name, False))
    heir = rooms.longest_member(context.db, room.id)
    if heir is None:
        files.delete_uploads_to(context.db, room.id)
        rooms.end(context.db, room.id)
        return
    note_moved(context, room.id, user.id, marker)
    context.push_room(room.id, told)
    if room.owner == user.id:
        _hand_over(context, room, heir)


def _hand_over(context: Context, room: Room, owner: int) -> None:
    """Hand a chat over to another owner, who is told of the requests that wait.

    Requests end if one of the two, the new owner and the user who asks, has blocked the other.
    """
    rooms.set_owner(context.db, room.id, owner)
    user = accounts.by_id(context.db, owner)
    assert user is not None
    context.push_room(room.id, Notice(f"{user.name} owns {room.name} now", chat=room.name, owner=user.name))
    for asker, name in rooms.requests(context.db, room.id):
        if blocks.is_blocked_between(context.db, asker, owner):
            rooms.end_request(context.db, room.id, asker)
            continue
        rooms.set_request_notice(context.db, room.id, asker, context.push_kept(JoinRequest(room.name, name), owner))
