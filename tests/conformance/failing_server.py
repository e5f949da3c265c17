"""A server whose disk fails in the calls that a test names (see failing.c), and its answer then."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conformance.conftest import UNLIMITED
from tests.harness import Json, Server

SOURCE = Path(__file__).parents[1] / "failing.c"
LOG, DATABASE, PART = "/chat.db-wal", "/chat.db", "/uploads/2"


class FailingServer(Server):
    def __init__(self, data: Path, library: Path, *options: str) -> None:
        self._faults = data.with_name("faults")
        super().__init__(
            data, *UNLIMITED, "--disk-reserve", "off", "--log-level", "warning", *options,
            environment={"LD_PRELOAD": str(library), "FAILING": str(self._faults)},
        )  # fmt: skip

    def fail(self, *faults: tuple[str, int, str]) -> None:
        new = self._faults.with_suffix(".new")
        new.write_text("".join(f"{call} {number} {path}\n" for call, number, path in faults))
        new.replace(self._faults)


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("there is no C compiler (cc): tests/failing.c cannot be built")
    made = tmp_path_factory.mktemp("failing") / "failing.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", made, SOURCE, "-ldl"], check=True)
    return made


def assert_not_done(reply: Json) -> None:
    assert (reply["type"], reply["code"], reply["done"]) == ("error", "unavailable", False), reply
    assert "nothing was done" in reply["text"]
