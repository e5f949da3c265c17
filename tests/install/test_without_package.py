"""The server without Debian's package, as docs/operations.md installs it."""

import os
import re
from pathlib import Path

import pytest
import trustme

from tests.install.machine import Files, needs

pytestmark = pytest.mark.timeout(1800)
ROOT = Path(__file__).parents[2]
SETUP = "internet\n\n\n\nalice\n"


def test_the_lines_without_the_package_lead_to_the_same(tmp_path: Path) -> None:
    needs("chroot")
    text = (ROOT / "docs" / "operations.md").read_text()
    (commands,) = re.findall(r"Without Debian's package.*?```sh\n(.*?)```", text, re.DOTALL)
    kept = [f"{name}={value}" for name, value in os.environ.items() if name.startswith(("PIP_", "HTTP", "SSL", "http"))]
    with Files(tmp_path) as files:
        sudo = files.root / "usr/bin/sudo"
        sudo.write_text('#!/bin/sh\nexec "$@"\n')
        sudo.chmod(0o755)
        # No systemd runs there.
        (files.root / "usr/bin/systemctl").unlink()
        (files.root / "usr/bin/systemctl").symlink_to("true")
        for line in commands.splitlines():
            files.run("env", *kept, "sh", "-ec", f"umask 077; cd {ROOT}; {line}")
        setup = ("sh", "-ec", "umask 077; chat-server setup")
        check = (
            "setpriv", "--reuid=chat-server", "--regid=chat-server", "--clear-groups",
            "chat-server", "check", "--config", "/etc/chat-server/chat-server.toml",
        )  # fmt: skip
        # It makes the folder, as there is no certificate yet.
        assert "wrote /etc/chat-server/chat-server.toml" in files.run(*setup, given="machine\n\n\nbob\n")
        assert "operator = bob" in files.run(*check)
        issued = trustme.CA().issue_cert("chat.example.org")
        (files.root / "tmp/fullchain.pem").write_bytes(issued.cert_chain_pems[0].bytes())
        issued.private_key_pem.write_to_path(str(files.root / "tmp/privkey.pem"))
        files.run("env", "RENEWED_LINEAGE=/tmp", "/usr/lib/chat-server/certbot-deploy")
        assert "wrote /etc/chat-server/chat-server.toml" in files.run(*setup, given=f"yes\n{SETUP}")
        told = files.run(*check)
        assert "tls-port = 8443" in told and "operator = alice" in told
