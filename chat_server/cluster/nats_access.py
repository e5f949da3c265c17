"""The way to NATS that the settings name: servers, the node's user, and certificates."""

import ssl
from pathlib import Path
from typing import TYPE_CHECKING

from chat_server.certificates import load_certificate
from chat_server.errors import StartError
from chat_server.runtime import Runtime
from chat_server.settings import Settings

if TYPE_CHECKING:
    from chat_server.log.nats_connection import Nats


def has_unbounded_writes(version: tuple[int, int, int], *, has_uvloop: bool) -> bool:
    """Tell whether asyncio's `writelines`, by which nats-py writes, would not wait for a slow reader.

    3.12.0 to 3.12.8 and 3.13.0 to 3.13.1 do not pause their protocol (CVE-2024-12254); uvloop's does.
    """
    return not has_uvloop and ((3, 12, 0) <= version <= (3, 12, 8) or (3, 13, 0) <= version <= (3, 13, 1))


async def connect(settings: Settings, runtime: Runtime, node: str) -> "Nats":
    """Connect to the servers of `--cluster` as this node. Raises StartError."""
    try:
        # The packages of the extra `cluster` are needed from here on, and by no server that is alone.
        import cryptography  # noqa: F401

        from chat_server.log.jetstream_api import open_nats
        from chat_server.log.nats_connection import NatsAccess
    except ModuleNotFoundError as error:
        raise StartError(
            f"--cluster needs the package {error.name}, which is not installed: pip install 'chat-server[cluster]'"
        ) from None
    access = NatsAccess(settings.nats_urls, settings.cluster_user, _password(settings), _tls(settings))
    return await open_nats(runtime, access, node)


def _password(settings: Settings) -> str | None:
    path = settings.cluster_password_file
    if path is None:
        return None
    try:
        password = Path(path).expanduser().read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not a text"
        raise StartError(f"cannot read --cluster-password-file {path}: {why}", status=2) from None
    if not password:
        raise StartError(f"--cluster-password-file {path} is empty: put the password of the NATS user there", status=2)
    return password


def _tls(settings: Settings) -> ssl.SSLContext | None:
    """The context for TLS with NATS; None where no URL asks for it."""
    if not any(url.startswith("tls:") for url in settings.nats_urls):
        return None
    authority, certificate, key = settings.cluster_ca, settings.cluster_cert, settings.cluster_key
    try:
        context = ssl.create_default_context(cafile=authority)
    except (OSError, ValueError) as error:
        raise StartError(f"cannot use --cluster-ca {authority}: {_why(error)}; it is a PEM file", status=2) from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if certificate is not None and key is not None:
        load_certificate(context, certificate, key, "--cluster")
    return context


def _why(error: Exception) -> str:
    return str(error.strerror if isinstance(error, OSError) and not isinstance(error, ssl.SSLError) else error)
