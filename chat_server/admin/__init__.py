"""Administration: the subcommands of `chat-server`, with and without a running server."""
