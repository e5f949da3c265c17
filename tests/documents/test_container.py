"""The Dockerfile in examples/, as far as it can be read: no Docker runs in the tests."""

import json
import re
from pathlib import Path

from chat_server.admin.command_line import parse
from chat_server.settings import resolve

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "examples" / "Dockerfile").read_text()
STEPS = re.sub(r"\\\n\s*", "", re.sub(r"^#.*\n", "", TEXT, flags=re.MULTILINE)).splitlines()


def steps(word: str) -> list[str]:
    return [step.removeprefix(f"{word} ") for step in STEPS if step.startswith(f"{word} ")]


def test_the_server_runs_as_nobody_else_with_settings_that_it_knows() -> None:
    (user,), (volume,) = steps("USER"), steps("VOLUME")
    assert int(user) > 0 and f"useradd --uid {user} " in TEXT
    environment = dict(each.split("=", 1) for line in steps("ENV") for each in line.split())
    settings = resolve({}, {name: value for name, value in environment.items() if name.startswith("CHAT_")})
    assert settings.data_dir == volume and settings.host == "0.0.0.0"
    assert str(settings.port) in steps("EXPOSE")[0].split()
    assert json.loads(steps("ENTRYPOINT")[0]) == ["chat-server"]


def test_it_is_asked_by_a_subcommand_that_there_is() -> None:
    (check,) = steps("HEALTHCHECK")
    program, *arguments = json.loads(check.partition("CMD ")[2])
    assert program == "chat-server" and parse(arguments)[0] == "stats"


def test_it_installs_what_the_tests_run_with() -> None:
    assert "--constraint requirements.txt" in TEXT and (ROOT / "requirements.txt").exists()
    kept_out = (ROOT / "examples" / "Dockerfile.dockerignore").read_text().split()
    assert "requirements.txt" not in kept_out and ".git" in kept_out
