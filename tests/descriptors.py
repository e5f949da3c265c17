"""Waiting for a descriptor, whatever its number: select() takes none above 1,023, and tests open thousands."""

import select


def is_readable(descriptor: int, seconds: float | None) -> bool:
    """Wait until something can be read, or the other side is gone; whether that came in time."""
    waiting = select.poll()
    waiting.register(descriptor, select.POLLIN)
    return bool(waiting.poll(None if seconds is None else 1000 * seconds))
