from pathlib import Path
from typing import Any

import pytest

from chat_server.errors import StartError
from chat_server.setting_kinds import Rate
from chat_server.settings import OPTIONS, Settings, load
from tests.unit.setting_examples import (
    CLUSTER,
    EXAMPLES,
    FIELDS,
    HOURS,
    MINUTES,
    SECONDS,
    TLS,
)

each_option = pytest.mark.parametrize("name", sorted(FIELDS))


def value(name: str, settings: Settings) -> Any:
    return getattr(settings, FIELDS[name])


def variable(name: str) -> str:
    return "CHAT_" + name.upper().replace("-", "_")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "chat.toml"


def failure(arguments: list[str], environment: dict[str, str] | None = None) -> str:
    with pytest.raises(StartError) as caught:
        load(arguments, environment or {})
    assert caught.value.status == 2
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_every_option_has_its_examples() -> None:
    assert set(EXAMPLES) == set(FIELDS)


@each_option
def test_the_command_line_wins_over_the_environment_and_that_over_the_file(name: str, config: Path) -> None:
    (in_file, first), (in_environment, second), (given, third) = EXAMPLES[name]
    config.write_text(f'{name} = "{in_file}"\n')
    groups = [group for group in (TLS, CLUSTER) if name in group]
    others = [f"--{each}={said}" for group in groups for each, said in group.items() if each != name]
    by_file = ["--config", str(config), *others]
    environment = {variable(name): in_environment}
    assert value(name, load(by_file, {})) == first
    assert value(name, load(by_file, environment)) == second
    assert value(name, load([*by_file, f"--{name}", given], environment)) == third
    assert value(name, load([f"--{name}={given}", *others], {})) == third


def test_the_defaults_are_those_of_the_protocol_page() -> None:
    settings = load([], {})
    assert (settings.host, settings.port) == ("127.0.0.1", 8000)
    assert (settings.replay_messages, settings.page_messages, settings.text_chars_max) == (20, 20, 4096)
    assert (settings.reports_to_ban, settings.ban_ms, settings.reports_per_day) == (3, 4 * HOURS, 10)
    assert (settings.line_bytes_max, settings.outbox_bytes_max, settings.stall_ms) == (65_536, 262_144, 60_000)
    assert (settings.command_rate, settings.command_burst) == (Rate(10, SECONDS), 20)
    assert settings.sign_in_tries == Rate(5, 10 * MINUTES)
    assert (settings.connections_max, settings.connections_per_address) == (10_000, 64)
    assert (settings.delayed_max, settings.delayed_ahead_ms) == (100, 365 * 24 * HOURS)
    assert (settings.token_ttl_ms, settings.presence_max, settings.sign_in_timeout_ms) == (720 * HOURS, 500, 60_000)
    assert (settings.log_level, settings.log_format) == ("info", "text")
    assert settings.data_dir.endswith("chat-server")


@each_option
def test_a_wrong_value_names_the_option_and_what_is_expected(name: str, config: Path) -> None:
    if name in ("host", "data", "tls-cert", "tls-key", "log-file", "metrics-file") or name.startswith("cluster-"):
        return
    wrong = "٣ nonsense"
    config.write_text(f'{name} = "{wrong}"\n')
    for text, told in (
        (failure([f"--{name}", wrong]), f"--{name}"),
        (failure([], {variable(name): wrong}), variable(name)),
        (failure(["--config", str(config)]), f"{name} in the configuration file"),
    ):
        assert text.startswith(f"{told}: expected ") and text.endswith(f", got “{wrong}”")
        assert " off" in text or OPTIONS[FIELDS[name]].off is None


@pytest.mark.parametrize("missing", TLS)
def test_an_incomplete_tls_setting_is_refused(missing: str) -> None:
    said = failure([f"--{name}={value}" for name, value in TLS.items() if name != missing])
    assert said.endswith(f"--{missing} is missing")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--cluster=nats://chat.example"], "beyond loopback"),
        (["--cluster=tls://chat.example"], "needs users"),
        (["--cluster=tls://127.0.0.1,chat.example"], "needs users"),
        (["--cluster=nats://user:password@127.0.0.1"], "without a password"),
        (["--cluster=http://127.0.0.1"], "URLs of NATS servers"),
        (["--cluster=nats://127.0.0.1:x"], "URLs of NATS servers"),
        (["--cluster=nats://127.0.0.1/chat"], "URLs of NATS servers"),
        (["--cluster=nats://"], "URLs of NATS servers"),
        (["--node=one"], "--cluster is not given"),
        (["--reuse-port"], "--cluster is not given"),
        (["--reuse-port", "--cluster=nats://127.0.0.1", "--port=0"], "nobody shares"),
        (["--cluster=nats://127.0.0.1", "--node=a.b"], "a name"),
        (["--cluster=nats://127.0.0.1", "--cluster-user=one"], "belong together"),
        (["--cluster=nats://127.0.0.1", "--cluster-key=key.pem"], "belong together"),
    ],
)
def test_a_way_to_nats_that_is_not_safe_or_not_whole_is_refused(options: list[str], told: str) -> None:
    assert told in failure(options)


def test_tls_in_one_url_of_nats_is_meant_for_all() -> None:
    assert load(["--cluster=nats://127.0.0.1,127.0.0.2"], {}).nats_urls == [
        "nats://127.0.0.1:4222", "nats://127.0.0.2:4222"
    ]  # fmt: skip
    assert load(["--cluster=tls://127.0.0.1,127.0.0.2"], {}).nats_urls == [
        "tls://127.0.0.1:4222", "tls://127.0.0.2:4222"
    ]  # fmt: skip
    safe = load(["--cluster=tls://chat.example", "--cluster-user=one", "--cluster-password-file=password"], {})
    assert safe.nats_urls == ["tls://chat.example:4222"]


def test_without_any_port_nobody_could_connect() -> None:
    assert "nobody could connect" in failure(["--port", "off"])
    assert load(["--port", "off", *(f"--{name}={value}" for name, value in TLS.items())], {}).port is None


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("port", "-1"), ("port", "65536"), ("port", "80.5"), ("page", "0"), ("page", "201"), ("text-max", "60001"),
        ("ban-duration", "0"), ("ban-duration", "4 hours"), ("main-rate-limit", "20"), ("main-rate-limit", "0/1h"),
        ("main-rate-limit", "20/0s"), ("command-rate", "1/"), ("line-max", "0"), ("line-max", "64 kilo"),
        ("log-level", "loud"), ("allow-passwordless", "maybe"), ("port", ""), ("host", ""),
        ("port", "9" * 5000), ("ban-duration", "999999999999d"), ("token-ttl", "999999999999d"),
    ],
)  # fmt: skip
def test_wrong_values(name: str, wrong: str) -> None:
    assert name in failure([f"--{name}={wrong}"])


@pytest.mark.parametrize(
    ("name", "off"),
    [
        ("main-rate-limit", None), ("command-rate", None), ("sign-in-tries", None), ("connections-per-address", None),
        ("sign-in-timeout", None), ("message-ttl", None), ("absent-after", None), ("report-min-age", 0),
        ("presence-max", 0), ("allow-passwordless", False), ("metrics-file", None),
    ],
)  # fmt: skip
def test_off_where_it_makes_sense(name: str, off: object) -> None:
    assert value(name, load([f"--{name}", "off"], {})) == off
    assert value(name, load([f"--{name}=OFF"], {})) == off
    assert {each.name for each in OPTIONS.values() if each.off is not None} >= {name}


def test_off_elsewhere_is_a_wrong_value() -> None:
    for option in OPTIONS.values():
        if option.off is None and option.name not in ("host", "data", "operator"):
            assert option.name in failure([f"--{option.name}", "off"])


def test_toml_values_may_be_numbers_and_booleans(config: Path) -> None:
    config.write_text("port = 9000\nallow-passwordless = true\npage = 30\n")
    settings = load([], {"CHAT_CONFIG": str(config)})
    assert (settings.port, settings.allow_passwordless, settings.page_messages) == (9000, True, 30)


def test_operators_may_be_named_again_and_again(config: Path) -> None:
    config.write_text('operator = ["anna", "ben"]')
    named = [each.name for each in load(["--config", str(config)], {}).operators]
    assert named == ["anna", "ben"]
    assert [each.name for each in load(["--operator", "cora", "--operator=dirk"], {}).operators] == ["cora", "dirk"]
    assert load([], {}).operators == ()
    assert "username" in failure(["--operator", "me"])


def test_a_switch_needs_no_value() -> None:
    assert load(["--allow-passwordless"], {}).allow_passwordless


@pytest.mark.parametrize(
    ("content", "told"), [("prot = 1", "prot"), ("port = ", "not TOML"), (b"\xff", "not TOML"), ("port = [1]", "port")]
)
def test_a_bad_file_is_one_clear_line(config: Path, content: str | bytes, told: str) -> None:
    config.write_bytes(content.encode() if isinstance(content, str) else content)
    assert told in failure(["--config", str(config)])


def test_a_missing_file_and_an_unknown_option_are_one_clear_line(config: Path) -> None:
    assert str(config) in failure(["--config", str(config)])
    assert "--nonsense" in failure(["--nonsense"])
    assert "--por" in failure(["--por", "1"]), "no abbreviations"


def test_beyond_loopback_accounts_need_a_password_and_young_ones_do_not_count() -> None:
    local, open_to_all = load([], {}), load(["--host", "0.0.0.0"], {})
    assert (local.passwordless, local.report_min_age_ms) == (True, 0)
    assert (open_to_all.passwordless, open_to_all.report_min_age_ms) == (False, HOURS)
    assert load(["--host", "0.0.0.0", "--allow-passwordless"], {}).passwordless
    assert load(["--report-min-age", "5m"], {}).report_min_age_ms == 5 * MINUTES


def test_programs_are_told_the_limits() -> None:
    told = load([], {}).public_limits()
    assert told["main_rate_limit"] == "20/1h" and told["ban_duration"] == 14_400 and told["text_max"] == 4096
    assert (told["message_ttl"], told["absent_after"]) == (3600, 30 * 86_400)
    off = load(["--message-ttl", "off"], {"CHAT_COMMAND_RATE": "off"}).public_limits()
    assert off["command_rate"] == off["message_ttl"] == "off"


def test_help_and_version_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    for argument, word in (("--help", "--main-rate-limit"), ("--version", "chat-server ")):
        with pytest.raises(SystemExit) as left:
            load([argument], {})
        assert left.value.code == 0
        assert word in capsys.readouterr().out
