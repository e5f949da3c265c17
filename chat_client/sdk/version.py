"""The version of this client, which it tells the server."""

VERSION = "0.1.0"
