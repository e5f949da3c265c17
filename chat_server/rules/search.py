"""Searching what was written, and keeping the index that this looks in.

The index is behind the messages, so that no message waits for it: `Due` takes it on, step by step, and a batch itself
only where it would fall too far behind. A search reads what is not indexed yet from the messages. It looks at a bounded
part of them at a time, so that others who read come in between, and ends its page early where it would take too long.
"""

from collections.abc import Iterable

from chat_server.errors import Refusal
from chat_server.protocol.arguments import ID_MAX
from chat_server.protocol.messages import Found, Message, Search
from chat_server.protocol.search_query import Piece, pieces
from chat_server.rules.context import Context, View
from chat_server.rules.lookup import find_chat, unknown_user_refusal
from chat_server.rules.outcomes import Answer
from chat_server.rules.registry import reading
from chat_server.store import accounts, chats, messages, search
from chat_server.store.database import Database

# A message is indexed about so long after it was sent, and a step of tidying taken.
INDEX_AFTER_MS = 250
# The more blocks have to be tidied the more often such a step comes, up to so many times as often: a block takes about
# eleven steps, and about twenty of them are done within 10 s.
HASTE_MAX = 8
# Past so many ids behind the messages, the index goes on in every batch.
BEHIND_IDS_MAX = 32_768
# Of one search.
TOKENS_MAX = 64
PREFIX_CHARS_MIN = 2
# Past so long a page ends where it is: `more` goes on from there.
SECONDS_MAX = 0.03
# Past so long others who read come in between.
LOOK_SECONDS_MAX = 0.005


def index_next(context: Context) -> None:
    """Index the next messages; for `Due`."""
    state = context.state
    if state.indexed < state.seq:
        state.indexed = search.index_step(context.db, state.indexed, state.seq)
    search.tidy_step(context.db)
    state.index_due_ms = None


def keep_index_close(context: Context, came: int) -> None:
    """At the end of each batch, which gave out so many ids: see to it that the index goes on.

    One that is made anew is far behind. A batch takes it no further than twice what came, so that it gains on whatever
    comes and yet nobody waits for it; the rest is done by `Due`, which is at hand soon then.
    """
    state = context.state
    goal = min(state.seq - BEHIND_IDS_MAX, state.indexed + 2 * came)
    while state.indexed < goal:
        state.indexed = search.index_step(context.db, state.indexed, state.seq)
    stale = HASTE_MAX if state.indexed < state.seq - BEHIND_IDS_MAX else search.count_stale_blocks(context.db)
    if state.indexed == state.seq and not stale:
        state.index_due_ms = None
    elif state.index_due_ms is None:
        state.index_due_ms = context.elapsed_ms + INDEX_AFTER_MS // max(1, min(2 * stale, HASTE_MAX))


# ---- searching


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
        yield page
        count += len(page)
        if len(ids) > wanted:
            return Found(count, _next_search(command, sought, ids[wanted - 1] if wanted else below), note)
        below = looked_down_to
        if below and view.clock() >= ends:
            return Found(count, _next_search(command, sought, below), note)
    return Found(count)


def _incomplete_note(view: View) -> str | None:
    """While the index is made anew what it lacks is looked through message by message, so that pages end sooner."""
    indexed, newest = search.position(view.db)
    if newest - indexed <= BEHIND_IDS_MAX:
        return None
    return f"the index of words is still being made ({indexed * 100 // newest} %), so this looked at a part only"


def _match_words(db: Database, sought: list[Piece]) -> str:
    """The words as FTS5 takes them, all of them quoted."""
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
    """Where and by whom, in the words of the index; None where nothing was ever said."""
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
    """Ids of what matches, the newest first; and down to which id all was looked at, 0 at the end."""
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
    """The messages in chats that the asker is (still) in."""
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
