"""The file into which one that is fetched comes, and what a client leaves that is killed."""

import subprocess
import sys
from pathlib import Path

import pytest

from chat_client.sdk import partial_file
from chat_client.sdk.partial_file import PartialFile

KILLED = """
import os, signal, sys
from pathlib import Path
from chat_client.sdk import partial_file
if sys.argv[2] == "named":
    partial_file._nameless = lambda folder: None
part = partial_file.PartialFile(Path(sys.argv[1]))
part.file.write(b"half of it")
part.file.flush()
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(params=["nameless", "named"])
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "named":
        monkeypatch.setattr(partial_file, "_nameless", lambda folder: None)
    return str(request.param)


def names(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


def test_it_gets_a_name_that_nothing_has(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "new"
    with PartialFile(folder) as part:
        (folder / "a").write_text("mine")
        part.file.write(b"all of it")
        assert not part.place(folder / "a") and part.place(folder / "b")
    assert names(folder) == ["a", "b"]
    assert ((folder / "a").read_text(), (folder / "b").read_bytes()) == ("mine", b"all of it")


def test_what_is_not_placed_is_gone(tmp_path: Path, kind: str) -> None:
    with PartialFile(tmp_path) as part:
        part.file.write(b"half")
    assert names(tmp_path) == []


def test_a_killed_client_leaves_nothing_for_long(tmp_path: Path, kind: str) -> None:
    subprocess.run([sys.executable, "-c", KILLED, str(tmp_path), kind], check=False)
    with PartialFile(tmp_path), PartialFile(tmp_path):
        others = len(names(tmp_path))
        assert others == (2 if kind == "named" else 0), "what is in use stays, what is nobody's goes"
    assert names(tmp_path) == []
