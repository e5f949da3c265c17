"""The list of candidates for the line: it is there before the next key, however soon that comes.

prompt_toolkit makes its list on the loop, after all the keys that were read together: a Tab or an arrow right behind
the text found none, and the Enter behind it sent what was half typed.
"""

import asyncio

from prompt_toolkit.buffer import Buffer, CompletionState
from prompt_toolkit.completion import CompleteEvent, Completion, get_common_complete_suffix

from chat_client.common.emoji import emojis


def open_list(line: Buffer) -> None:
    """List what the text before the cursor may become, if there is anything; none is chosen yet."""
    _show(line, _candidates(line))


def complete(line: Buffer) -> None:
    """Put in the only candidate, or else what all of them have in common, and list them."""
    found = _candidates(line)
    if len(found) == 1:
        line.apply_completion(found[0])
        return
    if common := get_common_complete_suffix(line.document, found):
        line.insert_text(common, fire_event=False)
        found = _candidates(line)
    _show(line, found)


def load_emojis() -> None:
    """Have a thread read their names, before a list of them opens: on the loop that would hold up a key for 50 ms."""
    if not emojis.cache_info().currsize:
        asyncio.get_running_loop().run_in_executor(None, emojis)


def _candidates(line: Buffer) -> list[Completion]:
    return list(line.completer.get_completions(line.document, CompleteEvent()))


def _show(line: Buffer, found: list[Completion]) -> None:
    if found:
        line.complete_state = CompletionState(line.document, found)
