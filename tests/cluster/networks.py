"""Machines in network namespaces of their own, joined by a bridge, which can be cut off from each other.

Only root can make namespaces, and only where the kernel lets it: `why_not` says so in a word.
"""

import itertools
import os
import subprocess

# Of the block for measurements between networks, which nobody else uses.
NETWORK = "198.18"
_numbers = itertools.count(1)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


def why_not() -> str:
    """Why no namespaces can be made here; "" where they can."""
    name = f"chat-try-{os.getpid()}"
    try:
        _ip("netns", "add", name)
        _ip("netns", "del", name)
    except FileNotFoundError:
        return "the command ip is not installed"
    except subprocess.CalledProcessError as error:
        return f"network namespaces cannot be made here: {error.stderr.decode().strip()}"
    return ""


class Network:
    """A switch, the machines at it, and this machine, which reaches all of them that are not cut off."""

    def __init__(self, names: list[str]) -> None:
        self._prefix = f"c{os.getpid() % 100_000:x}{next(_numbers)}"
        self._third = os.getpid() % 250
        self._switch = f"{self._prefix}sw"
        self._names = names
        self._made: list[str] = []

    def address(self, name: str) -> str:
        return f"{NETWORK}.{self._third}.{10 + self._names.index(name)}"

    def open(self) -> None:
        self._add(self._switch)
        _ip("-n", self._switch, "link", "add", "bridge", "type", "bridge")
        _ip("-n", self._switch, "link", "set", "bridge", "up")
        self._plug("host", None, f"{NETWORK}.{self._third}.1")
        for name in self._names:
            self._add(self._space(name))
            _ip("-n", self._space(name), "link", "set", "lo", "up")
            self._plug(name, self._space(name), self.address(name))

    def _add(self, space: str) -> None:
        _ip("netns", "add", space)
        self._made.append(space)

    def _plug(self, name: str, space: str | None, address: str) -> None:
        near, far = f"{self._prefix}{name}", f"p{name}"
        _ip("link", "add", near, "type", "veth", "peer", "name", far, "netns", self._switch)
        if space is not None:
            _ip("link", "set", near, "netns", space)
        at = [] if space is None else ["-n", space]
        _ip(*at, "addr", "add", f"{address}/24", "dev", near)
        _ip(*at, "link", "set", near, "up")
        _ip("-n", self._switch, "link", "set", far, "master", "bridge", "up")

    def _space(self, name: str) -> str:
        return f"{self._prefix}{name}"

    def within(self, name: str) -> list[str]:
        """What stands before a command that is to run on a machine."""
        return ["ip", "netns", "exec", self._space(name)]

    def cut_off(self, name: str) -> None:
        _ip("-n", self._switch, "link", "set", f"p{name}", "down")

    def join(self, name: str) -> None:
        _ip("-n", self._switch, "link", "set", f"p{name}", "up")

    def close(self) -> None:
        """The switch takes its ends of all cables with it, and these the other ends."""
        for space in self._made:
            _ip("netns", "del", space)
        self._made.clear()
