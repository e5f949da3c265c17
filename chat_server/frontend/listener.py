"""The listening sockets, and the certificate for those that speak TLS."""

import ctypes
import errno
import os
import socket
import ssl
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from chat_server.certificates import load_certificate
from chat_server.errors import StartError

BACKLOG = 1024
# The kernel takes so many unsent bytes of a connection before it reports that it is full.
NOT_SENT_BYTES_MAX = 131_072
# A vanished peer is noticed after about 60 + 4 * 15 seconds.
KEEPALIVE = ((socket.TCP_KEEPIDLE, 60), (socket.TCP_KEEPINTVL, 15), (socket.TCP_KEEPCNT, 4))


# glibc, malloc.h
_M_MMAP_THRESHOLD = -3
# uvloop, sslproto.pyx
TLS_READ_BUFFER_BYTES = 256 * 1024
# Linux; the constant is missing in Python before 3.12.
_TCP_NOTSENT_LOWAT = getattr(socket, "TCP_NOTSENT_LOWAT", 25)


def listen(host: str, port: int, *, shared: bool = False) -> list[socket.socket]:
    """Open a listening socket for each address of the host; `::` takes both families. Raises StartError.

    A port that is `shared` is listened on by nodes of one cluster, among which the kernel spreads the connections.
    These sockets listen only once `listen` is called on them: the kernel would give connections to a node that is not
    ready yet, while another one is.
    """
    sockets: list[socket.socket] = []
    where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, _, _, _, address in dict.fromkeys(found):
            sock = socket.socket(family, socket.SOCK_STREAM)
            sockets.append(sock)
            set_options(sock)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, address[0] != "::")
            if shared:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            sock.bind(address)
            if not shared:
                sock.listen(BACKLOG)
    except (OSError, UnicodeError) as error:
        for sock in sockets:
            sock.close()
        number = getattr(error, "errno", None)
        if number == errno.EADDRINUSE:
            whose = "a program that does not share it, or one of another user" if shared else "another program"
            raise StartError(f"{where} is in use by {whose}; choose another port") from None
        if number in (errno.EACCES, errno.EPERM):
            raise StartError(f"{where} may not be listened on by this user; choose a port above 1023") from None
        if number in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
            raise StartError(f"cannot listen on {where}: {os.strerror(number)}") from None
        why = getattr(error, "strerror", None) or "that is no name of a host"
        raise StartError(
            f"cannot listen on {where}: {why}; --host is an address or a name of this machine, 0.0.0.0 for all of IPv4,"
            " or :: for all",
            status=2,
        ) from None
    return sockets


def adopt(sock: socket.socket) -> socket.socket:
    """Take over a listening socket that somebody else opened."""
    set_options(sock)
    return sock


def claim_shared(listening: Iterable[socket.socket], chat: str) -> list[socket.socket]:
    """Hold the addresses of these shared sockets for a chat, for as long as what is returned is open.

    Raises StartError where another chat holds one: the kernel would give each of the two a part of the other's people,
    and tells nobody. A claim is the name of a Unix socket without a file, which all on this machine can list, and which
    ends with its process. It is made before the others are looked at, so that of two who start at once none is missed.
    """
    claims: list[socket.socket] = []
    if sys.platform != "linux":  # elsewhere these names, and such a spreading, are unknown
        return claims
    for sock in listening:
        address = "{}:{}".format(*sock.getsockname())
        claims.append(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        claims[-1].bind(f"\0chat-server {address} {chat} {os.fstat(claims[-1].fileno()).st_ino}")
        for other in _claims_of(address):
            if other != chat:
                raise StartError(
                    f"the nodes of another chat listen on {address}, and --reuse-port is for those of one: choose"
                    " another --port, or correct --cluster and --data"
                )
    return claims


def _claims_of(address: str) -> list[str]:
    """Return the chats that hold a shared address on this machine."""
    lines = Path("/proc/net/unix").read_text(errors="replace").splitlines()
    names = (line.partition(" @")[2].split(" ") for line in lines)
    return [name[2] for name in names if len(name) == 4 and name[:2] == ["chat-server", address]]


def set_options(sock: socket.socket) -> None:
    """Set the options of a listening socket, which the sockets that it accepts inherit."""
    sock.setblocking(False)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, _TCP_NOTSENT_LOWAT, NOT_SENT_BYTES_MAX)
    for option, value in KEEPALIVE:
        sock.setsockopt(socket.IPPROTO_TCP, option, value)


def map_read_buffers() -> None:
    """Have the C library map the read buffers of TLS connections, each in pages of its own.

    uvloop allocates 256 KiB for each of them, and a connection that says little touches one page of that. Once some of
    these have ended, glibc takes them from its heap instead, where the buffer lies on what the handshake before it had
    used: a connection, signed in and idle, took 50 kB, and takes 29 kB in pages of its own.
    """
    with suppress(OSError, AttributeError):  # another C library has no such option, or nothing to mend
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, TLS_READ_BUFFER_BYTES)


def tls_context(certificate: str, key: str) -> ssl.SSLContext:
    """Make a context for TLS 1.2 and up. Raises StartError."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    load_certificate(context, certificate, key, "--tls")
    return context


def renew(context: ssl.SSLContext, certificate: str, key: str) -> None:
    """Use this certificate for new connections. Raises StartError, and then nothing has changed."""
    tls_context(certificate, key)
    load_certificate(context, certificate, key, "--tls")
