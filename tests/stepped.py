"""chat-server whose wall clock is ahead by the milliseconds in the file that CLOCK names. A program."""

import os
from pathlib import Path

from chat_server import program, runtime
from chat_server.__main__ import main

AHEAD = Path(os.environ["CLOCK"])


class SteppedRuntime(runtime.SystemRuntime):
    def now_ms(self) -> int:
        return super().now_ms() + int(AHEAD.read_text() if AHEAD.exists() else 0)


if __name__ == "__main__":
    program.SystemRuntime = SteppedRuntime  # type: ignore[attr-defined]
    main()
