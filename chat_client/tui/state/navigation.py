"""Moving about: between chats, through what was said, from view to view."""

from collections.abc import Sequence

from chat_client.tui.render.items import begin
from chat_client.tui.state.effects import CancelTransfers, Copy, Leave, Results, Run, SetMouse, ThreadOf
from chat_client.tui.state.room import Room
from chat_client.tui.state.screen import Composing, Jump, Question, Screen
from chat_server.protocol.messages import Message

LOADED_MAX = 20  # chats whose messages are kept
STEPS_AHEAD = 10  # from the oldest result, when more of them are asked for


def open_chat(screen: Screen, name: str, text: str = "") -> None:
    """Show this chat; `text` is what stands in the input, and stays there as the draft of the one that is left."""
    left = screen.open
    screen.view = screen.jump = screen.help_from = screen.question = screen.put_out = None
    if name == screen.open_name:
        return
    left.draft = screen.composing.draft if screen.composing else text
    left.new_after = None
    left.feed.selected = None
    screen.composing = None
    screen.before_name, screen.open_name = screen.open_name, name
    room = screen.open
    room.new_after = room.read if room.unread else None
    screen.on_screen, screen.above = None, 0
    screen.visited.pop(name, None)
    screen.visited[name] = None
    _unload_others(screen)
    screen.load(room)
    if room.loaded and room.unread:
        show_unread(screen, room.read)
    if name.startswith("#") and room.members is None:
        screen.ask("members", None, chat=name)
    if room.draft or text:
        screen.set_text(room.draft)


def _unload_others(screen: Screen) -> None:
    """However many chats are looked at, only those of late are kept, and what was refused in one."""
    for name in list(screen.visited)[:-LOADED_MAX]:
        room = screen.rooms.get(name)
        if room is None or not room.feed.has_refused:
            del screen.visited[name]
            if room is not None:
                room.unload()


def names(screen: Screen) -> list[str]:
    return list(screen.rooms)


def open_number(screen: Screen, number: int, text: str) -> None:
    known = names(screen)
    if number <= len(known):
        open_chat(screen, known[number - 1], text)


def open_next(screen: Screen, by: int, text: str) -> None:
    known = names(screen)
    at = known.index(screen.open_name) if screen.open_name in known else 0
    open_chat(screen, known[(at + by) % len(known)], text)


def open_unread(screen: Screen, text: str) -> None:
    """The next chat with something unread: mentions first, then one-to-one, muted ones last. Each is shown once until
    all have been, unless something new was said in it: a marker moves a second later than a key is pressed again."""
    waiting = [room for room in screen.rooms.values() if room.unread and room is not screen.open]
    if not waiting:
        screen.tell("info", "nothing unread elsewhere")
        return
    screen.rounds[screen.open_name] = screen.open.newest
    left = [room for room in waiting if screen.rounds.get(room.name, -1) < room.newest]
    if not left:
        screen.rounds.clear()
    chosen = min(left or waiting, key=lambda room: (not room.calls, room.muted, not room.direct))
    screen.rounds[chosen.name] = chosen.newest
    open_chat(screen, chosen.name, text)


def find(screen: Screen, part: str) -> list[str]:
    """The chats, and people, whose names have this in them: those that begin with it first."""
    sought = part.casefold().lstrip("#@")
    known = [
        *screen.rooms,
        *(f"@{user}" for user in screen.users if user != screen.me and f"@{user}" not in screen.rooms),
    ]
    found = [name for name in known if sought in name.casefold()]
    if part[:1] in "#@" and part:
        found = [name for name in found if name.startswith(part[0])]
    return sorted(found, key=lambda name: not name.lstrip("#@").casefold().startswith(sought))


def jump_to(screen: Screen, text: str) -> None:
    """What the dialog has found is opened."""
    jump, screen.jump = screen.jump, None
    found = find(screen, jump.text) if jump else []
    if jump and found:
        open_chat(screen, found[min(jump.at, len(found) - 1)], text)


def start_jump(screen: Screen) -> None:
    screen.jump = Jump()
    screen.help_from = screen.question = None


# ---- through what was said


def scroll(screen: Screen, rows: int) -> None:
    """Up by so many rows; down, if negative. Pages of the server's are asked for as one comes near."""
    if screen.help_from is not None:
        screen.help_from = max(0, screen.help_from - rows)
        return
    feed = screen.feed
    feed.scroll(rows, screen.context, screen.geometry.feed_rows)
    want_more(screen)


def page_rows(screen: Screen) -> int:
    return max(1, screen.geometry.feed_rows - 2)


def want_more(screen: Screen) -> None:
    if screen.view is not None:
        view = screen.view
        if view.more is not None and (view.feed.near_start or view.feed.steps_left < STEPS_AHEAD):
            more, view.more = view.more, None  # asked once; the answer says whether there is more
            screen.do(Run(more, Results(view.title, more=True)))
        return
    room = screen.open
    feed = room.feed
    if not feed.at_start and feed.near_start and feed.first_id is not None:
        screen.fetch(room, "before", feed.first_id)
    if not feed.at_end and room.loaded and feed.near_end and feed.last_id is not None:
        screen.fetch(room, "after", feed.last_id)


def to_end(screen: Screen) -> None:
    """Back to the newest."""
    room = screen.open
    room.feed.selected = None
    if room.feed.at_end:
        room.feed.anchor = None
    else:
        screen.fetch(room, "newest")


def escape(screen: Screen) -> bool:
    """One step back from wherever one is; whether there was any."""
    if screen.help_from is not None:
        screen.help_from = None
    elif screen.jump is not None:
        screen.jump = None
    elif screen.question is not None:
        screen.question = None
    elif screen.composing is not None:
        screen.set_text(screen.composing.draft)
        screen.composing = None
    elif screen.choosing:
        screen.end_choosing()
    elif screen.feed.selected is not None and (screen.view is None or screen.view.kind == "thread"):
        screen.feed.selected = None
    elif screen.view is not None:
        screen.view = None
    elif screen.open.feed.anchor is not None or not screen.open.feed.at_end:
        to_end(screen)
    elif screen.above:
        mark_all(screen)
    else:
        return False
    return True


def mark_all(screen: Screen) -> None:
    """The open chat is read, what was never on the screen too."""
    room = screen.open
    newest = max(room.newest, room.feed.last_id or 0)
    screen.above = 0
    room.marked(newest, screen.me)
    screen.ask("read", None, chat=room.name, id=newest)


def first_unread(screen: Screen) -> None:
    room = screen.open
    screen.view = None
    after = room.new_after if room.new_after is not None else room.read if room.unread else None
    if after is None:
        screen.tell("info", "nothing unread here")
        return
    show_unread(screen, after)


def show_unread(screen: Screen, after: int) -> None:
    """Scroll the open chat to the first message behind this one, if not all of them fit."""
    room = screen.open
    feed = room.feed
    first = feed.first_of_others(after, screen.me)
    if first is not None and ((feed.first_id or 0) <= after or feed.at_start):
        screen.bring_up((first, 0))
    else:
        screen.fetch(room, "unread", after + 1)


# ---- messages


def choose(screen: Screen, by: int) -> None:
    """From here on keys act on the marked message, and on the next one up (-1) or down (1) where they do already."""
    if screen.choosing or screen.feed.selected is None:
        step(screen, by)
    screen.chosen_in = None if screen.feed.selected is None else screen.feed
    screen.flash = None  # the bar says what keys do now
    if screen.feed.selected is not None:
        screen.feed.show(screen.feed.selected, screen.context, screen.geometry.feed_rows)


def step(screen: Screen, by: int) -> None:
    """Mark the next message up (-1) or down (1)."""
    screen.feed.step(by, screen.context, screen.geometry.feed_rows)
    want_more(screen)


def open_thread(screen: Screen, id: int, typed: str = "") -> None:
    """`typed`: what stands in the line, and stays there."""
    screen.ask("thread", ThreadOf(id, typed), id=id)
    _needs_connection(screen)


def search(screen: Screen, query: str) -> None:
    screen.do(Run(f"/search {query}", Results(f"search · {query}")))


def _needs_connection(screen: Screen) -> None:
    if not screen.online:
        screen.tell("error", "there is no connection")


def open_in_place(screen: Screen, message: Message) -> None:
    """Leave the view for the place in its chat where this was said."""
    screen.view = None
    open_chat(screen, message.chat, screen.typed)
    room = screen.open
    if message.id in room.feed.said:
        room.feed.selected = message.id
        room.feed.show(message.id, screen.context, screen.geometry.feed_rows, "middle")
    else:
        room.asked.discard("newest")
        screen.fetch(room, "around", message.id)


def enter_on_selected(screen: Screen) -> None:
    message = screen.selected
    if message is None:
        return
    if screen.view is not None and screen.view.kind == "results":
        open_in_place(screen, message)
    else:
        thread_of_selected(screen)


def thread_of_selected(screen: Screen) -> None:
    if (message := screen.selected) is not None:
        screen.end_choosing()
        open_thread(screen, message.id, screen.typed)


def compose(screen: Screen, kind: str, text: str = "") -> None:
    """Reply to, edit or react to the chosen message with the next line; `text`, which stands in it, comes back then."""
    message = screen.selected
    if message is None:
        return
    if message.deleted:
        screen.tell("error", "it was deleted")
    elif screen.ban is not None:
        screen.tell("error", "you are banned: of what you wrote you can only delete")
    elif kind == "edit" and message.from_ != screen.me:
        screen.tell("error", "only your own messages can be edited; r replies")
    else:
        screen.end_choosing()
        screen.flash = None
        said = screen.text_of(message)
        screen.composing = Composing(kind, message.id, message.chat, text, said)  # type: ignore[arg-type]
        screen.set_text({"edit": said, "react": ":"}.get(kind, ""))


def delete(screen: Screen) -> None:
    message = screen.selected
    if message is None:
        return
    if message.deleted:
        screen.tell("error", "it was deleted")
    elif not screen.may_delete(message):
        screen.tell("error", "only your own messages can be deleted")
    else:
        screen.end_choosing()
        screen.question = Question(f"delete #{message.id} “{begin(message.text or '')[:40]}”?", "delete", message.id)


def copy_id(screen: Screen) -> None:
    if (message := screen.selected) is not None:
        screen.end_choosing()
        screen.do(Copy(f"#{message.id}"))
        screen.tell("done", f"copied #{message.id}")


def copy_text(screen: Screen) -> None:
    if (message := screen.selected) is not None and message.text:
        screen.end_choosing()
        screen.do(Copy(message.text))
        screen.tell("done", f"copied the text of #{message.id}")


# ---- the rest


def toggle_mouse(screen: Screen) -> None:
    screen.mouse = not screen.mouse
    screen.do(SetMouse(screen.mouse))
    screen.tell("info", "the mouse is the client's" if screen.mouse else "the mouse is the terminal's: it selects text")


def cancel_transfers(screen: Screen) -> None:
    screen.do(CancelTransfers())


def clicked(screen: Screen, id: int) -> None:
    """A click marks a message and no more: it is how one brings a window to the front, and what is typed next is text.
    The second one opens what was found."""
    feed = screen.feed
    screen.chosen_in = None
    if feed.selected == id and screen.view is not None and screen.view.kind == "results":
        enter_on_selected(screen)
    else:
        feed.selected = None if feed.selected == id else id


def offer(screen: Screen, command: str, text: str) -> None:
    """A command to type: in the line, if there is nothing in it, and what is typed is not an answer or an edit."""
    screen.end_choosing()
    if text or screen.composing is not None:
        screen.tell("info", command)
    else:
        screen.set_text(command)


def recent(rooms: Sequence[Room], me: str) -> list[str]:
    """Who spoke in these, the last one first."""
    seen: dict[str, None] = {}
    for room in rooms:
        seen.update(dict.fromkeys(reversed(room.speakers)))
    seen.pop(me, None)
    return list(seen)


def leave(screen: Screen) -> None:
    """At once, unless something would be lost."""
    waiting = len(screen.waiting)
    lost = [f"{waiting} not sent yet"] if waiting else []
    if screen.transfers:
        lost.append("a file is on its way")
    if lost:
        screen.question = Question(f"{' and '.join(lost)}: leave all the same?", "leave")
    else:
        screen.do(Leave())


def toggle_help(screen: Screen) -> None:
    screen.help_from = 0 if screen.help_from is None else None


def toggle_sides(screen: Screen) -> None:
    screen.sides = not screen.sides
