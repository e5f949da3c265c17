"""The load of `load.c` as a program in Python is one: it reads large pieces and only counts what is in them.

python benchmarks/load.py PORT N W MESSAGES SIZE        prints "deliveries seconds"
"""

import os
import select
import socket
import sys
import time


def connect(port: int, name: str, *, bare: bool) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if not bare:
        connection.sendall(f"/sign_in {name}\n/presence off\n".encode())
    said, replies = b"", 1 if bare else 2
    while said.count(b"\n+") + said.startswith(b"+") < replies:
        said += connection.recv(65_536)
    connection.setblocking(False)
    return connection


def main() -> None:
    port, readers, in_flight, messages, size = map(int, sys.argv[1:])
    bare = "BARE" in os.environ
    connections = {each.fileno(): each for each in (connect(port, f"l{n}", bare=bare) for n in range(readers + 1))}
    *_, sender = connections.values()
    epoll = select.epoll()
    for descriptor in connections:
        epoll.register(descriptor, select.EPOLLIN)
    line = b"/send_all " + b"x" * size + b"\n"
    sent = acknowledged = had = 0
    started = time.perf_counter()
    while had < messages * readers:
        room = min(in_flight - (sent - acknowledged), messages - sent)
        if room > 0:
            sender.setblocking(True)
            sender.sendall(line * room)
            sender.setblocking(False)
            sent += room
        for descriptor, _ in epoll.poll():
            data = connections[descriptor].recv(65_536)
            if descriptor == sender.fileno():
                acknowledged += data.count(b"+ sent")
            else:
                had += data.count(b"\n")
    print(had, time.perf_counter() - started)


if __name__ == "__main__":
    main()
