"""A node of a cluster as docs/operations.md sets it up from examples/cluster, on a machine with a NATS server alone."""

import os
import re
import shutil
from pathlib import Path

import pytest
import trustme

from tests.cluster.servers import PROGRAM
from tests.install.machine import Files, Machine, needs

pytestmark = pytest.mark.timeout(1800)
ROOT = Path(__file__).parents[2]
CHECKOUT = "/root/checkout"
TALK = "(printf '/sign_in alice secret-1\\n/send_all is it there?\\n/quit\\n'; sleep 5)"


def test_the_lines_lead_to_a_node_that_serves_people(tmp_path: Path) -> None:
    needs("systemd-nspawn", "openssl")
    text = (ROOT / "docs" / "operations.md").read_text()
    part = text[text.index("From nothing to three machines") :]
    at_home, on_machine = re.findall(r"```sh\n(.*?)```", part, re.DOTALL)[:2]
    first, *lines = on_machine.splitlines()
    (fetching,) = (line for line in lines if "pip install" in line)
    before, after = lines[: lines.index(fetching)], lines[lines.index(fetching) + 1 :]
    kept = [f"{name}={value}" for name, value in os.environ.items() if name.startswith(("PIP_", "HTTP", "SSL", "http"))]

    with Machine(tmp_path) as machine:
        checkout = machine.root / CHECKOUT[1:]
        shutil.copytree(ROOT, checkout, ignore=shutil.ignore_patterns(".*", "__pycache__", "build", "dist"))
        example = checkout / "examples" / "cluster"
        # One of the three machines, whose NATS server is the only one.
        with (machine.root / "etc/hosts").open("a") as hosts:
            hosts.write("\n127.0.0.1 one.example two.example three.example\n")
        nats = example / "nats-server.conf"
        nats.write_text(re.sub(r"^cluster \{\n.*?^\}\n", "", nats.read_text(), flags=re.MULTILINE | re.DOTALL))
        machine.run("sh", "-ec", f"cd {CHECKOUT}; {at_home}")
        issued = trustme.CA().issue_cert("one.example")
        (example / "server.pem").write_bytes(issued.cert_chain_pems[0].bytes())
        issued.private_key_pem.write_to_path(str(example / "server.key"))
        shutil.copy(PROGRAM, example / "nats-server")

        machine.run("sh", "-ec", "\n".join((f"cd {CHECKOUT}", first, *before)))
        # Only outside of the machine there is a network.
        Files.run(machine, "env", *kept, "sh", "-ec", f"cd {CHECKOUT}\n{first}\n{fetching}")
        machine.run("sh", "-ec", "\n".join((f"cd {CHECKOUT}", first, *after)))
        told = machine.run(
            "sh", "-c", f"{TALK} | timeout 30 openssl s_client -quiet -connect one.example:8443 2>/dev/null"
        )
        assert "+ sent #1" in told and "+ goodbye" in told
        verify = "chat-server verify --config /etc/chat/one.toml"
        assert f"sudo -u chat {verify}" in text
        # sudo has /usr/local/bin in its PATH.
        command = f"PATH=/usr/local/bin:$PATH {verify}"
        told = machine.run("setpriv", "--reuid=chat", "--regid=chat", "--clear-groups", "sh", "-c", command)
        assert told.startswith("all nodes hold the same; one: digest "), told
        machine.run("systemctl", "reload", "nats-server", "chat-server@one")
        assert machine.run("systemctl", "is-active", "nats-server", "chat-server@one").split() == ["active"] * 2
        machine.run("systemctl", "restart", "chat-server@one")
        assert machine.run("systemctl", "is-active", "chat-server@one") == "active\n"
