"""The units of systemd in `examples/` are what systemd takes, and leave little to whoever breaks into the server."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
UNITS = sorted(path for path in EXAMPLES.rglob("*") if path.suffix in (".service", ".socket"))
SERVICES = [path for path in UNITS if path.suffix == ".service"]
# In tenths, as systemd-analyze takes it: 0 is nothing at all, 10 everything.
EXPOSURE_TENTHS_MAX = 15


@pytest.fixture(autouse=True)
def _analyze() -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")


def test_systemd_takes_the_units(tmp_path: Path) -> None:
    """As they stand here, but for the programs and pages, which need not be installed."""
    for path in UNITS:
        text = re.sub(r"^(Exec\w+=)/usr\S+", r"\1/bin/true", path.read_text(), flags=re.MULTILINE)
        (tmp_path / path.name).write_text(re.sub(r"^Documentation=man:.*\n", "", text, flags=re.MULTILINE))
    units = [str(tmp_path / path.name.replace("@.", "@one.")) for path in UNITS]
    done = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.parametrize("unit", SERVICES, ids=lambda path: path.name)
def test_a_service_is_hardly_exposed(unit: Path) -> None:
    command = ["systemd-analyze", "security", "--offline=true", f"--threshold={EXPOSURE_TENTHS_MAX}", str(unit)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout
