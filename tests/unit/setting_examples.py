"""Each setting with values that it may have, as they are written and what they mean."""

from typing import Any

from chat_server.protocol.names import check
from chat_server.setting_kinds import Rate
from chat_server.settings import OPTIONS

FIELDS = {option.name: field for field, option in OPTIONS.items()}
SECONDS, MINUTES, HOURS = 1000, 60_000, 3_600_000
NUMBERS: tuple[tuple[str, Any], ...] = (("3", 3), ("4", 4), ("5", 5))
TIMES: tuple[tuple[str, Any], ...] = (("3s", 3 * SECONDS), ("4m", 4 * MINUTES), ("5h", 5 * HOURS))
RATES: tuple[tuple[str, Any], ...] = (
    ("3/1h", Rate(3, HOURS)), ("4/2m", Rate(4, 2 * MINUTES)), ("5/90s", Rate(5, 90 * SECONDS))
)  # fmt: skip
SIZES: tuple[tuple[str, Any], ...] = (("5KiB", 5120), ("1MB", 1 << 20), ("5000", 5000))
TEXTS: tuple[tuple[str, Any], ...] = (("127.0.0.3", "127.0.0.3"), ("::1", "::1"), ("localhost", "localhost"))
SWITCHES: tuple[tuple[str, Any], ...] = (("off", False), ("off", False), ("on", True))
# Values of each option in the file, in the environment and on the command line, and what they mean.
EXAMPLES: dict[str, tuple[tuple[str, Any], ...]] = {
    "operator": (("anna", (check("anna"),)), ("ben, cora", (check("ben"), check("cora"))), ("Dirk", (check("Dirk"),))),
    "metrics-file": TEXTS,
    "host": TEXTS, "port": NUMBERS, "data": TEXTS, "allow-passwordless": SWITCHES, "replay": NUMBERS, "page": NUMBERS,
    "main-rate-limit": RATES, "report-limit": NUMBERS, "ban-duration": TIMES, "reports-per-day": NUMBERS,
    "report-min-age": TIMES, "text-max": NUMBERS, "line-max": SIZES, "outbox-max": SIZES, "stall-timeout": TIMES,
    "command-rate": RATES, "command-burst": NUMBERS, "sign-in-tries": RATES,
    "wrong-passwords-per-address": RATES, "connections-max": NUMBERS,
    "registration": (("invite", "invite"), ("Closed", "closed"), ("open", "open")), "accounts-per-address": RATES,
    "connections-per-address": NUMBERS, "sign-in-timeout": TIMES, "delayed-max": NUMBERS, "delayed-ahead-max": TIMES,
    "chats-max": NUMBERS, "link-ttl": TIMES, "token-ttl": TIMES, "presence-max": NUMBERS,
    "file-size-max": SIZES, "file-quota": SIZES, "text-quota": SIZES, "disk-reserve": SIZES,
    "file-cache": SIZES,
    "message-ttl": TIMES, "absent-after": TIMES, "tls-cert": TEXTS, "tls-key": TEXTS, "tls-port": NUMBERS,
    "log-level": (("debug", "debug"), ("warning", "warning"), ("ERROR", "error")),
    "log-file": (("auto", "auto"), ("-", "-"), ("/var/log/chat.log", "/var/log/chat.log")),
    "log-format": (("json", "json"), ("text", "text"), ("JSON", "json")),
    "cluster": (
        ("nats://127.0.0.1,127.0.0.2:4333", ("nats://127.0.0.1:4222", "nats://127.0.0.2:4333")),
        ("tls://localhost", ("tls://localhost:4222",)),
        ("[::1], 127.0.0.1", ("nats://[::1]:4222", "nats://127.0.0.1:4222")),
    ),
    "node": (("one", "one"), ("Two-2", "Two-2"), ("n_3", "n_3")), "cluster-user": TEXTS, "cluster-ca": TEXTS,
    "cluster-password-file": TEXTS, "cluster-cert": TEXTS, "cluster-key": TEXTS, "reuse-port": SWITCHES,
}  # fmt: skip
# Further options for those that are refused on their own.
TLS = {"tls-cert": "cert.pem", "tls-key": "key.pem", "tls-port": "8443"}
CLUSTER = {"cluster": "tls://127.0.0.1", "node": "one", "cluster-user": "one", "cluster-password-file": "password"} | {
    "cluster-ca": "ca.pem", "cluster-cert": "cert.pem", "cluster-key": "key.pem", "reuse-port": "on",
    "file-cache": "1GB",
}  # fmt: skip
