from chat_client.common.losses import Losses
from chat_client.sdk.events import Connected, Connecting, Lost
from chat_server.protocol.accounts import SignedIn

CONNECTED = Connected("a:1", SignedIn("bob", False, 9, "h", [], [], []), True)


def test_one_loss_of_each_outage_is_told() -> None:
    losses = Losses()
    told = [losses.is_news(Lost(why, 5.0)) for why in ("a:1: it closed", "b:1: nothing listens there", "a:1: nothing")]
    assert told == [True, False, False]
    assert losses.is_news(Connecting("a:1", 4)) and losses.is_news(CONNECTED)
    assert losses.is_news(Lost("a:1: it closed", 5.0))
    losses.tell_next()
    assert losses.is_news(Lost("a:1: nothing", 5.0)), "somebody has asked"


def test_a_server_that_is_left_for_another_one_is_always_told() -> None:
    losses = Losses()
    assert losses.is_news(Lost("a:1: it takes nothing", 5.0, "b:1"))
    assert losses.is_news(Lost("b:1: it closed", 5.0)), "it was not as it had said"
    assert not losses.is_news(Lost("a:1: it closed", 5.0))
