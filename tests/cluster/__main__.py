"""`make cluster`: three NATS servers and three nodes on loopback, to try; Ctrl-C ends them and removes their data."""

import signal
import tempfile
import threading
from pathlib import Path

from tests.cluster.nodes import LocalCluster


def main() -> None:
    over = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: over.set())
    with tempfile.TemporaryDirectory(prefix="chat-cluster-") as directory:
        cluster = LocalCluster(Path(directory))
        try:
            cluster.start()
            for server in cluster.servers.all:
                print(f"NATS server {server.name}  {server.url}")
            for node in cluster.nodes:
                print(f"node {node.name}          try it: nc localhost {node.port}")
            client = ",".join(f"localhost:{node.port}" for node in cluster.nodes)
            print(f"a client that goes to the next node when one is gone: chat-client --server {client}")
            print(f"their data and logs are in {directory}; Ctrl-C ends all and removes it", flush=True)
            over.wait()
        finally:
            for node in cluster.nodes:
                if node.is_running:
                    node.terminate()
            cluster.close()


if __name__ == "__main__":
    main()
