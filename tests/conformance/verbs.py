"""Verbs that a server has since its first version."""

VERBS = {
    "sign_in", "resume", "sign_out", "password", "delete_account", "format", "ping", "help", "quit", "status", "who",
    "talk", "presence", "send_all", "send", "get_chat_with", "messages", "history", "read", "send_delayed",
    "cancel_delayed", "delayed", "report", "sessions",
}  # fmt: skip
