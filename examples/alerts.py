"""Alerts of Alertmanager and Grafana in a chat. Run it with: python examples/alerts.py localhost:8000

Their webhook is then http://127.0.0.1:9099/ops, where the path names the chat: /ops is #ops, /main and /@alice are
themselves. It listens on the loopback address alone, since whoever reaches it may write. CHAT_USER and CHAT_PASSWORD
say who signs in.
"""

import asyncio
import hashlib
import json
import os
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

from chat_client import Chat, ChatError, Refused, connect

BODY_BYTES_MAX, TEXT_CHARS_MAX, SECONDS_MAX = 1 << 20, 4000, 20
LATER = ("rate_limited", "unavailable", "busy", "banned")  # worth another try, which an answer of 503 asks for


def describe(alert: dict[str, Any]) -> str:
    labels, notes = alert.get("labels", {}), alert.get("annotations", {})
    where = f" ({labels['instance']})" if labels.get("instance") else ""
    what = notes.get("summary") or notes.get("description") or "no summary"
    return f"{str(alert.get('status', 'firing')).upper()} {labels.get('alertname', 'alert')}{where}: {what}"


async def tell(chat: Chat, path: str, body: bytes) -> tuple[int, str]:
    """Send the alerts; the status and the text of the HTTP answer."""
    name = unquote(path).strip("/") or "main"
    target = name if name == "main" or name[0] in "@#" else f"#{name}"
    try:
        text = "\n".join(describe(alert) for alert in json.loads(body)["alerts"])[:TEXT_CHARS_MAX]
        # The same alert again within the hour is a second try of one that was sent, not a reminder.
        key = hashlib.sha256(f"{target} {time.time() // 3600} ".encode() + body).hexdigest()
        await chat.command("send", target=target, text=text, key=key)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        return 400, f"these are no alerts: {error!r}"
    except Refused as error:
        return (503 if error.code in LATER else 400), str(error)
    except ChatError as error:
        return 503, str(error)
    return 200, "sent"


async def main(server: str, port: str = "9099") -> None:
    loop = asyncio.get_running_loop()
    user, password = os.environ.get("CHAT_USER", "alerts"), os.environ.get("CHAT_PASSWORD")
    async with connect(server, user=user, password=password, patient=True) as chat:

        class Webhook(BaseHTTPRequestHandler):
            timeout = SECONDS_MAX  # for the body of a request

            def do_POST(self) -> None:
                try:
                    length = max(0, min(int(self.headers.get("Content-Length", 0)), BODY_BYTES_MAX))
                    telling = asyncio.run_coroutine_threadsafe(tell(chat, self.path, self.rfile.read(length)), loop)
                    status, words = telling.result(SECONDS_MAX)
                except ValueError:
                    status, words = 400, "the length of the request is no number"
                except TimeoutError:
                    status, words = 503, f"no answer within {SECONDS_MAX} s"
                self.send_response(status)
                self.end_headers()
                self.wfile.write(f"{words}\n".encode())

        http = ThreadingHTTPServer(("127.0.0.1", int(port)), Webhook)
        threading.Thread(target=http.serve_forever, daemon=True).start()
        print(f"listening on http://127.0.0.1:{http.server_port}", flush=True)
        async for _ in chat:  # what is said there is not for alerts; the end of it is the end
            pass


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
