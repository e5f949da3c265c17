"""The pipeline in every order: bytes cut anywhere, a slow reader, batches, results and pages whenever they come.

Whatever happens between, replies leave in the order of the commands, each exactly once, and each is the one that the
command has where everything is done one after the other.
"""

from collections.abc import Sequence

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chat_server.errors import Refusal
from chat_server.frontend import pipeline as p
from chat_server.log.entries import Logged, MarkRead, MarkSeen, SetPassword
from chat_server.protocol.connection import Pong
from chat_server.protocol.files import Chunk, SendFile
from chat_server.protocol.messages import History, Messages, SendAll
from chat_server.rules.outcomes import Opened, Page, Prepared, Stale
from chat_server.setting_kinds import Rate
from tests.unit.frontend.bench import Bench, message

Reply = tuple[str, str]

# Lines, and what is replied to them: to a user, and to a stranger.
LINES = {
    "/send_all {}": ("ok", "not_signed_in"),
    "/send_all refused": ("banned", "not_signed_in"),
    "/send_all": ("bad_argument", "not_signed_in"),
    "/delete 1": ("ok", "not_signed_in"),
    "/ping": ("ok", "ok"),
    "/nonsense": ("unknown_command", "unknown_command"),
    "/history main": ("ok", "not_signed_in"),
    "/history main x": ("bad_argument", "not_signed_in"),
    "/messages bob": ("ok", "not_signed_in"),
    "/password secret": ("ok", "not_signed_in"),
    "/chunk 1 eA==": ("ok", "not_signed_in"),
    "/send_file main a.txt 3": ("ok", "not_signed_in"),
    "/format json": ("ok", "ok"),
    "/format text": ("ok", "ok"),
    "/sign_out": ("ok", "not_signed_in"),
    "/sign_in alice": ("already_signed_in", "ok"),
    "/quit": ("ok", "ok"),
}
# What many programs send is drawn more often.
lines = st.lists(
    st.sampled_from([*LINES, *["/send_all {}"] * 8, "/delete 1", "/ping", "/history main", "/password secret"]),
    max_size=14,
)
steps = st.lists(
    st.tuples(
        st.sampled_from(
            ("receive", "receive", "deliver", "deliver", "answer", "answer", "page", "push", "block", "take", "wait")
        ),
        st.integers(0, 60),
    ),
    min_size=20,
    max_size=60,
)


examples = settings(
    max_examples=2 * settings().max_examples,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def expected(lines: Sequence[str], *, user: bool) -> list[Reply]:
    replies = []
    for number, line in enumerate(lines):
        replies.append((f"k{number}", LINES[line][0 if user else 1]))
        if line == "/sign_in alice":
            user = True
        elif line == "/sign_out":
            user = False
        elif line == "/quit":
            break
    return replies


def written(lines: Sequence[str]) -> bytes:
    """Each with a label of its own, which is also what is sent to everyone."""
    return "".join(f"@k{number} {line.format(f'k{number}')}\n" for number, line in enumerate(lines)).encode()


class Play:
    """A session, and what its other side is going to send."""

    def __init__(self, lines: Sequence[str], *, user: bool, rate: Rate | None = None) -> None:
        self.bench = Bench(rate=rate, burst=3)
        if user:
            self.bench.sign_in()
        self.bench.forget()
        self.unsent = written(lines)
        self.expected = expected(lines, user=user)
        self.was_full = False
        self._stale = 0

    def step(self, what: str, number: int) -> None:
        bench = self.bench
        if what == "receive" and self.unsent and bench.reading and not bench.hung_up:
            self.send(number + 1)
        elif what == "deliver":
            bench.deliver(1 + number % 5, lambda command: self.result(command, number))
        elif what == "answer" and bench.work:
            bench.answer(self.result_of_work(*bench.work, number))
        elif what == "page" and bench.missed:
            bench.answer_page()
        elif what == "push" and not bench.hung_up:
            bench.push(1 + number % 7)
        elif what == "block":
            bench.block()
        elif what == "take":
            bench.take()
        elif what == "wait":
            bench.advance(number / 10)
        assert self.is_expected(bench.replies)
        assert len(bench.log) <= p.IN_FLIGHT_MAX

    def is_expected(self, replies: list[Reply]) -> bool:
        """As far as it has come. Where the disk was full, anything may have been refused, but in its place."""
        anything = ("unavailable",) if self.was_full else ()
        return all(
            label == wanted and result in (usual, *anything)
            for (label, result), (wanted, usual) in zip(replies, self.expected[: len(replies)], strict=True)
        )

    def send(self, size: int) -> None:
        data, self.unsent = self.unsent[:size], self.unsent[size:]
        self.bench.receive(data)

    def result(self, command: Logged, number: int) -> object:
        if isinstance(command, SendFile):
            return Opened(1, 3)
        if isinstance(command, SetPassword) and number % 3 == 0 and self._stale < p.PREPARE_TRIES_MAX - 1:
            self._stale += 1
            return Stale()
        return self.bench.result_of(command)

    def result_of_work(self, kind: str, what: object, number: int) -> object:
        if kind == "prepare":
            self._stale = 0 if "prepare" not in self.bench.work_begun[-2:-1] else self._stale
            if isinstance(what, Chunk):
                return Pong()
            if isinstance(what, SendFile):
                return Prepared(what)
        if kind == "read" and isinstance(what, History | Messages):
            if number % 3:
                return Page([message(0)] * (number % 40))
            if isinstance(what, Messages):
                return Page((), (MarkRead(1, 1), Pong()))
        return None

    def finish(self) -> None:
        """Everything is sent, taken and answered."""
        bench = self.bench
        while self.unsent and not bench.hung_up:
            if bench.reading:
                self.send(len(self.unsent))
            bench.settle_down()
        bench.settle_down()


@examples
@given(lines=lines, steps=steps, user=st.booleans())
def test_each_command_has_its_reply_in_its_order(lines: list[str], steps: list[tuple[str, int]], user: bool) -> None:
    play = Play(lines, user=user)
    for step in steps:
        play.step(*step)
    play.finish()
    assert play.bench.replies == play.expected
    assert play.bench.hung_up is ("/quit" in lines)
    sent = [command.text for command in play.bench.logged if isinstance(command, SendAll)]
    assert [text for text in sent if text != "refused"] == [
        label for (label, result), line in zip(play.expected, lines, strict=False)
        if line == "/send_all {}" and result == "ok"
    ]  # fmt: skip


@examples
@given(lines=lines, steps=steps)
def test_the_rate_delays_and_changes_nothing_else(lines: list[str], steps: list[tuple[str, int]]) -> None:
    play = Play(lines, user=True, rate=Rate(1, 1000))
    for step in steps:
        play.step(*step)
    play.finish()
    assert play.bench.replies == play.expected


@examples
@given(lines=lines, steps=steps, full=st.lists(st.booleans(), min_size=60, max_size=60))
def test_a_disk_that_fills_changes_no_order(lines: list[str], steps: list[tuple[str, int]], full: list[bool]) -> None:
    play = Play(lines, user=True)
    play.was_full = True
    for (what, number), is_full in zip(steps, full, strict=False):
        play.bench.room_bytes = 0 if is_full else 1 << 30
        play.step(what, number)
    play.finish()
    assert len(play.bench.replies) == len(play.expected) and play.is_expected(play.bench.replies)


@examples
@given(lines=lines.filter(lambda lines: "/sign_out" not in lines), steps=steps)
def test_what_is_pushed_comes_once_and_in_order(lines: list[str], steps: list[tuple[str, int]]) -> None:
    play = Play(
        [line for line in lines if line != "/quit" and "history" not in line and "messages" not in line], user=True
    )
    for step in steps:
        play.step(*step)
    play.finish()
    assert play.bench.shown_ids == [each.id for each in play.bench.messages]


@examples
@given(lines=lines, before=steps, after=steps, user=st.booleans())
def test_after_the_end_of_the_input_what_was_taken_is_finished(
    lines: list[str], before: list[tuple[str, int]], after: list[tuple[str, int]], user: bool
) -> None:
    play = Play(lines, user=user)
    for step in before:
        play.step(*step)
    if not play.bench.hung_up:
        # Only whole lines count.
        received = len(written(lines)) - len(play.unsent)
        whole = written(lines)[:received].count(b"\n")
        play.unsent = b""
        play.expected = play.expected[:whole]
        play.bench.eof()
    for step in after:
        play.step(*step)
    play.bench.settle_down()
    assert play.bench.replies == play.expected
    assert play.bench.hung_up and play.bench.when_taken is not None


@examples
@given(lines=lines, before=steps, after=steps, how=st.sampled_from(("close", "lost")))
def test_after_the_end_nothing_is_written_or_done(
    lines: list[str], before: list[tuple[str, int]], after: list[tuple[str, int]], how: str
) -> None:
    play = Play(lines, user=True)
    for step in before:
        play.step(*step)
    bench = play.bench
    was_open = not bench.hung_up
    if how == "close":
        bench.pipeline.close("kicked", "go", bench.clock)
    else:
        bench.detach()
        bench.pipeline.lost(bench.clock)
    seen, logged = bench.taken, len(bench.logged)
    assert bench.work is None
    assert how == "lost" or not was_open or seen.endswith((b"* closing: go\n", b'"reason":"go","code":"kicked"}\n'))
    in_flight = list(bench.log)
    for what, number in after:
        if what != "take" or how == "close":
            bench.receive(play.unsent[:number])
        if what == "deliver" and how == "close":
            bench.deliver(number)
    assert bench.taken == seen and len(bench.logged) == logged
    assert len(in_flight) >= len(bench.log)


@examples
@given(lines=lines, before=steps)
def test_at_a_stop_everything_in_the_log_is_told_to_be_in_doubt(
    lines: list[str], before: list[tuple[str, int]]
) -> None:
    play = Play(lines, user=True)
    for step in before:
        play.step(*step)
    bench = play.bench
    if bench.hung_up:
        return
    bench.pipeline.stop()
    told, in_doubt = len(bench.replies), [each for each in bench.log if not isinstance(each[0], MarkSeen)]
    bench.pipeline.fail(Refusal("unavailable", "nobody knows"), bench.clock)
    bench.pipeline.close("shutdown", "stop", bench.clock)
    late = play.bench.replies[told:]
    assert [code for _, code in late][-len(in_doubt) or len(late) :] == ["unavailable"] * len(in_doubt)
    assert [label for label, _ in bench.replies] == [label for label, _ in play.expected[: len(bench.replies)]]
    assert bench.hung_up and bench.work is None
