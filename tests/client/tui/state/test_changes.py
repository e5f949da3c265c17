from chat_client.tui.state.changes import PendingChanges
from chat_client.tui.state.requests import ChangeRequest
from tests.client.people import said


def test_the_last_edit_that_is_not_answered_is_the_text() -> None:
    changes, message = PendingChanges(), said(1, "first")
    second, third = (ChangeRequest("main", "edit", 1, text) for text in ("second", "third"))
    changes.add(second)
    changes.add(third)
    changes.add(ChangeRequest("main", "edit", 2, "another message"))
    assert changes.text_of(message) == "third"
    changes.remove(third)
    assert changes.text_of(message) == "second"
    changes.remove(second)
    assert changes.text_of(message) == "first"


def test_the_last_reaction_that_is_not_answered_counts() -> None:
    changes, message = PendingChanges(), said(1, reactions={"👍": ["alice"]})

    def has_reacted(emoji: str) -> bool:
        return changes.has_reacted(message, 1, emoji, "alice")

    assert has_reacted("👍") and not has_reacted("🎉") and not changes.has_reacted(None, 1, "👍", "alice")
    changes.add(ChangeRequest("main", "unreact", 1, "👍"))
    changes.add(ChangeRequest("main", "react", 1, "🎉"))
    changes.add(ChangeRequest("main", "edit", 1, "👍"))
    assert not has_reacted("👍") and has_reacted("🎉")
    changes.add(ChangeRequest("main", "react", 1, "👍"))
    assert has_reacted("👍")
