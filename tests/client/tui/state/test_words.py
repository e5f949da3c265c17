from chat_client.sdk.codec import REPLIES
from chat_client.sdk.events import OtherReply, Unknown
from chat_client.tui.state import words
from chat_server.protocol.connection import Notice
from chat_server.protocol.formats import text
from chat_server.protocol.messages import ReadMarker
from chat_server.protocol.people import WhoReport
from chat_server.protocol.rooms import MemberList
from tests.client.people import START, at


def test_the_servers_words_without_its_marks() -> None:
    assert words.of_event(Notice("two\nlines", by="carol"), START) == "announcement by carol: two\nlines"
    assert words.of_reply("who", WhoReport("bob", True, at(1)), START) == "bob is online"
    members = MemberList("#team", "bob", ["bob", "carol"])
    assert words.of_reply("members", members, START) == "2 in #team\n  bob (the owner)\n  carol"


def test_nothing_of_what_a_person_has_no_use_for() -> None:
    assert words.of_event(ReadMarker("main", 4), START) == ""


def test_what_this_client_does_not_know_is_told_by_its_fields() -> None:
    fields = {"options": ["tea", "coffee"], "secret": False}
    assert words.of_event(Unknown("poll_opened", fields), START) == "poll opened: options: tea; coffee, secret: no"
    assert words.of_reply("poll", OtherReply(fields), START) == "options: tea; coffee, secret: no"
    assert words.of_reply("poll", OtherReply({}), START) == "poll: done"


def test_the_server_has_words_for_every_reply_that_this_client_knows() -> None:
    assert set(REPLIES.values()) <= text.REPLIES.keys()
