"""The benchmarks: what they measure, and one line for what a machine lacks of what they can use."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from benchmarks import bench, programs
from benchmarks.workloads import QUICK, Workload
from chat_server import __version__
from chat_server.build import BUILD

OURS = "chat-server 1.2.3 (compiled)"


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the workloads that are measured, of a server that is not there."""

    @contextmanager
    def no_server(*_: object, **__: object) -> Iterator[None]:
        yield

    names: list[str] = []

    def measure(_program: None, workload: Workload, _protocol: str) -> bench.Figures:
        names.append(workload.name)
        return bench.Figures(1.0, 1.0, 1.0, 1.0, 1.0)

    monkeypatch.setattr(bench, "chat_server", no_server)
    monkeypatch.setattr(bench, "measure", measure)
    monkeypatch.setattr(bench, "our_version", lambda: OURS)
    monkeypatch.setattr(bench, "is_installed", lambda _: False)
    monkeypatch.setattr(bench, "instructions_of", lambda _: 7.0)
    return names


def begin(monkeypatch: pytest.MonkeyPatch, *words: str) -> None:
    monkeypatch.setattr("sys.argv", ["bench", *words])
    bench.main()


def test_without_valgrind_no_instructions_are_counted(
    started: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    begin(monkeypatch, "--quick", "--instructions")
    out, err = capsys.readouterr()
    assert err == "valgrind is not installed: instructions are not counted\n"
    assert started == QUICK and "instructions" not in out
    assert out.startswith(f"{OURS}\n")


def test_workloads_whose_instructions_are_not_counted_are_measured_all_the_same(
    started: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bench, "is_installed", lambda _: True)
    begin(monkeypatch, "--quick", "--instructions", "--only", "100 ")
    counted = {
        line[:28].strip(): "7 thousand instructions" in line for line in capsys.readouterr().out.splitlines()[1:]
    }
    assert counted == {
        "100 pairs, W = 20 each": True,
        "100 chats of 50, W = 100": False,
        "100 a second to 1,000": False,
    }


def test_it_is_said_which_servers_are_missing(
    started: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    floors = bench.FLOORS.values()
    begin(monkeypatch, "--rounds", "1", "--only", "100 pairs", "--without", "ngIRCd", *floors)
    out, err = capsys.readouterr()
    assert err == "inspircd is not installed: InspIRCd is left out\n"
    assert "100 pairs, W = 20 each | 1 messages" in out


@pytest.mark.parametrize(
    ("words", "there_is"),
    [(["--only", "200 pairs"], "100 pairs"), (["--without", "ngircd"], "ngIRCd"), (["--without", "ours"], "InspIRCd")],
)
def test_a_name_that_there_is_not_is_refused(
    words: list[str], there_is: str, started: list[str], monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    with pytest.raises(SystemExit, match="2"):
        begin(monkeypatch, *words)
    assert there_is in capsys.readouterr().err.splitlines()[-1] and started == []


def test_without_a_compiler_they_end_with_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "is_installed", lambda _: False)
    with pytest.raises(SystemExit, match=r"^no C compiler \(cc\) is installed.*apt-get install gcc libsqlite3-dev$"):
        programs.build.__wrapped__("load")


def test_what_cannot_be_compiled_ends_them_with_a_line() -> None:
    with pytest.raises(SystemExit, match=r"^nothing\.c could not be compiled; on Debian: apt-get install"):
        programs.build.__wrapped__("nothing")


def test_the_server_that_is_installed_is_measured_wherever_they_are_run(tmp_path: Path) -> None:
    """In a clone whose environment has the compiled build, the sources of the clone were."""
    (tmp_path / "chat_server").mkdir()
    (tmp_path / "chat_server" / "__main__.py").write_text("print('another one')")
    command = [*programs.OUR_SERVER, "--version"]
    said = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert said == f"chat-server {__version__} ({BUILD})\n"
