"""Several users do whatever they like; after each step one of them, and at the end all, see what the model says."""

from functools import partial

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import rule

from chat_server.entries import Seen
from tests.unit.rules.machine import NAMES, RoomRules, people, targets, texts
from tests.unit.rules.model import MAIN

backs = st.integers(0, 8)
emojis = st.sampled_from(("👍", "+1"))


class Everybody(RoomRules):
    @rule(name=people, text=texts)
    def send_all(self, name: str, text: str) -> None:
        self.both(lambda: self.model.send(name, MAIN, text), lambda: self.say(name, f"/send_all {text}").id)

    def recent(self, back: int) -> int:
        """An id, mostly of a message."""
        ids = [message.id for message in self.model.messages[-8:]]
        return ids[-back % len(ids)] if ids and back else 99_999

    @rule(name=people, back=backs, text=texts)
    def reply(self, name: str, back: int, text: str) -> None:
        id_ = self.recent(back)
        self.both(lambda: self.model.reply(name, id_, text), lambda: self.say(name, f"/reply {id_} {text}").id)

    @rule(name=people, back=backs, text=texts)
    def edit(self, name: str, back: int, text: str) -> None:
        id_ = self.recent(back)
        self.both(lambda: self.model.edit(name, id_, text), lambda: self.say(name, f"/edit {id_} {text}").seq)

    @rule(name=people, back=backs)
    def delete_message(self, name: str, back: int) -> None:
        id_ = self.recent(back)
        self.both(lambda: self.model.delete_message(name, id_), lambda: self.say(name, f"/delete {id_}").seq)

    @rule(name=people, back=backs, emoji=emojis)
    def react(self, name: str, back: int, emoji: str) -> None:
        id_ = self.recent(back)
        self.both(lambda: self.model.react(name, id_, emoji), lambda: self.say(name, f"/react {id_} {emoji}").seq)

    @rule(name=people, back=backs, emoji=emojis)
    def unreact(self, name: str, back: int, emoji: str) -> None:
        id_ = self.recent(back)
        self.both(lambda: self.model.unreact(name, id_, emoji), lambda: self.say(name, f"/unreact {id_} {emoji}").seq)

    @rule(name=people, back=backs)
    def thread(self, name: str, back: int) -> None:
        id_ = self.recent(back)
        if name in self.model.alive():
            self.both(
                lambda: self.shown(name, self.model.thread(name, id_)),
                lambda: self.chat.say(name, f"/thread {id_}").events,
            )

    @rule(name=people, delayed_id=st.integers(1, 6))
    def cancel(self, name: str, delayed_id: int) -> None:
        self.both(
            lambda: self.model.cancel(name, delayed_id),
            lambda: self.say(name, f"/cancel_delayed {delayed_id}") and None,
        )

    @rule(name=people, to=targets, back=st.integers(-1, 6))
    def read(self, name: str, to: str, back: int) -> None:
        up_to = max(0, self.model.seq - back)
        if name in self.model.alive():
            self.both(lambda: self.model.read(name, to, up_to), lambda: self.say(name, f"/read {to} {up_to}").id)

    @rule(name=people, back=st.integers(0, 5))
    def seen(self, name: str, back: int) -> None:
        if name in self.model.alive():
            up_to = max(0, self.model.seq - back)
            self.model.seen(name, up_to)
            self.chat.do(Seen(up_to), name)

    @rule(but=st.sampled_from((*NAMES, "nobody")), minutes=st.sampled_from((0, 59, 61)))
    def all_but_one_read(self, but: str, minutes: int) -> None:
        """And some time, so that messages live their life and go."""
        for name in self.model.alive():
            if name != but:
                self.seen(name, 0)
        self.time_passes(minutes)

    @rule(
        names=st.permutations(NAMES),
        count=st.integers(1, 3),
        to=st.sampled_from(NAMES[:2]),
        minutes=st.sampled_from((0, 5, 60)),
    )
    def report(self, names: list[str], count: int, to: str, minutes: int) -> None:
        """Several people at once, so that bans are not rare; and some time."""
        for name in names[:count]:
            self.both(partial(self.model.report, name, to), partial(self.reported, name, to))
        self.time_passes(minutes)

    def reported(self, name: str, to: str) -> int:
        reports: int = self.say(name, f"/report {to}").reports
        return reports

    @rule()
    def restart(self) -> None:
        self.chat.executor._load()


TestEverybody = Everybody.TestCase
TestEverybody.settings = settings(max_examples=30, stateful_step_count=50)
