"""The alert rules, by Prometheus' own tool where it is found (Debian: the package prometheus)."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

RULES = Path(__file__).parents[2] / "examples" / "prometheus-rules.yml"
CASES = Path(__file__).with_name("alerts.yml")


def test_each_alert_has_its_case() -> None:
    alerts = set(re.findall(r"alert: (\w+)", RULES.read_text()))
    assert alerts == set(re.findall(r'alertname="(\w+)"', CASES.read_text()))


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_the_rules_fire_when_they_should(tmp_path: Path) -> None:
    checked = subprocess.run(["promtool", "check", "rules", str(RULES)], capture_output=True, text=True)
    assert checked.returncode == 0 and "SUCCESS" in checked.stdout, checked
    cases = tmp_path / "alerts.yml"
    cases.write_text(CASES.read_text().replace("[RULES]", f"['{RULES}']"))
    tested = subprocess.run(["promtool", "test", "rules", str(cases)], capture_output=True, text=True)
    assert tested.returncode == 0, tested.stdout + tested.stderr
