"""What the benchmarks write into a document: tables, with the machine, the versions and the command."""

import os
import platform
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

from benchmarks.programs import is_installed


def as_table(head: list[str], rows: list[list[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows))


def machine() -> str:
    """The machine and the versions, in a sentence."""
    processor = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    said = [
        f"{os.cpu_count()} cores ({processor[1] if processor else platform.machine()})",
        f"Linux {platform.release()}",
        f"Python {platform.python_version()}",
    ]
    for name, option in (("inspircd", "--version"), ("ngircd", "--version")):
        if is_installed(name):
            path = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin") or name
            shown = subprocess.run([path, option], capture_output=True, text=True, check=False).stdout
            said.append(shown.split("\n", 1)[0].split("-IDENT", 1)[0])
    return ", ".join(said)


def write(document: Path, text: str, *, rounds: int) -> None:
    """Put the text between the marks of the benchmark that runs, behind a line on how it was made."""
    name = Path(sys.argv[0]).stem
    command = " ".join(["python -m", f"benchmarks.{name}", *sys.argv[1:]])
    begin, end = f"<!-- begin: {name} -->", f"<!-- end: {name} -->"
    before, _, rest = document.read_text().partition(begin)
    assert end in rest, f"{document} has no {begin} with its end"
    head = textwrap.fill(f"`{command}`, {machine()}; medians of {rounds} rounds:", 120, break_on_hyphens=False)
    document.write_text(f"{before}{begin}\n{head}\n\n{text}\n{end}{rest.partition(end)[2]}")
