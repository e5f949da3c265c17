"""Write the layout in ARCHITECTURE.md anew: each file with the first sentence of its docstring, lowest layer first.

Run it as `python docs/layout.py` after a file was added, moved or described anew; `make test` fails where it is stale.
"""

import ast
import re
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
ARCHITECTURE = ROOT / "ARCHITECTURE.md"
PACKAGES = ("chat_server", "chat_client")


def layers(package: str) -> list[str]:
    """The modules and packages of the package's contract in pyproject.toml, lowest first."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (rows,) = (each["layers"] for each in contracts if each["layers"][0] == f"{package}.__main__")
    inside = {name: each["layers"] for each in contracts for name in each.get("containers", ())}
    names = [name for row in reversed(rows) for name in re.split(r"\s*[|:]\s*", row)]
    return [each for name in names for each in _within(name, inside.get(name, ()))]


def _within(package: str, rows: Sequence[str]) -> list[str]:
    """What a package stands for in the order: its own layers, lowest first, where a contract names them."""
    return [f"{package}.{row}" for row in reversed(rows)] or [package]


def summary(path: Path) -> str:
    """The first sentence of the docstring, without its full stop."""
    words = (ast.get_docstring(ast.parse(path.read_text())) or "").split("\n\n")[0].replace("\n", " ")
    return re.split(r"(?<=[^.])\.(?:\s|$)", words)[0]


def tree(package: str) -> str:
    folder, order = ROOT / package, layers(package)

    def rank(path: Path) -> int:
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        return min(
            (at for at, layer in enumerate(order) if module == layer or f"{layer}.".startswith(f"{module}.")
             or module.startswith(f"{layer}.")), default=-1
        )  # fmt: skip

    def lines(folder: Path, indent: str) -> Iterator[str]:
        for path in sorted(folder.glob("[!.]*"), key=lambda path: (rank(path), path.name)):
            if (path / "__init__.py").exists():
                yield f"{indent}{path.name + '/':<24} {summary(path / '__init__.py')}"
                yield from lines(path, indent + "  ")
            elif path.suffix == ".py" and path.name != "__init__.py":
                yield f"{indent}{path.name:<24} {summary(path)}"

    return "\n".join([f"{package}/", *lines(folder, "  ")])


def with_layout(text: str) -> str:
    """The text of ARCHITECTURE.md with the layout as it is now."""
    for package in PACKAGES:
        before, _, rest = text.partition(f"```text\n{package}/\n")
        text = f"{before}```text\n{tree(package)}\n```{rest.partition('```')[2]}"
    return text


if __name__ == "__main__":
    ARCHITECTURE.write_text(with_layout(ARCHITECTURE.read_text()))
