"""The identity of the data directory's node: its name in the log, and its count of starts."""

from collections.abc import Mapping
from pathlib import Path

from chat_server.errors import StartError
from chat_server.log.entries import Identity
from chat_server.store.data_directory import write_durably

# The file is in the data directory and in no backup, since a copy of the chat is another node.
FILE = "node"


def name_of_node(directory: Path, wanted: str | None, drawn: str) -> str:
    """Return the name that the directory's node has, or takes with its first start. Raises StartError.

    `wanted` is what the settings say, and `drawn` a random one for a node that is new and was given none.
    """
    file = directory / FILE
    try:
        name = file.read_text().split()[0] if file.exists() else wanted or drawn
    except (OSError, IndexError):
        raise StartError(f"{file} cannot be read; remove it: the node then takes a new name") from None
    if wanted not in (None, name):
        raise StartError(
            f"{directory} is the directory of node {name}, and --node names {wanted}: leave that out, or name another"
            " directory with --data"
        )
    return name


def begin_incarnation(directory: Path, new_name: str, known: Mapping[str, int]) -> Identity:
    """Count this start of the node and make it durable. A node without a name takes the new one.

    `known` has the last start of each node that the database knows. The file may be older than that: it is in no
    backup, and a database would skip the commands of a start that it knows to be over. Raises StartError.
    """
    file = directory / FILE
    try:
        name, count = file.read_text().split() if file.exists() else (new_name, "0")
        identity = Identity(name, max(int(count), known.get(name, 0)) + 1)
        write_durably(file, f"{identity.node} {identity.incarnation}\n")
    except OSError as error:
        raise StartError(f"cannot note the start of this node in {file}: {error.strerror}") from None
    except ValueError:
        raise StartError(
            f"{file} is damaged; remove it: the node then takes a new name, and uploads under way begin again"
        ) from None
    return identity
