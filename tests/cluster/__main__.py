"""`make cluster`: three NATS servers and three nodes on loopback, to try what happens when one of them is lost."""

import shutil
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.cluster.nodes import ChatNode, LocalCluster
from tests.cluster.servers import NatsServer
from tests.ports import free_ports, is_free

PORT = 8001  # of the first node, where it is free
WORDS = """\
  list             what runs, and what does not
  kill NAME        kill -9 it
  stop NAME        stop it in order
  pause NAME       stop its process, as a machine that hangs does
  resume NAME      let it go on
  start NAME       start it again
  wipe NAME        kill it, and remove its data
  quit             end all, and remove all data (Ctrl-C and Ctrl-D, too)
NAME is one of {names}; several may be named at once."""


class Console:
    """Does what is typed to servers and nodes."""

    def __init__(self, cluster: LocalCluster) -> None:
        self._things: dict[str, NatsServer | ChatNode] = {}
        self._things.update({server.name: server for server in cluster.servers.all})
        self._things.update({node.name: node for node in cluster.nodes})
        self._paused: set[str] = set()
        self._acts: dict[str, Callable[[NatsServer | ChatNode], None]] = {
            "kill": _kill, "stop": _stop, "start": _start, "wipe": _wipe,
            "pause": lambda each: each.pause(), "resume": lambda each: each.resume(),
        }  # fmt: skip

    @property
    def help(self) -> str:
        return WORDS.format(names=", ".join(self._things))

    def take(self, line: str) -> str:
        """Do it; what there is to say."""
        word, *names = line.split() or ["help"]
        if unknown := [name for name in names if name not in self._things]:
            return f"there is no {unknown[0]}; NAME is one of {', '.join(self._things)}"
        if word == "list":
            return self._describe(names or list(self._things))
        if word not in self._acts:
            return self.help if word == "help" else f"{word} is none of these:\n{self.help}"
        if not names:
            return f"{word} what? NAME is one of {', '.join(self._things)}"
        for name in names:
            each = self._things[name]
            if word in ("pause", "resume") and not each.is_running:
                return f"{name} does not run: start {name}"
            if word == "start" and name in self._paused:
                return f"{name} is paused: resume {name}"
            (self._paused.add if word == "pause" else self._paused.discard)(name)
            try:
                self._acts[word](each)
            except AssertionError as error:
                return f"{name} does not start: {str(error).splitlines()[-1]}"  # what it said last
        return self._describe(names)

    def _describe(self, names: list[str]) -> str:
        def state(name: str) -> str:
            if not self._things[name].is_running:
                return "does not run"
            return "is paused" if name in self._paused else "runs"

        return "\n".join(f"{name} {state(name)}" for name in names)


def _kill(each: NatsServer | ChatNode) -> None:
    if each.is_running:
        each.kill()


def _stop(each: NatsServer | ChatNode) -> None:
    if each.is_running:
        each.resume()
        each.terminate() if isinstance(each, ChatNode) else each.stop()


def _start(each: NatsServer | ChatNode) -> None:
    if not each.is_running:
        each.start()


def _wipe(each: NatsServer | ChatNode) -> None:
    _kill(each)
    shutil.rmtree(each.data, ignore_errors=True)


def describe(cluster: LocalCluster) -> str:
    client = ",".join(f"localhost:{node.port}" for node in cluster.nodes)
    return "\n".join((
        *(f"NATS server {server.name}  {server.url}" for server in cluster.servers.all),
        *(f"node {node.name}  try it: nc localhost {node.port}" for node in cluster.nodes),
        f"a client that goes to the next node when one is gone: chat-client --server {client}",
        f"data, logs (.log) and metrics (.prom): {cluster.directory}",
    ))  # fmt: skip


def main() -> None:
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="chat-cluster-") as directory:
        cluster = LocalCluster(Path(directory))
        wanted = range(PORT, PORT + len(cluster.nodes))
        ports = wanted if all(map(is_free, wanted)) else free_ports(len(cluster.nodes))
        for node, port in zip(cluster.nodes, ports, strict=True):
            numbers = cluster.directory / f"{node.name}.prom"
            node.options = (*node.options, "--port", str(port), "--metrics-file", str(numbers))
        console = Console(cluster)
        try:
            cluster.start()
            print(f"{describe(cluster)}\n{console.help}", flush=True)
            for line in sys.stdin:
                if line.strip() == "quit":
                    return
                print(console.take(line), flush=True)
            if not sys.stdin.isatty():  # nobody has pressed Ctrl-D
                signal.pause()
        except KeyboardInterrupt:
            return
        finally:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            for node in cluster.nodes:
                _stop(node)
            cluster.close()


if __name__ == "__main__":
    main()
