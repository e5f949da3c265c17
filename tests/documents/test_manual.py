"""The manual pages have the lists that the code and the documents have now, and are what `man` and mandoc take."""

import os
import re
import runpy
import shutil
import subprocess
from pathlib import Path

import pytest

from chat_server.settings import OPTIONS

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs" / "man").iterdir())
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


@each_page
def test_the_lists_of_a_page_are_as_they_are_now(page: Path) -> None:
    made = runpy.run_path(str(ROOT / "docs" / "manual.py"))
    text = page.read_text()
    lists = re.findall(r'^\.\\" end of (.*)$', text, re.MULTILINE)
    assert lists, "each page has at least one, so that this test sees it"
    assert made["with_lists"](text) == text, "run: .venv/bin/python docs/manual.py"
    for name in lists:
        assert len(made["LISTS"][name]()) > 4, f"the list of {name} is empty"


def test_every_key_has_its_place_in_the_page_of_the_configuration() -> None:
    text = (ROOT / "docs" / "man" / "chat-server.toml.5").read_text()
    assert re.findall(r"^\.It Cm ([\w-]+) No = ", text, re.MULTILINE) == [each.name for each in OPTIONS.values()]


@each_page
@pytest.mark.parametrize(
    ("command", "locale"),
    [
        (["mandoc", "-T", "lint"], "C.UTF-8"),
        (["man", "--warnings=w", "-l"], "C.UTF-8"),
        (["man", "--warnings=w", "-l"], "C"),
    ],
    ids=["mandoc", "man", "man in ASCII"],
)
def test_nothing_about_a_page_is_doubtful(page: Path, command: list[str], locale: str) -> None:
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    done = subprocess.run(
        [*command, page], env={**os.environ, "LC_ALL": locale}, capture_output=True, text=True, timeout=60
    )
    told = done.stderr if command[0] == "man" else done.stdout + done.stderr
    # Whether the other pages are installed on this machine does not matter.
    lines = [
        each for each in told.splitlines() if "referenced manual not found" not in each and "mandoc.db" not in each
    ]
    assert lines == []
