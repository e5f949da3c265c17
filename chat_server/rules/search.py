"""Searching messages.

The index lags behind the messages, so that no message waits for it. The writer's thread advances it step by step (see
`store.local`). A search reads messages that are not indexed yet directly. It looks at a bounded part at a time, so that
other readers come in between, and ends its page early if it would take too long.
"""

from collections.abc import Iterable

from chat_server.errors import Refusal
from chat_server.protocol.arguments import ID_MAX
from chat_server.protocol.messages import Found, Message, Search
from chat_server.protocol.search_query import Piece, pieces
from chat_server.rules.context import View
from chat_server.rules.lookup import find_chat, unknown_user_refusal
from chat_server.rules.outcomes import Answer, Page
from chat_server.rules.registry import reading
from chat_server.store import accounts, chats, messages, search
from chat_server.store.database import Database

# The words of one search.
TOKENS_MAX = 64
PREFIX_CHARS_MIN = 2
# A page ends where it is, before it takes longer; `more` goes on from there.
SECONDS_MAX = 0.02
# After this time other readers come in between.
LOOK_SECONDS_MAX = 0.003


@reading(Search, reader="searches")
def search_messages(view: View, command: Search) -> Answer:
    sought = list(pieces(command.words))
    match = _match_words(view.db, sought)
    scope = _scope(view, command)
    if scope is None:
        return Found(0)
    match = f"{match} AND {scope}"
    ends, note = view.clock() + SECONDS_MAX, _incomplete_note(view)
    count, below = 0, command.before if command.before is not None else ID_MAX
    while below:
        wanted = view.limits.page_messages - count
        ids, looked_down_to = _look_up(view, match, below, wanted + 1)
        page = _load_visible(view, ids[:wanted])
        count += len(page)
        if len(ids) > wanted:
            return Page(page, Found(count, _next_search(command, sought, ids[wanted - 1] if wanted else below), note))
        below = looked_down_to
        if below and view.clock() + LOOK_SECONDS_MAX >= ends:
            return Page(page, Found(count, _next_search(command, sought, below), note))
        yield page
    return Found(count)


def _incomplete_note(view: View) -> str | None:
    """Return a note while the index is being rebuilt: then messages are searched one by one, and pages end sooner."""
    indexed, newest = search.position(view.db)
    if newest - indexed <= search.BEHIND_IDS_MAX:
        return None
    return f"the index of words is still being made ({indexed * 100 // newest} %), so this looked at a part only"


def _match_words(db: Database, sought: list[Piece]) -> str:
    """Build the FTS5 expression of the words, each of them quoted."""
    quoted, count = [], 0
    for piece in sought:
        tokens = search.tokenize(db, piece.text)
        count += len(tokens)
        if count > TOKENS_MAX:
            raise _usage_refusal(f"a search has at most {TOKENS_MAX} words")
        if not tokens:
            continue
        prefix = piece.prefix and search.space_out(tokens[-1]) == tokens[-1]
        if prefix and len(tokens[-1]) < PREFIX_CHARS_MIN:
            raise _usage_refusal(f"before a * there are at least {PREFIX_CHARS_MIN} letters")
        quoted.append(f'"{search.normalize(piece.text)}"' + " *" * prefix)
    if not quoted:
        raise _usage_refusal("there is no word in this: words have letters or digits")
    return f"text : ({' AND '.join(quoted)})"


def _usage_refusal(why: str) -> Refusal:
    return Refusal("bad_argument", f"{why}; usage: {Search.spec.usage}")


def _scope(view: View, command: Search) -> str | None:
    """Build the expression for the chats and the author; None for a chat in which nothing was ever said."""
    db, words = view.db, []
    if command.in_ is not None:
        chat_id, _ = find_chat(db, view.user_id, command.in_)
        if chat_id is None:
            return None
        words.append(f"c{chat_id}")
    else:
        words += [f"s{view.user_id}", *(f"c{chat_id}" for chat_id in chats.shared_chat_ids(db, view.user_id))]
    scope = _any_of(words)
    if command.from_ is not None:
        author = accounts.find_id_and_name(db, command.from_.folded)
        if author is None:
            raise unknown_user_refusal(command.from_.name)
        scope += f" AND {_any_of([f'u{author[0]}'])}"
    return scope


def _any_of(words: Iterable[str]) -> str:
    return f"scope : ({' OR '.join(words)})"


def _look_up(view: View, match: str, below: int, limit: int) -> tuple[list[int], int]:
    """Find the ids of matches, the newest first. Also return the id down to which all were looked at, 0 at the end."""
    indexed, newest = search.position(view.db)
    below = min(below, newest + 1)
    if below > indexed + 1:
        first = search.first_of_step(view.db, indexed, below)
        return search.find_unindexed(view.db, match, first - 1, below, limit), first
    found: list[int] = []
    ends = view.clock() + LOOK_SECONDS_MAX
    for ids, looked_down_to in search.find(view.db, match, below, limit):
        found += ids
        if len(found) >= limit or view.clock() >= ends:
            return found[:limit], looked_down_to
    return found, 0


def _load_visible(view: View, ids: list[int]) -> list[Message]:
    """Load those of the messages whose chats the asker is (still) in."""
    found = [message for message in (messages.find(view.db, id_) for id_ in ids) if message and not message.deleted]
    memberships = {id_: chats.find_membership(view.db, view.user_id, id_) for id_ in {each.chat_id for each in found}}
    names = {id_: membership.name for id_, membership in memberships.items() if membership is not None}
    return [messages.load_one(view.db, each.id, names[each.chat_id]) for each in found if each.chat_id in names]


def _next_search(command: Search, sought: list[Piece], below: int) -> str:
    parts = ["/search", *map(str, sought)]
    if command.in_ is not None:
        parts.append(f"in:{command.in_}")
    if command.from_ is not None:
        parts.append(f"from:{command.from_.name}")
    return " ".join([*parts, f"before:{below}"])
