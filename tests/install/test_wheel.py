"""The wheel: built from the sources, and installed by uv, pipx and pip where nothing else of the chat is."""

import os
import re
import socket
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from chat_server import __version__

# What is built or installed takes as long as the machine has other things to do.
pytestmark = pytest.mark.timeout(1800)
ROOT = Path(__file__).parents[2]
INSTALLERS = {
    "uv": ["uv", "tool", "install", "--python", sys.executable],
    "pipx": ["pipx", "install", "--python", sys.executable],
}


def run(*command: str | Path, env: dict[str, str], cwd: Path, given: str = "") -> str:
    ended = subprocess.run(command, env=env, cwd=cwd, input=given, capture_output=True, text=True, timeout=600)
    assert ended.returncode == 0, f"{command}: {ended.stdout}{ended.stderr}"
    return ended.stdout


@pytest.fixture(scope="session")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment with uv, pipx and build."""
    venv = tmp_path_factory.mktemp("tools")
    run(sys.executable, "-m", "venv", venv, env=dict(os.environ), cwd=venv)
    run(venv / "bin/pip", "install", "--quiet", "uv", "pipx", "build", env=dict(os.environ), cwd=venv)
    return venv / "bin"


@pytest.fixture(scope="session")
def built(tools: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A source distribution, and a wheel that was built from it."""
    directory = tmp_path_factory.mktemp("built")
    env = {name: value for name, value in os.environ.items() if name not in ("CHAT_COMPILE", "PYTHONPATH")}
    run(tools / "python", "-m", "build", "--outdir", directory, ROOT, env=env, cwd=directory)
    return directory


@pytest.fixture
def home(tools: Path, tmp_path: Path) -> dict[str, str]:
    """The environment of a user who has nothing installed yet."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name.startswith(("PIP_", "UV_", "HTTP", "SSL", "http", "no_proxy"))
    }
    path = f"{tmp_path}/.local/bin:{tools}:/usr/bin:/bin"
    return {**kept, "HOME": str(tmp_path), "PATH": path, "LANG": "C.UTF-8", "PIPX_HOME": f"{tmp_path}/pipx"}


@pytest.mark.parametrize("installer", INSTALLERS)
def test_both_programs_run_once_the_wheel_is_installed(
    installer: str, built: Path, home: dict[str, str], tmp_path: Path
) -> None:
    (wheel,) = built.glob("*.whl")
    run(*INSTALLERS[installer], wheel, env=home, cwd=tmp_path)
    for program in ("chat-server", "chat-client"):
        said = run("env", program, "--version", env=home, cwd=tmp_path)
        assert said == f"{program} {__version__} (pure Python)\n"
    server = subprocess.Popen(
        ["env", "chat-server", "--port", "0"], env=home, cwd=tmp_path, stdout=subprocess.PIPE, text=True
    )
    try:
        assert server.stdout is not None
        found = re.search(r":(\d+)$", server.stdout.readline().strip())
        assert found is not None
        address = f"localhost:{found[1]}"
        client = ["env", "chat-client", "--server", address, "--user", "anna", "--register"]
        run(*client, "--send", "main", "is it there?", env=home, cwd=tmp_path)
        with socket.create_connection(("localhost", int(found[1]))) as bob, bob.makefile("rw") as lines:
            lines.write("/sign_in bob\n/quit\n")
            lines.flush()
            assert "main anna: is it there?" in lines.read()
    finally:
        server.terminate()
        assert server.wait(30) == 0
    completions = run("env", "chat-server", "completion", "bash", env=home, cwd=tmp_path)
    assert "complete -F" in completions or "complete " in completions
    assert list(tmp_path.rglob("chat-server.8")), "the manual page"


def test_what_is_built_has_all_that_belongs_in_it_and_nothing_else(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        names = packed.namelist()
        metadata = packed.read(f"chat_server-{__version__}.dist-info/METADATA").decode()
    assert {name.split("/")[0] for name in names} == {
        "chat_client", "chat_server", f"chat_server-{__version__}.dist-info", f"chat_server-{__version__}.data",
    }  # fmt: skip
    assert "License-Expression: MIT" in metadata and "Requires-Python: >=3.11" in metadata
    assert {"chat_server/py.typed", "chat_client/py.typed"} <= set(names)
    (source,) = built.glob("*.tar.gz")
    with tarfile.open(source) as archive:
        packed_sources = {name.partition("/")[2] for name in archive.getnames()}
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert {*listed.splitlines()} - packed_sources == {".gitignore"}
    assert not [name for name in packed_sources if name.startswith((".venv", ".git", "dist"))]


def test_without_a_compiler_the_compiled_build_says_what_it_needs(tools: Path, tmp_path: Path) -> None:
    env = {**os.environ, "CHAT_COMPILE": "1", "CC": "no-such-compiler"}
    command = [str(tools / "pip"), "wheel", "--no-deps", "--wheel-dir", str(tmp_path), str(ROOT)]
    ended = subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, text=True, timeout=600)
    assert ended.returncode != 0
    assert "CHAT_COMPILE=1 needs a C compiler (no-such-compiler)" in ended.stdout + ended.stderr
    assert "Traceback" not in ended.stdout + ended.stderr
