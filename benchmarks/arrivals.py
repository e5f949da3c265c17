"""What it takes when many come: sign-ins at once, people who come back to unread messages, and who is only there.

python -m benchmarks.arrivals [--rounds 5] [--write docs/performance.md]
"""

import argparse
import socket
import ssl
import statistics
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from benchmarks.programs import Program, chat_server, held, run_load
from benchmarks.report import as_table, machine, write

SIGN_INS, BACK, UNREAD, IDLE, IDLE_TLS = 10_000, 500, 1000, 4000, 1000


Hold = Callable[[Program, int, str], AbstractContextManager[None]]


class Row(NamedTuple):
    name: str
    measure: Callable[[], float]
    said: str


def sign_ins() -> float:
    """Seconds for 10,000 new accounts without a password, 200 at once."""
    with chat_server() as server:
        return run_load(server, "sign_ins", readers=SIGN_INS, window=200)[0]["seconds"]


def lines_back() -> float:
    """Lines a second that 500 users are shown who come at once, with 1,000 unread messages each in main."""
    with chat_server() as server:
        run_load(server, "sign_ins", readers=BACK, window=100)
        run_load(server, "main", readers=1, window=100, messages=UNREAD, prefix="other")
        found = run_load(server, "sign_ins", readers=BACK, window=BACK)[0]
        assert found["lines"] >= BACK * UNREAD, found
        return found["lines"] / found["seconds"]


def idle_bytes(count: int, hold: Hold, *options: str) -> float:
    """What a connection that is signed in takes of the server's memory.

    A quarter as many come before: they warm the server up, and do not count.
    """
    with chat_server(None, *options) as server, hold(server, count // 4, "first"):
        before = server.resident_bytes()
        with hold(server, count, "u"):
            return (server.resident_bytes() - before) / count


def idle_bytes_with_tls(count: int) -> float:
    """The same with TLS."""
    with tempfile.TemporaryDirectory() as directory:
        key, certificate = f"{directory}/key.pem", f"{directory}/certificate.pem"
        made = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=localhost"]
        files = ["-keyout", key, "-out", certificate]
        subprocess.run(["openssl", "req", "-x509", *made, *files], check=True, capture_output=True)
        tls = ["--port", "off", "--tls-port", "0", "--tls-cert", certificate, "--tls-key", key]
        return idle_bytes(count, held_with_tls, *tls, "--allow-passwordless")


@contextmanager
def held_with_tls(program: Program, connections: int, prefix: str) -> Iterator[None]:
    """So many users are connected, and do nothing."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with ExitStack() as stack:
        for number in range(connections):
            plain = socket.create_connection(("127.0.0.1", program.port))
            connection = stack.enter_context(context.wrap_socket(plain))
            connection.sendall(f"/sign_in {prefix}{number}\n/presence off\n".encode())
            replies = stack.enter_context(connection.makefile("rb"))
            wanted = 2
            while wanted:
                wanted -= next(replies).startswith(b"+")
        yield


ROWS = [
    Row(f"{SIGN_INS:,} sign-ins without a password, 200 at once", sign_ins, "{:.1f} s"),
    Row(f"{BACK} people back at once, {UNREAD:,} unread each in main", lines_back, "{:,.0f} lines a second"),
    Row("a connection, signed in, idle", lambda: idle_bytes(IDLE, held), "{:,.0f} bytes"),
    Row("the same with TLS", lambda: idle_bytes_with_tls(IDLE_TLS), "{:,.0f} bytes"),
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--write", type=Path, metavar="FILE", help="the document whose table is written anew")
    options = parser.parse_args()
    print(f"{machine()}; medians of {options.rounds} rounds", flush=True)
    rows = []
    for row in ROWS:
        rows.append([row.name, row.said.format(statistics.median(row.measure() for _ in range(options.rounds)))])
        print(" | ".join(rows[-1]), flush=True)
        if options.write:
            write(options.write, as_table(["workload", "median"], rows), rounds=options.rounds)


if __name__ == "__main__":
    main()
