"""The build: what is compiled, what must not be, and what mypyc would make something else of."""

import ast
import importlib
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import Any

import msgspec
import pytest

from chat_server import __version__
from chat_server.build import BUILD
from chat_server.log.entries import Batch, Limits
from chat_server.protocol.control import CONTROL
from chat_server.protocol.table import TABLE
from tests.imports import tree
from tests.unit.protocol.samples import ANY_EVENT

ROOT = Path(__file__).parents[2]
COMPILED: list[str] = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["chat-server"]["compiled"]
# Whatever takes a generator expression as a whole at once, so that a list is as good.
TAKES_ALL = (
    "all", "any", "bytes", "dict", "frozenset", "list", "max", "min", "next", "set", "sorted", "sum", "tuple",
    "extend", "fromkeys", "join", "update",
)  # fmt: skip


def source_of(name: str) -> Path:
    path = ROOT / name.replace(".", "/")
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def test_the_tests_run_on_the_build_that_they_were_started_for() -> None:
    assert os.environ.get("CHAT_BUILD", "pure Python") == BUILD
    endings = tuple(EXTENSION_SUFFIXES) if BUILD == "compiled" else (".py",)
    files = [str(importlib.import_module(name).__file__) for name in COMPILED]
    assert [file for file in files if not file.endswith(endings)] == []


@pytest.mark.parametrize("program", ["chat_server", "chat_client"])
def test_a_program_says_its_version_and_its_build(program: str) -> None:
    said = subprocess.run([sys.executable, "-m", program, "--version"], capture_output=True, text=True, check=True)
    assert said.stdout == f"{program.replace('_', '-')} {__version__} ({BUILD})\n"


# ---- what mypyc would make something else of


def test_the_list_of_compiled_modules_is_sorted_and_names_sources() -> None:
    assert sorted(set(COMPILED)) == COMPILED
    assert all(source_of(name).is_file() for name in COMPILED)


def structs(of: msgspec.inspect.Type, found: set[type]) -> set[type]:
    """The classes of all structs that a decoder of this type makes."""
    if isinstance(of, msgspec.inspect.StructType) and of.cls not in found:
        found.add(of.cls)
    elif isinstance(of, msgspec.inspect.StructType):
        return found
    for part in parts_of(of):
        structs(part, found)
    return found


def parts_of(of: Any) -> Iterator[msgspec.inspect.Type]:
    if isinstance(of, msgspec.inspect.StructType):
        yield from (field.type for field in of.fields)
    for name in ("types", "item_types"):
        yield from getattr(of, name, ())
    for name in ("item_type", "key_type", "value_type"):
        part = getattr(of, name, None)
        if part is not None:
            yield part


def test_no_struct_that_is_decoded_is_compiled() -> None:
    """mypyc keeps the outermost type of an annotation alone: `list[str]` would take a list of anything."""
    commands = (*TABLE.values(), *CONTROL.values())
    decoded: set[type] = set()
    for each in (Batch, Limits, ANY_EVENT, *(spec.build for spec in commands), *(spec.reply for spec in commands)):
        structs(msgspec.inspect.type_info(each), decoded)
    assert len(decoded) > 150
    assert [each.__qualname__ for each in decoded if each.__module__ in COMPILED] == []


def kept_generators(module: ast.Module) -> Iterable[int]:
    parents = {child: parent for parent in ast.walk(module) for child in ast.iter_child_nodes(parent)}
    for node in ast.walk(module):
        if isinstance(node, ast.GeneratorExp):
            parent = parents[node]
            if isinstance(parent, ast.Call):
                function = parent.func
                taker = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
                is_taken = taker in TAKES_ALL
            else:
                unpacks = isinstance(parent, ast.Assign) and isinstance(parent.targets[0], ast.Tuple)
                is_taken = isinstance(parent, ast.Starred) or unpacks
            if not is_taken:
                yield node.lineno


def test_a_generator_expression_of_a_compiled_module_is_taken_at_once() -> None:
    """mypyc makes a list of it, at once: what has to be made later is a function that yields."""
    found = {name: list(kept_generators(tree(source_of(name)))) for name in COMPILED}
    assert {name: lines for name, lines in found.items() if lines} == {}
    assert list(kept_generators(ast.parse("def f(): return (each for each in x)\nf(each for each in x)"))) == [1, 2]


def test_no_struct_of_a_compiled_module_has_a_factory_of_defaults() -> None:
    """mypyc takes `field(default_factory=list)` for the value itself; msgspec copies a default of `[]` or `{}`."""
    for name in COMPILED:
        keywords = [node.arg for node in ast.walk(tree(source_of(name))) if isinstance(node, ast.keyword)]
        assert "default_factory" not in keywords, name
