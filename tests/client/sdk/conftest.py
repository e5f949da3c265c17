from tests.client.sdk.played import client, server

__all__ = ["client", "server"]  # fixtures
