"""Administration: the other words of `chat-server`, with and without a running server."""
