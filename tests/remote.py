"""chat-server for which only 127.0.0.1 and ::1 are this machine: 127.0.0.2 and the like are others. A program."""

from ipaddress import ip_network

from chat_server import addresses
from chat_server.__main__ import main

addresses.LOOPBACK = (ip_network("127.0.0.1/32"), ip_network("::1/128"))

if __name__ == "__main__":
    main()
