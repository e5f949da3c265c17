"""What the log says of each batch: real rules and deliveries, without sockets."""

import io
import re
from pathlib import Path

import pytest

from chat_server.action_log import ActionLog, LineForm
from chat_server.trail import Trail
from tests.unit.one_node import Chat, run

pytestmark = pytest.mark.usefixtures("at_once")

GONE = 99  # the number of a session that has ended


@pytest.mark.parametrize("is_member", [False, True])
def test_a_batch_of_messages_leaves_a_line_and_any_other_none(tmp_path: Path, is_member: bool) -> None:
    stream = io.StringIO()

    async def talk(chat: Chat) -> None:
        node = chat.node
        actions = ActionLog(chat.runtime, LineForm(chat.runtime, json=False), enabled=True, stream=stream)
        node.on_delivered = Trail(actions, node.delivery.feed, is_member=is_member).note
        await chat.sign_in()
        chat.session.number = GONE
        chat.say("/report bob x")
        await chat.settle()
        assert stream.getvalue() == "", "nobody said anything"
        chat.say("/send_all one", "/send_all two")
        await chat.settle()
        chat.say("/send_delayed main 1s later")
        await chat.settle(5)
        actions.enabled = False
        chat.say("/send_all three")
        await chat.settle()

    run(tmp_path, talk)
    lines = [
        re.sub(r"^\S+ INFO |number=\S+ | commit_ms=\S+|node=\w+ ", "", line) for line in stream.getvalue().splitlines()
    ]
    unanswered = f"action user=alice session={GONE} address=- do=unanswered result=ok ms=0.0"
    assert lines == [
        f"{unanswered} id=1",
        f"{unanswered} id=2",
        "batch seq=1-2 entries=2 to=0",
        "action user=alice session=0 address=- do=delayed result=ok ms=0.0 id=3",
        "batch seq=3 entries=1 to=0",
    ]
    assert (" node=" in stream.getvalue()) == is_member


def test_what_has_expired_is_named(tmp_path: Path) -> None:
    stream = io.StringIO()

    async def talk(chat: Chat) -> None:
        node = chat.node
        await chat.sign_in()
        chat.say("/send_all one", "/send_all two", "/send_all three", "/edit 1 once")
        await chat.settle()
        actions = ActionLog(chat.runtime, LineForm(chat.runtime, json=False), enabled=True, stream=stream)
        node.on_delivered = Trail(actions, node.delivery.feed, is_member=False).note
        await chat.settle(2 * 3600)

    run(tmp_path, talk)
    assert [line.partition(" INFO ")[2] for line in stream.getvalue().splitlines()] == ["expired ids=1-3"]
