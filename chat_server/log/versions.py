"""The versions of the log: what may stand in a batch, and what rules make of it, on all nodes alike.

A cluster has the version in its state. While nodes of two programs run, the newer ones write what the older ones know,
and refuse commands that need more. Once all living nodes know a newer version, an entry raises it (see
`entries.RaiseVersion` and `cluster.upgrade`); a node that does not know it stops there.

An entry that uses nothing new is encoded as it always was: what has its default is left out of it.
"""

from collections.abc import Mapping
from typing import Any

from msgspec import NODEFAULT, Struct
from msgspec.structs import FieldInfo, fields

# The newest version that this program knows, and the oldest whose batches it can execute. A version has a file in
# tests/data/log/, which never changes once the version was released.
VERSION = 5
OLDEST = 5
# The version that each addition came with: of a type, by the name of its class, of a field, "Class.field", and of a
# value of a field, "Class.field=value". A field that is added has a default, which stands for what was before it.
ADDED: Mapping[str, int] = {}


def version_needed(value: Any) -> int:
    """Return the version that the log must have before this may stand in it."""
    needed = OLDEST
    parts = [value]
    while parts:
        part = parts.pop()
        if isinstance(part, Struct):
            name = type(part).__name__
            needed = max(needed, ADDED.get(name, OLDEST))
            for field in fields(type(part)):
                held = getattr(part, field.name)
                if held != default_of(field):
                    key = f"{name}.{field.name}"
                    needed = max(needed, ADDED.get(key, OLDEST), ADDED.get(f"{key}={held}", OLDEST))
                    parts.append(held)
        elif isinstance(part, list | tuple):
            parts += part
    return needed


def default_of(field: FieldInfo) -> Any:
    """Return the default of a field, NODEFAULT if it has none."""
    return field.default if field.default_factory is NODEFAULT else field.default_factory()
