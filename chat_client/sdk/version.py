"""The version of this client, as it tells it to a server."""

VERSION = "0.1.0"
