"""The line in the input, and its target if it is not a message to the open chat."""

from typing import Literal

from msgspec import Struct


class ComposeTarget(Struct, frozen=True):
    """The message that the next line replies to, edits or reacts to."""

    kind: Literal["reply", "edit", "react"]
    id: int
    chat: str
    draft: str = ""  # what stood in the line before
    text: str = ""  # what is edited


class Composer(Struct):
    """`usage`: of the command that is being typed. `aside`: a text that comes back when the search that took its place
    is done. `is_in_editor`: what comes out of the user's editor takes the place of the text."""

    text: str = ""
    usage: str = ""
    target: ComposeTarget | None = None
    aside: str = ""
    is_in_editor: bool = False
