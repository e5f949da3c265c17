"""Accounts: signing in and out, passwords, deletion; the lines of a sign-in; /status and /who."""

from collections.abc import Iterator

import msgspec

from chat_server.errors import Refusal, no_room_refusal
from chat_server.log.entries import (
    CloseAccount,
    Configure,
    EndTokens,
    Enter,
    EnterByToken,
    ForgetNotices,
    Limits,
    NoteDeparture,
    SetPassword,
    UseTokens,
)
from chat_server.protocol import decode_event
from chat_server.protocol.accounts import AccountDeleted, ActiveBan, PasswordSet, SignedIn, SignedOut
from chat_server.protocol.arguments import ID_MAX
from chat_server.protocol.base import Event
from chat_server.protocol.connection import Notice
from chat_server.protocol.names import Name
from chat_server.protocol.people import Limit, PreferencesTold, Status, StatusReport, Who, WhoReport
from chat_server.protocol.rooms import ChatInfo, Invitation, PendingRequest
from chat_server.protocol.times import DAY_MS, duration, iso
from chat_server.rules import erasure
from chat_server.rules.authorization import is_operator
from chat_server.rules.context import Context, View
from chat_server.rules.lookup import unknown_user_refusal
from chat_server.rules.outcomes import Answer, Ending, Entered, Page, Stale
from chat_server.rules.registration import note_registration, refuse_registration
from chat_server.rules.registry import reading, rule
from chat_server.rules.rooms import leave_all
from chat_server.rules.wrong_passwords import accept_password
from chat_server.store import (
    accounts,
    chats,
    delayed,
    files,
    message_pages,
    messages,
    moderation,
    notices,
    operators,
    preferences,
    registrations,
    retention,
    rooms,
    slow_mode,
    state,
    text_quota,
)
from chat_server.store.accounts import User
from chat_server.store.chats import MAIN, Membership
from chat_server.store.message_pages import Range

LIST_MAX = 1000
NOTICES_MAX = 1000


class Welcome(msgspec.Struct, frozen=True):
    """The query for what a session is shown after its sign-in (see `welcome`). `up_to` is the seq at the sign-in."""

    new: bool
    up_to: int
    position: int | None
    token: str | None


@rule(Configure)
def configure_chat(context: Context, command: Configure) -> None:
    if command.only_first and context.state.limits is not None:
        configure(context, context.limits, None)
    else:
        configure(context, command.limits, command.operators)


def configure(context: Context, limits: Limits, named: list[Name] | None) -> None:
    """Set the limits, and unless they stay, the operators that the settings name."""
    context.limits = limits
    state.configure(context.db, context.state, msgspec.json.encode(limits).decode())
    if named is not None:
        operators.configure(context.db, [(name.name, name.folded) for name in named])


@rule(Enter)
def enter(context: Context, command: Enter) -> Entered:
    user = accounts.by_name(context.db, command.name.folded)
    if user is None and not command.register:
        raise no_account_refusal(command.name)
    if user is None:
        name, user_id, new = command.name.name, _register(context, command), True
    else:
        _check_password(context, user, command)
        name, user_id, new = user.name, user.id, False
        _note_presence(context, user_id)
    if command.token_hash is not None:
        ended = accounts.insert_token(
            context.db, command.token_hash, user_id, context.elapsed_ms, command.client, context.network
        )
        _close_connections_of(
            context, ended, f"only the {accounts.TOKENS_MAX} newest sign-ins of a user last; sign in again"
        )
    return _let_in(context, user_id, name, new, command)


def no_account_refusal(name: Name) -> Refusal:
    """Build the refusal of a sign-in that names no account and must not register one."""
    return Refusal("unknown_user", f"there is no account {name.name}, and this sign-in was not to register one")


def _let_in(context: Context, user_id: int, name: str, new: bool, command: Enter | EnterByToken) -> Entered:
    registrations.note_network(context.db, user_id, context.network, context.elapsed_ms)
    in_rooms = tuple(rooms.ids_of_user(context.db, user_id))
    return Entered(user_id, name, new, in_rooms, accounts.away_text(context.db, user_id), command.token_hash)


def _close_connections_of(context: Context, tokens: list[tuple[int, bytes]], reason: str) -> None:
    """Close the connections that signed in by these tokens, given with their users, which have ended."""
    for user_id, token in tokens:
        context.endings.append(Ending(user_id, "signed_out", reason, token=token))


def end_old_tokens(context: Context, limit: int) -> None:
    old = accounts.delete_old_tokens(context.db, context.elapsed_ms - context.limits.token_ttl_ms, limit)
    _close_connections_of(context, old, "this sign-in has not been used for too long; sign in again")


def _register(context: Context, command: Enter) -> int:
    name = command.name
    if not context.has_room:
        raise no_room_refusal()
    refuse_registration(context, name, context.counted_network, command.code)
    if command.password_given and command.new_hash is None:
        raise Stale
    if command.new_hash is None and not context.limits.passwordless:
        words = f"an account here needs a password: /sign_in {name.name} <password>"
        raise Refusal("password_required", words, needs="new_password")
    user_id = accounts.insert(context.db, name, command.new_hash, context.at_ms, context.elapsed_ms)
    chats.insert_member(context.db, user_id, MAIN, messages.newest_id(context.db, MAIN), context.elapsed_ms)
    note_registration(context, command.code)
    return user_id


def _check_password(context: Context, user: User, command: Enter) -> None:
    if user.password_version != command.saw_version:
        raise Stale
    if user.password is None and command.password_given:
        raise Refusal("wrong_password", f"{user.name} has no password; /sign_in {user.name} signs in without one")
    if user.password is not None:
        accept_password(context, user)
    _refuse_passwordless(context, user)


def _refuse_passwordless(context: Context, user: User) -> None:
    """Refuse an account without a password where one is needed. MUST be called at every kind of sign-in.

    The account may be from a time when the server listened on loopback alone. Its name was enough to sign in then, so
    that the holder of one of its tokens may not be its owner.
    """
    if user.password is None and not context.limits.passwordless:
        raise Refusal(
            "password_required",
            f"{user.name} has no password, and here an account needs one; whoever runs the server can set it:"
            f" chat-server password {user.name}",
        )


def bad_token_refusal() -> Refusal:
    return Refusal("bad_token", "this token is unknown, ended or too old; sign in with /sign_in <username>")


@rule(EnterByToken)
def enter_by_token(context: Context, command: EnterByToken) -> Entered:
    user_id = accounts.user_of_token(context.db, command.token_hash, context.elapsed_ms - context.limits.token_ttl_ms)
    user = user_id and accounts.by_id(context.db, user_id)
    if not user:
        raise bad_token_refusal()
    _refuse_passwordless(context, user)
    accounts.enter_by_token(context.db, command.token_hash, context.elapsed_ms, command.client, context.network)
    _note_presence(context, user.id)
    return _let_in(context, user.id, user.name, False, command)


def _note_presence(context: Context, user_id: int) -> None:
    accounts.set_seen(context.db, user_id, context.at_ms)
    retention.set_present(context.db, user_id, context.elapsed_ms)


@rule(UseTokens)
def use_tokens(context: Context, command: UseTokens) -> None:
    for token_hash in command.hashes:
        accounts.touch_token(context.db, token_hash, context.elapsed_ms)


@rule(EndTokens)
def end_tokens(context: Context, command: EndTokens) -> SignedOut:
    if command.session is None:
        accounts.delete_tokens(context.db, context.user_id)
    elif command.token is not None:
        accounts.delete_token(context.db, command.token, context.user_id)
    reason = "signed out from another connection"
    context.endings.append(Ending(context.user_id, "signed_out", reason, command.session, command.token, "signed_out"))
    return SignedOut(0)


@rule(SetPassword)
def set_password(context: Context, command: SetPassword) -> PasswordSet:
    user = _confirmed_user(context, command.saw_version)
    accounts.set_password(context.db, user.id, command.new_hash)
    accounts.delete_tokens(context.db, user.id, keep=command.keep)
    reason = "the password was changed on another connection; sign in with the new one"
    context.endings.append(Ending(user.id, "signed_out", reason, asker="kept"))
    return PasswordSet()


@rule(CloseAccount)
def close_account(context: Context, command: CloseAccount) -> AccountDeleted:
    return remove_account(context, _confirmed_user(context, command.saw_version))


def _confirmed_user(context: Context, saw_version: int) -> User:
    """Return the user who asks, with the password of this version if there is any."""
    user = context.user()
    if user.password_version != saw_version:
        raise Stale
    if user.password is not None:
        accept_password(context, user)
    return user


def remove_account(context: Context, user: User) -> AccountDeleted:
    """Delete an account and its texts. The threads of others stay whole."""
    leave_all(context, user)
    operators.remove(context.db, accounts.folded_name(context.db, user.id))
    accounts.delete(context.db, user.id, context.at_ms)
    context.push(Notice(f"{user.name} deleted the account; what {user.name} wrote is gone"))
    context.hang_up(user.id, "account_deleted", "this account was deleted")
    erasure.begin(context, user.id)
    return AccountDeleted(user.name)


@rule(NoteDeparture)
def note_departure(context: Context, command: NoteDeparture) -> None:
    accounts.set_seen(context.db, context.user_id, context.at_ms)
    # A node that was killed says of none of its uploads that nobody holds them any more.
    files.leave_of_user(context.db, context.user_id, context.elapsed_ms + files.UPLOAD_LIFE_MS)


# ---- reading


@reading(Welcome)
def welcome(view: View, command: Welcome) -> Answer:
    """Show a new user the last messages of main, and others all unread messages, sorted by id.

    With a position, show all that is new or changed above it instead, sorted by seq.
    """
    user = _asker(view)
    memberships = chats.of_user(view.db, view.user_id)
    listed = _list_chats(view, user, command.up_to)
    # Before the messages: whom one ignores is not shown.
    kept_for_clients = preferences.of_user(view.db, view.user_id)
    page: list[Event] = [PreferencesTold(kept_for_clients)] if kept_for_clients else []
    if command.new:
        if last := messages.load_page(
            view.db, MAIN, "main", view.limits.replay_messages, below=command.up_to + 1, newest_first=True
        ):
            page += [Notice(f"welcome, {user.name}; the last messages of main:"), *last]
        page += [Notice(words) for words in _first_words(view, user)]
    elif command.position is not None:
        ranges = [Range(each.chat_id, each.name, command.position, command.up_to) for each in memberships]
        yield page
        page = []
        yield from message_pages.load_new_and_changed(view.db, ranges)
    else:
        yield [*page, _unread_notice(listed)]
        page = []
        ranges = [Range(each.chat_id, each.name, each.read_id, command.up_to) for each in memberships]
        yield from message_pages.load_new(view.db, ranges, not_by=view.user_id)
    kept = notices.of_user(view.db, view.user_id, NOTICES_MAX)
    page += [decode_event(event) for _, event in kept]
    history = state.load(view.db).history
    assert history is not None
    reply = SignedIn(
        user=user.name,
        new=command.new,
        seq=command.up_to,
        history=history,
        chats=listed[:LIST_MAX],
        invitations=_invitations(view),
        join_requests=_requests(view),
        token=command.token,
        ban=_ban(view, user),
    )
    return Page(page, (ForgetNotices([notice for notice, _ in kept]), reply) if kept else reply)


def _asker(view: View) -> User:
    user = accounts.by_id(view.db, view.user_id)
    if user is None:
        raise Refusal("not_signed_in", "this account has been deleted")
    return user


def _list_chats(view: View, user: User, up_to: int = ID_MAX) -> list[ChatInfo]:
    """List the user's chats with their counts of unread messages up to an id.

    At most LIST_MAX members of private chats are listed in all.
    """
    private = {room.id: room for room in rooms.of_user(view.db, user.id)}
    left = LIST_MAX

    def chat(each: Membership) -> ChatInfo:
        nonlocal left
        unread = messages.count_unread(view.db, user.id, each.chat_id, each.read_id, up_to)
        room = private.get(each.chat_id)
        if room is None:
            members = [user.name, each.name[1:]] if each.name.startswith("@") else None
            slow_ms = slow_mode.interval_ms(view.db, MAIN) if each.chat_id == MAIN else 0
            return ChatInfo(
                name=each.name,
                read=each.read_id,
                unread=unread,
                muted=each.muted,
                members=members,
                slow_mode=slow_ms // 1000,
            )
        owner = accounts.by_id(view.db, room.owner)
        names = rooms.member_names(view.db, room.id, left + 1)
        more = f"/members {room.name}" if len(names) > left else None
        members, left = names[:left], left - len(names[:left])
        return ChatInfo(
            name=each.name,
            read=each.read_id,
            unread=unread,
            muted=each.muted,
            owner=owner.name if owner else None,
            topic=room.topic,
            members=members,
            more=more,
            slow_mode=room.slow_ms // 1000,
        )

    return [chat(each) for each in chats.of_user(view.db, user.id)]


def _invitations(view: View) -> list[Invitation]:
    return [Invitation(chat, by) for chat, by in rooms.invitations(view.db, view.user_id, LIST_MAX)]


def _requests(view: View) -> list[PendingRequest]:
    return [PendingRequest(chat, asker) for chat, asker in rooms.requests_to(view.db, view.user_id, LIST_MAX)]


def _first_words(view: View, user: User) -> Iterator[str]:
    """Tell a newcomer, before it bites, of the limits in main, the life of messages, and a name without a password."""
    most, window_ms, life_ms = view.limits.main_rate_count, view.limits.main_rate_window_ms, view.limits.message_ttl_ms
    parts = []
    if most is not None:
        parts.append(f"main takes {most} messages of yours in {duration(window_ms)}, private chats any number")
    if slow_ms := slow_mode.interval_ms(view.db, MAIN):
        parts.append(f"main is in slow mode: everybody may send one message in {duration(slow_ms)}")
    if life_ms is not None:
        parts.append(f"a message is gone {duration(life_ms)} after all have read it")
    if parts:
        yield "; ".join(parts)
    if user.password is None:
        yield f"{user.name} has no password: /password <new> sets one, so that nobody else signs in as {user.name}"


def _unread_notice(listed: list[ChatInfo]) -> Notice:
    counts = {chat.name: chat.unread for chat in listed if chat.unread}
    if not counts:
        return Notice("nothing unread", unread={})
    named = ", ".join(f"{name} {count}" for name, count in list(counts.items())[:LIST_MAX])
    return Notice(f"{sum(counts.values())} unread: {named}", unread=counts)


def _ban(view: View, user: User) -> ActiveBan | None:
    if user.ban_until_ms <= view.elapsed_ms:
        return None
    return ActiveBan(iso(view.now.wall_ms(user.ban_until_ms)), user.ban_reason or "")


@reading(Status, shows_online=True)
def status(view: View, command: Status) -> StatusReport:
    user = _asker(view)
    listed, more = _list_people(view, command.after.folded if command.after else "")
    return StatusReport(
        user=user.name,
        active=[name for user_id, name in listed.items() if user_id in view.online],
        inactive=[name for user_id, name in listed.items() if user_id not in view.online],
        chats=_list_chats(view, user)[:LIST_MAX],
        invitations=_invitations(view),
        join_requests=_requests(view),
        limits=dict(_limits(view, user)),
        at=iso(view.at_ms),
        away=accounts.away_texts(view.db, list(listed)) or None,
        ban=_ban(view, user),
        more=more,
        operator=is_operator(view.db, user.id),
        note=view.online_note,
    )


def _list_people(view: View, after: str) -> tuple[dict[int, str], str | None]:
    """List at most `LIST_MAX` users, names by id, and the command for the next page.

    If all users who are online fit into a page, they come first on the first one. All others are sorted by name.
    """
    online = {} if after or len(view.online) >= LIST_MAX else view.online
    known = [each for each in accounts.names(view.db, LIST_MAX + 1, after) if each[0] not in online]
    room = LIST_MAX - len(online)
    more = f"/status {known[room - 1][1]}" if len(known) > room else None
    return dict(sorted(online.items(), key=lambda each: each[1].casefold())) | dict(known[:room]), more


def _limits(view: View, user: User) -> Iterator[tuple[str, Limit]]:
    """Yield each limit that is counted, with what the user has used of it."""
    limits = view.limits
    if limits.main_rate_count is not None:
        ends_ms = user.rate_start_ms + limits.main_rate_window_ms
        running = view.elapsed_ms < ends_ms
        used = user.rate_count if running else 0
        yield "main_messages", Limit(used, limits.main_rate_count, iso(view.now.wall_ms(ends_ms)) if running else None)
    yield "chats", Limit(rooms.count_of_user(view.db, user.id), limits.chats_max)
    yield "delayed", Limit(delayed.count_of(view.db, user.id), limits.delayed_max)
    yield "file_bytes", Limit(files.bytes_of(view.db, user.id), limits.file_quota_bytes)
    yield "text_bytes", Limit(text_quota.bytes_of(view.db, user.id), limits.text_quota_bytes)
    reports = moderation.count_reports_by(view.db, user.id, view.elapsed_ms - DAY_MS)
    yield "reports", Limit(reports, limits.reports_per_day)


@reading(Who, shows_online=True)
def who(view: View, command: Who) -> WhoReport:
    user = accounts.by_name(view.db, command.username.folded)
    if user is None:
        raise unknown_user_refusal(command.username.name)
    seen_ms = accounts.last_seen_ms(view.db, user.id)
    online = user.id in view.online
    last_seen = iso(seen_ms) if seen_ms and not online else None
    away = accounts.away_text(view.db, user.id)
    return WhoReport(user.name, online, iso(view.at_ms), last_seen, away, view.online_note)
