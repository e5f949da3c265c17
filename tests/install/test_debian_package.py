"""The Debian package: installed, started, upgraded, removed and purged by dpkg, where systemd runs and where not."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from tests.install.machine import Files, Machine, needs

# What is built or installed takes as long as the machine has other things to do.
pytestmark = pytest.mark.timeout(1800)
ROOT = Path(__file__).parents[2]
CONFIGURATION = "/etc/chat-server/chat-server.toml"
UNIT = "chat-server.service"
LINEAGE = "etc/letsencrypt/live/chat.example.org"
TALK = "/sign_in anna\n/password set-by-argon2\n/send_all is it there?\n/quit\n"


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package itself: the one that PACKAGE names, or a new one."""
    needs("dpkg-deb")
    if built := os.environ.get("PACKAGE"):
        return Path(built).absolute()
    directory = tmp_path_factory.mktemp("package")
    build = [str(ROOT / "packaging" / "deb" / "build"), sys.executable, str(directory)]
    subprocess.run(build, check=True, stderr=subprocess.DEVNULL, timeout=600)
    (package,) = directory.glob("chat-server_*.deb")
    return package


@pytest.fixture
def files(tmp_path: Path, package: Path) -> Iterator[Files]:
    needs("dpkg", "chroot")
    with Files(tmp_path) as files:
        (files.root / "package.deb").write_bytes(package.read_bytes())
        yield files


@pytest.fixture
def machine(tmp_path: Path, package: Path) -> Iterator[Machine]:
    needs("dpkg", "systemd-nspawn", "nsenter")
    with Machine(tmp_path) as machine:
        (machine.root / "package.deb").write_bytes(package.read_bytes())
        yield machine


def talk(machine: Machine, lines: str = TALK) -> str:
    return machine.run("bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/8000; cat >&3; cat <&3", given=lines)


def main_pid(machine: Machine) -> str:
    return machine.run("systemctl", "show", "--property=MainPID", "--value", UNIT).strip()


def test_lintian_finds_nothing(package: Path) -> None:
    needs("lintian")
    done = subprocess.run(
        ["lintian", "--allow-root", "--fail-on", "warning,error", str(package)],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "")


def test_a_night_on_a_machine_with_systemd(machine: Machine) -> None:
    machine.run("dpkg", "-i", "/package.deb")
    assert machine.run("systemctl", "is-enabled", UNIT).strip() == "enabled"
    assert "+ sent #1" in talk(machine), machine.run("journalctl", "-u", UNIT, "--no-pager")
    data, configuration = machine.root / "var/lib/chat-server", machine.root / CONFIGURATION[1:]
    assert machine.run("stat", "-c", "%U %a", "/var/lib/chat-server").split() == ["chat-server", "700"]
    # The administrator asks, as the server's user.
    as_server = ("runuser", "-u", "chat-server", "--", "chat-server")
    assert "messages" in machine.run(*as_server, "stats", "--config", CONFIGURATION)
    machine.run(*as_server, "backup", "/tmp/chat.tar", "--config", CONFIGURATION)
    # What the comments propose works: there is a place for the numbers that the server may write to.
    good = re.sub(r"^# (metrics-file)", r"\1", configuration.read_text(), flags=re.MULTILINE)
    # A mistake in the configuration is no endless loop of starts.
    configuration.write_text(f"{good}\nprot = 1\n")
    running = main_pid(machine)
    machine.run("systemctl", "reload", UNIT, status=1)
    assert main_pid(machine) == running
    machine.run("systemctl", "restart", UNIT, status=1)
    assert "unknown key: prot" in machine.run("journalctl", "-u", UNIT, "--no-pager")
    assert machine.run("systemctl", "show", "--property=NRestarts", "--value", UNIT).strip() == "0"
    configuration.write_text(f"{good}\npage = 7\n")
    machine.run("systemctl", "reset-failed", UNIT)
    machine.run("systemctl", "start", UNIT)
    assert "is it there?" in talk(machine, "/sign_in berta\n/quit\n")
    assert "chat_start_time_seconds" in machine.run("cat", "/run/chat-server/chat.prom")
    assert machine.run("stat", "-c", "%a", "/run/chat-server", "/run/chat-server/chat.prom").split() == ["755", "644"]
    # Other data waits for a restart, and the rest is read again.
    configuration.write_text(good.replace("/var/lib/chat-server", "/var/lib/elsewhere") + "\npage = 8\n")
    machine.run("systemctl", "reload", UNIT)
    told = machine.run("journalctl", "-u", UNIT, "--no-pager")
    assert "page is 8 now" in told and "data stays /var/lib/chat-server; a restart makes it /var/lib/elsewhere" in told
    configuration.write_text(f"{good}\npage = 7\n")
    # It comes back when it is killed, and after an upgrade; the configuration stays as it was written.
    before = main_pid(machine)
    machine.run("kill", "-KILL", before)
    again = (
        f"until systemctl is-active {UNIT} && [ $(systemctl show -P MainPID {UNIT}) != {before} ]; do sleep 0.2; done"
    )
    machine.run("sh", "-c", again)
    before = main_pid(machine)
    machine.run("dpkg", "-i", "/package.deb")
    assert main_pid(machine) not in ("0", before)
    assert "page = 7" in configuration.read_text()
    assert "is it there?" in talk(machine, "/sign_in cora\n/quit\n")
    # What an administrator has switched off stays off.
    machine.run("systemctl", "disable", "--now", UNIT)
    machine.run("dpkg", "-i", "/package.deb")
    assert machine.run("systemctl", "is-enabled", UNIT, status=1).strip() == "disabled"
    machine.run("systemctl", "enable", "--now", UNIT)
    # Removing leaves the chat and its configuration, purging leaves nothing.
    machine.run("dpkg", "--remove", "chat-server")
    assert main_pid(machine) == "0"
    assert (data / "chat.db").exists() and configuration.exists()
    assert not (machine.root / "usr/lib/chat-server").exists()
    machine.run("dpkg", "--purge", "chat-server")
    left = machine.run("find", "/etc", "/usr", "/lib", "/var/lib", "-path", "*chat-server*")
    assert left == ""


def test_from_nothing_to_a_server_with_tls_as_the_documents_say(machine: Machine) -> None:
    """Without a network, apt is replaced by dpkg, and certbot by files and a call of its hook."""
    text = (ROOT / "docs" / "operations.md").read_text()
    part = text[text.index("## From nothing to a server with TLS") :]
    (commands, dialogue) = re.findall(r"```(?:sh|console)\n(.*?)```", part, re.DOTALL)[:2]
    assert "certbot-deploy" in commands
    lineage = machine.root / LINEAGE
    lineage.mkdir(parents=True)
    issued = trustme.CA().issue_cert("chat.example.org")
    (lineage / "fullchain.pem").write_bytes(issued.cert_chain_pems[0].bytes())
    issued.private_key_pem.write_to_path(str(lineage / "privkey.pem"))
    for name, script in {
        "sudo": 'exec "$@"',
        "apt": "exec dpkg -i /package.deb",
        "certbot": f'while [ "$1" != --deploy-hook ]; do shift; done; RENEWED_LINEAGE=/{LINEAGE} exec "$2"',
    }.items():
        stub = machine.root / "usr/bin" / name
        stub.write_text(f"#!/bin/sh\n{script}\n")
        stub.chmod(0o755)
    answers = "".join(
        f"{line.partition(']: ')[2]}\n" for line in dialogue.splitlines() if line.endswith(":") or "]: " in line
    )
    for line in commands.splitlines():
        told = machine.run("sh", "-c", line, given=answers)
        if line.endswith("setup"):
            asked = re.sub(r"\]:( \w+)?$", "]:", dialogue, flags=re.MULTILINE)
            assert re.sub(r" +$", "", told, flags=re.MULTILINE).startswith(asked)
            assert "then sign in as alice at once" in told
    greeting = machine.run(
        "sh", "-c", "echo /quit | timeout 30 openssl s_client -quiet -connect [::1]:8443 2>/dev/null"
    )
    assert greeting.startswith("* chat-server") and "+ goodbye" in greeting
    # The certificate is renewed, and read again.
    pid = main_pid(machine)
    machine.run("sh", "-c", commands.splitlines()[1])
    machine.run("sh", "-c", f"until journalctl -u {UNIT} | grep -q 'certificate'; do sleep 0.2; done")
    assert main_pid(machine) == pid


def test_nobody_is_refused_while_the_server_restarts(machine: Machine) -> None:
    machine.run("dpkg", "-i", "/package.deb")
    machine.run("systemctl", "stop", UNIT)
    machine.run("systemctl", "enable", "--now", "chat-server.socket")
    assert "+ sent #1" in talk(machine), "the first connection starts the server"
    (before, listening) = main_pid(machine), machine.run("ss", "-Htln")
    assert "127.0.0.1:8000" in listening
    machine.run("systemctl", "stop", UNIT)
    machine.run("systemctl", "start", "--no-block", UNIT)
    for name in ("berta", "cora", "dora"):
        assert "is it there?" in talk(machine, f"/sign_in {name}\n/quit\n")
    assert main_pid(machine) not in ("0", before)
    # Who removes it and installs it again has the same sockets again.
    machine.run("dpkg", "--remove", "chat-server")
    machine.run("dpkg", "-i", "/package.deb")
    assert machine.run("systemctl", "is-active", "chat-server.socket", UNIT).split() == ["active", "active"]
    machine.run("systemctl", "stop", UNIT)
    assert "is it there?" in talk(machine, "/sign_in emil\n/quit\n"), "a connection starts the server"
    machine.run("dpkg", "--purge", "chat-server")
    assert machine.run("ss", "-Htln").split() == []


def test_installing_and_removing_without_systemd(files: Files) -> None:
    files.run("dpkg", "-i", "/package.deb")
    assert files.run("chat-server", "--version").startswith("chat-server ")
    assert files.run("chat-client", "--version").startswith("chat-client ")
    told = files.run("chat-server", "check", "--config", CONFIGURATION)
    assert "data = /var/lib/chat-server" in told
    assert "chat-server.toml" in files.run("man", "--path", "chat-server.toml") + files.run(
        "man", "-w", "chat-server.toml"
    )
    # What a user keeps in Python does not reach it.
    (files.root / "tmp/msgspec.py").write_text("raise SystemExit('taken from the wrong place')")
    assert files.run("env", "PYTHONPATH=/tmp", "chat-server", "--version").startswith("chat-server ")
    # A node of a cluster starts helpers with the same Python.
    assert files.run("/usr/lib/chat-server/bin/python", "-m", "chat_server", "--version").startswith("chat-server ")
    files.run(
        "/usr/lib/chat-server/bin/python", "-IBc", "import nats, cryptography.hazmat.primitives.ciphers.aead, uvloop"
    )
    assert files.run("getent", "passwd", "chat-server").split(":")[-1].strip() == "/usr/sbin/nologin"
    files.run("dpkg", "-i", "/package.deb")
    files.run("dpkg", "--remove", "chat-server")
    assert (files.root / CONFIGURATION[1:]).exists() and not (files.root / "usr/lib/chat-server").exists()
    files.run("dpkg", "--purge", "chat-server")
    assert not (files.root / "etc/chat-server").exists()
