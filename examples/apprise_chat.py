"""A plug-in for Apprise, so that whatever notifies through it can write to a chat. It needs nothing but Apprise:

    apprise -P examples/apprise_chat.py -t title -b text chat://bot:password@localhost:8000/ops

The path names the chat: /ops is #ops, /main and /@alice are themselves. chats:// speaks TLS.
"""

import json
import socket
import ssl
import sys
from typing import Any
from urllib.parse import unquote

from apprise.decorators import notify

SECONDS_MAX = 20


@notify(on="chat", name="chat-server")
@notify(on="chats", name="chat-server (TLS)")
def send(body: str, title: str, notify_type: str, meta: dict[str, Any], *args: Any, **kwargs: Any) -> bool:
    """Sign in, send one message, leave; whether the server has it."""
    name = unquote(meta.get("fullpath") or "").strip("/") or "main"
    target = name if name == "main" or name[0] in "@#" else f"#{name}"
    commands = (
        {"cmd": "format", "format": "json", "client": "apprise"},
        {"cmd": "sign_in", "username": meta.get("user"), "password": meta.get("password"), "register": False},
        {"cmd": "send", "target": target, "text": f"{title}\n{body}" if title else body},
    )
    try:
        with socket.create_connection((meta["host"], meta.get("port") or 8000), SECONDS_MAX) as plain:
            is_tls = meta["schema"] == "chats"
            sock = ssl.create_default_context().wrap_socket(plain, server_hostname=meta["host"]) if is_tls else plain
            with sock.makefile("rw", encoding="utf-8", newline="\n") as lines:
                lines.readline()  # the greeting
                for command in commands:
                    lines.write(json.dumps(command) + "\n")
                    lines.flush()
                    answer: dict[str, Any] = {}
                    while answer.get("type") not in ("ok", "error"):
                        answer = json.loads(lines.readline())
                    if answer["type"] == "error":
                        print(f"{answer['code']}: {answer['text']}", file=sys.stderr)
                        return False
    except (OSError, ValueError) as error:  # ValueError: it hung up before the answer
        print(f"no answer: {error}", file=sys.stderr)
        return False
    return True
