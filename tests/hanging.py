"""chat-server whose writer never comes back from a batch of messages. A program."""

import threading
from typing import Any

from chat_server.__main__ import main
from chat_server.protocol.messages import SendAll
from chat_server.rules.executor import Executor

if __name__ == "__main__":
    execute = Executor.execute

    def hang(executor: Executor, ordered: Any) -> Any:
        if any(type(entry.command) is SendAll for entry in ordered.batch.entries):
            threading.Event().wait()
        return execute(executor, ordered)

    Executor.execute = hang  # type: ignore[assignment, method-assign]
    main()
