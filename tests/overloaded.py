"""chat-server that notices overload in a tenth of the time, and for which only 127.0.0.1 is this machine. A program."""

from ipaddress import ip_network

from chat_server import addresses, node, overload
from chat_server.__main__ import main

SCALE = 10

addresses.LOOPBACK = (ip_network("127.0.0.1/32"), ip_network("::1/128"))

if __name__ == "__main__":
    overload.BEGINS_SECONDS /= SCALE
    overload.ENDS_SECONDS /= SCALE
    overload.LEVELS = tuple(level._replace(wait=level.wait / SCALE) for level in overload.LEVELS)
    node.WATCH_SECONDS /= SCALE
    main()
