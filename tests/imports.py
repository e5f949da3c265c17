"""What a source file uses of other modules, by full names, whatever it calls them itself."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


@cache
def uses(path: Path) -> frozenset[str]:
    """`from datetime import datetime as D; D.now()` uses `datetime.datetime` and `datetime.datetime.now`.

    Imports inside functions count, and what is asked of the result of a call: `asyncio.get_running_loop().call_later`.
    """
    return frozenset(_uses(tree(path)))


def _uses(tree: ast.Module) -> Iterator[str]:
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                names[alias.asname or alias.name.split(".")[0]] = (
                    alias.name if alias.asname else alias.name.split(".")[0]
                )
                yield alias.name
        elif isinstance(node, ast.ImportFrom):
            assert node.module is not None and not node.level, "imports are absolute"
            for alias in node.names:
                assert alias.name != "*", "names are imported one by one"
                names[alias.asname or alias.name] = f"{node.module}.{alias.name}"
                yield f"{node.module}.{alias.name}"
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and (name := resolve(node, names)):
            yield name
        elif isinstance(node, ast.Call) and resolve(node.func, names) in ("importlib.import_module", "__import__"):
            yield from (str(each.value) for each in node.args if isinstance(each, ast.Constant))


def resolve(node: ast.expr, names: dict[str, str]) -> str | None:
    """The full name, if it begins with something that was imported."""
    if isinstance(node, ast.Name):
        return names.get(node.id, "__import__" if node.id == "__import__" else None)
    if isinstance(node, ast.Attribute):
        of = resolve(node.value, names)
        return of and f"{of}.{node.attr}"
    if isinstance(node, ast.Call):
        return resolve(node.func, names)
    return None


def is_within(name: str, *wholes: str) -> bool:
    return any(name == whole or name.startswith(f"{whole}.") for whole in wholes)


def imported(path: Path) -> Iterator[str]:
    """The modules that are imported with this file, or by a function of it when it is called."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
