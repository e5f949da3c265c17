from pathlib import Path

from chat_server.log.entries import CloseAccount, Enter, EnterByToken
from chat_server.protocol.names import check
from chat_server.store import registrations
from chat_server.store.registrations import NETWORKS_MAX
from tests.unit.chat import Chat


def are_known(chat: Chat, name: str, *networks: str) -> list[bool]:
    return [registrations.is_known_network(chat.db, chat.ids[name], network) for network in networks]


def test_each_kind_of_sign_in_makes_a_network_known(tmp_path: Path) -> None:
    chat = Chat(tmp_path)
    for network, way in (
        ("n1", Enter(check("dora"), 0, None, False, b"t")),
        ("n2", Enter(check("dora"), 0, None, False, None)),
        ("n3", EnterByToken(b"t")),
    ):
        chat.ids["dora"] = chat.do(way, network=network).reply.user_id
        assert are_known(chat, "dora", network) == [True]
    chat.sign_in("alice")
    assert are_known(chat, "alice", "n1", "n2", "n3") == [False] * 3
    chat.close()
    again = Chat(tmp_path, chat.clock)
    again.ids = chat.ids
    assert are_known(again, "dora", "n1", "n2", "n3", "n4") == [True, True, True, False]
    again.do(CloseAccount(0), "dora")
    assert are_known(again, "dora", "n1", "n2", "n3") == [False] * 3
    again.close()


def test_the_least_recently_used_network_is_forgotten(tmp_path: Path) -> None:
    chat = Chat(tmp_path)
    networks = [f"n{number}" for number in range(NETWORKS_MAX)]
    for network in (*networks, "n0", "new", "newer"):
        chat.sign_in("alice", network=network)
        chat.clock.advance(1)
    assert are_known(chat, "alice", "n0", "n1", "n2", "n3", "new", "newer") == [True, False, False, True, True, True]
    # All are used in the same millisecond; the last one stays.
    for number in range(30):
        chat.sign_in("alice", network=f"at-once{number}")
        assert are_known(chat, "alice", f"at-once{number}") == [True]
    chat.close()
