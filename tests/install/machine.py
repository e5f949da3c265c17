"""A machine to install on: this one's files with changes of its own, booted by systemd, without a network."""

import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Self

import pytest

NAME = "chat-server-test"


def needs(*programs: str) -> None:
    """Skip the test where it cannot be run."""
    if os.geteuid() != 0:
        pytest.skip("only root can install, and make a machine to install on")
    for program in programs:
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")


class Files:
    """The files of this machine, which may be changed: all changes are in `directory`, and gone with it."""

    def __init__(self, directory: Path) -> None:
        self._parts = [directory / name for name in ("upper", "work", "root")]
        self.root = self._parts[-1]

    def __enter__(self) -> Self:
        for part in self._parts:
            part.mkdir()
        upper, work, root = self._parts
        options = f"lowerdir=/,upperdir={upper},workdir={work}"
        subprocess.run(["mount", "-t", "overlay", "overlay", "-o", options, str(root)], check=True)
        # Images for containers forbid packages to start services.
        (root / "usr/sbin/policy-rc.d").unlink(missing_ok=True)
        return self

    def __exit__(self, *_: object) -> None:
        subprocess.run(["umount", "--lazy", str(self.root)], check=True)

    def run(self, *command: str, status: int = 0, given: str = "") -> str:
        """Run it there, where no systemd runs; return what it prints."""
        return _run("chroot", str(self.root), *command, status=status, given=given)


class Machine(Files):
    """The same, and systemd runs."""

    def __enter__(self) -> Self:
        super().__enter__()
        self._log = (self.root.parent / "boot.log").open("wb")
        self._nspawn = subprocess.Popen(
            [
                "systemd-nspawn", "--quiet", f"--directory={self.root}", f"--machine={NAME}", "--private-network",
                "--register=no", "--keep-unit", "--link-journal=no", "--console=pipe", "--boot",
                # None of the services that this machine has.
                "systemd.unit=basic.target",
            ],
            stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log,
        )  # fmt: skip
        try:
            self._wait_for_boot()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._nspawn.terminate()
        try:
            self._nspawn.wait(30)
        except subprocess.TimeoutExpired:
            self._nspawn.kill()
            self._nspawn.wait()
        self._log.close()
        super().__exit__()

    def _wait_for_boot(self) -> None:
        until = time.monotonic() + 60
        while time.monotonic() < until and self._nspawn.poll() is None:
            if self._leader() and "active" in self.run("systemctl", "is-active", "basic.target", status=-1).split():
                return
            time.sleep(0.2)
        raise AssertionError(f"the machine did not boot:\n{(self.root.parent / 'boot.log').read_text()}")

    def _leader(self) -> str:
        """The process id of its systemd."""
        pid = self._nspawn.pid
        return Path(f"/proc/{pid}/task/{pid}/children").read_text().strip()

    def run(self, *command: str, status: int = 0, given: str = "") -> str:
        inside = (
            "nsenter",
            "--target",
            self._leader(),
            "--mount",
            "--uts",
            "--ipc",
            "--net",
            "--pid",
            "--root",
            "--wd",
        )
        return _run(*inside, *command, status=status, given=given)


def _run(*command: str, status: int, given: str) -> str:
    """A `status` of -1 is any."""
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive", "HOME": "/root"}
    done = subprocess.run(
        command, input=given, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment, timeout=600
    )
    assert status in (-1, done.returncode), f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}"
    return done.stdout
