"""For whoever runs the server: the other words of `chat-server`, with and without a running server."""
