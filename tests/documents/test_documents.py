"""The documents say what the code does: every name of the code stands in them, and no name that it lacks."""

import ast
import importlib
import json
import re
import runpy
import tomllib
from pathlib import Path

import pytest
from msgspec import Struct

import chat_client
from chat_client.common.keys import KEYS
from chat_client.common.local_commands import LOCAL
from chat_client.settings import FILE_KEYS, option_parser
from chat_client.tui.sections import SECTIONS
from chat_server.errors import CODES
from chat_server.metrics import COUNTERS, GAUGES, Metrics
from chat_server.protocol import PROTOCOL_VERSION
from chat_server.protocol.messages import Message
from chat_server.protocol.table import GROUPS, TABLE, VERBS
from chat_server.settings import OPTIONS, SHARED, load
from tests.unit.protocol.samples import EVENTS

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "chat_server"
DOCUMENTS = sorted((*ROOT.glob("[!.]*.md"), *(ROOT / "docs").glob("[!.]*.md"), ROOT / "benchmarks" / "README.md"))
# Where a path in a document may begin, besides the document's own folder.
BASES = (ROOT, PACKAGE, ROOT / "chat_client")
# Folders of the data directory, and of the client's.
NOT_OF_THE_TREE = {"docs/operations.md": {"files/", "uploads/"}}

Row = dict[str, str]

# Fields of a reply that several commands share and these do not fill.
LEFT_OUT = {
    "get_chat_with": {"unread", "more"}, "history": {"unread"}, "edit": {"note"}, "delete": {"note"}
}  # fmt: skip


# ---- reading a document


def read(name: str) -> str:
    return (ROOT / name).read_text()


def rows(name: str, first: str) -> list[Row]:
    """The rows of all tables of the document whose first column is headed `first`, by the heads of their columns."""
    found: list[Row] = []
    heads: list[str] = []
    for line in read(name).splitlines():
        if not line.startswith("|"):
            heads = []
            continue
        cells = [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line.strip()[1:-1])]
        if not heads:
            heads = cells
        elif heads[0] == first and not set(line) <= set("|- "):
            found.append(dict(zip(heads, cells, strict=True)))
    return found


def quoted(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def blocks(name: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", read(name), re.MULTILINE | re.DOTALL)


def slug(heading: str) -> str:
    """The anchor of a heading, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


# ---- docs/protocol.md


def command_rows() -> dict[str, Row]:
    return {quoted(row["usage"])[0].split()[0][1:]: row for row in rows("docs/protocol.md", "usage")}


def test_commands() -> None:
    described = command_rows()
    in_order = [verb for group in GROUPS for verb, spec in TABLE.items() if spec.group == group]
    assert list(described) == in_order, "every command, by group, in the order of the table"
    for verb, row in described.items():
        spec = TABLE[verb]
        assert quoted(row["usage"]) == [spec.usage]
        assert quoted(row["aliases"]) == [f"/{alias}" for alias in spec.aliases]


def test_the_open_chat() -> None:
    for verb, row in command_rows().items():
        arguments = [argument for argument in TABLE[verb].arguments if argument.open_chat]
        shown = [f"{'asks for ' if each.open_chat == 'asks' else ''}`{each.usage}`" for each in arguments]
        assert row.get("open chat", "") == "".join(shown), verb


def test_groups() -> None:
    headings = re.findall(r"^### (.*)$", read("docs/protocol.md"), re.MULTILINE)
    assert [heading for heading in headings if heading in GROUPS] == list(GROUPS)


def test_commands_before_the_sign_in() -> None:
    (line,) = re.findall(r"^These work before signing in: (.*)$", read("docs/protocol.md"), re.MULTILINE)
    assert quoted(line) == [f"/{spec.verb}" for spec in TABLE.values() if spec.before_sign_in]


def fields_of(struct: type[Struct]) -> set[str]:
    return set(struct.__struct_encode_fields__)


def test_fields_of_replies() -> None:
    for verb, row in command_rows().items():
        if verb == "resume":
            assert row["ok"] == "as `/sign_in`"
            continue
        reply = TABLE[verb].reply
        fields = fields_of(reply) - LEFT_OUT.get(verb, set())
        assert set(quoted(row["ok"])) == fields, verb
        # `?` is for those that may be left out: the ones with a default, which stand last.
        names = reply.__struct_encode_fields__
        defaults = set(names[len(names) - len(reply.__struct_defaults__) :])
        assert set(re.findall(r"`(\w+)`\?", row["ok"])) == fields & defaults - {"unread"}, verb


def test_fields_of_events() -> None:
    described = {quoted(row["event"])[0]: row for row in rows("docs/protocol.md", "event")}
    assert set(described) == {str(event.__struct_config__.tag) for event in EVENTS}
    for event in EVENTS:
        row = described[str(event.__struct_config__.tag)]
        assert set(quoted(row["fields"])) == fields_of(event), row


def test_the_message_in_the_example() -> None:
    assert fields_of(Message) >= {"id", "seq", "chat", "from", "at", "text"}


def test_error_codes() -> None:
    described = [quoted(row["code"])[0] for row in rows("docs/protocol.md", "code")]
    assert sorted(described) == sorted(CODES), "every code once"
    for row in command_rows().values():
        assert set(quoted(row["errors"])) <= CODES, row


def test_codes_that_no_command_answers_are_marked() -> None:
    sources = "".join(path.read_text() for path in PACKAGE.rglob("[!.]*.py") if path.name != "errors.py")
    unused = {code for code in CODES if f'"{code}"' not in sources}
    reserved = {
        quoted(row["code"])[0] for row in rows("docs/protocol.md", "code") if "Reserved" in row["what it means"]
    }
    assert reserved == unused


def test_closing_codes() -> None:
    sources = "".join(path.read_text() for path in PACKAGE.rglob("[!.]*.py"))
    used = set(re.findall(r'(?:\.close\(|\.hang_up\([\w.]+,|\bClosing\(\w+,)\s*"(\w+)"[,)]', sources))
    assert {quoted(row["closing code"])[0] for row in rows("docs/protocol.md", "closing code")} == used


@pytest.mark.parametrize("name", ["README.md", "ARCHITECTURE.md", "CHANGELOG.md", "docs/protocol.md", "docs/design.md"])
def test_no_verb_that_does_not_exist(name: str) -> None:
    text = re.sub(r"\]\([^)]*\)|https?://\S+", "", read(name))
    named = set(re.findall(r"(?<![\w./~-])/([a-z_]+)(?![\w./-])", text))
    assert named <= {*VERBS, *(LOCAL if name == "ARCHITECTURE.md" else ()), "verb"}, name


def test_limits_of_the_status() -> None:
    (named,) = re.findall(r"by the name of the limit: (.*?)\.\n", read("docs/protocol.md"), re.DOTALL)
    assert quoted(named) == re.findall(r'yield "([^"]+)", Limit', read("chat_server/rules/accounts.py"))


def test_limits_that_are_told() -> None:
    (told,) = re.findall(r"^- `limits` has (.*?)\. ", read("docs/protocol.md"), re.MULTILINE | re.DOTALL)
    assert set(quoted(told)) == set(load([], {}).public_limits())


# ---- docs/operations.md


def test_options() -> None:
    described = {quoted(row["option"])[0].removeprefix("--"): row for row in rows("docs/operations.md", "option")}
    assert list(described) == ["config", *(option.name for option in OPTIONS.values())]
    for field, option in OPTIONS.items():
        row = described[option.name]
        variable = "CHAT_" + option.name.upper().replace("-", "_")
        default = f"`{option.default}`" if option.default else "the user's data directory"
        assert row["default"] == default, option.name
        assert (row["off"] == "yes") == (option.off is not None), option.name
        assert (row["cluster"] == "yes") == (field in SHARED), option.name
        words = {"now": "at once", "for new connections": "new connections", "at a restart": "restart"}
        assert row["reload"] == words[option.takes_effect], option.name
        assert (row["environment"], row["TOML key"]) == (f"`{variable}`", f"`{option.name}`")


def client_options() -> set[str]:
    return {name.removeprefix("--") for name in option_parser()._option_string_actions if name.startswith("--")}


def test_local_commands() -> None:
    described = [quoted(row["command"])[0] for row in rows("docs/client.md", "command")]
    assert described == [command.form.usage for command in LOCAL.values()], "each of them, in the order of the table"


def test_options_of_the_client() -> None:
    described = {quoted(row["option"])[0].split()[0].removeprefix("--") for row in rows("docs/client.md", "option")}
    assert described == client_options() - {"help", "version"}
    example, keys = map(tomllib.loads, blocks("docs/client.md", "toml"))
    sections = {section.name: section for section in SECTIONS}
    assert set(example) == {*FILE_KEYS, "profiles", *sections} - {"keys"}
    for name in sections.keys() - {"keys"}:
        sections[name].read(example[name])
    assert KEYS.read(keys["keys"])["next_unread"] == ["Alt-A", "Ctrl-Space"]


def test_the_keys_of_the_client() -> None:
    text = read("docs/client.md")
    made = runpy.run_path(str(ROOT / "docs" / "keys.py"))["with_keys"](text)
    assert made == text, "run: .venv/bin/python docs/keys.py"


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_no_option_that_does_not_exist(path: Path) -> None:
    ours = {option.name for option in OPTIONS.values()} | {"config", "help", "version"}
    ours |= {"yes", "force", "without-lost-files"}  # of subcommands
    ours |= client_options()
    named = set(re.findall(r"(?<=`)--([a-z][a-z-]+)", path.read_text()))
    assert named <= ours


def test_the_example_configuration_loads(tmp_path: Path) -> None:
    (example,) = blocks("docs/operations.md", "toml")
    file = tmp_path / "chat.toml"
    file.write_text(example)
    settings = load(["--config", str(file)], {})
    assert settings.data_dir == tomllib.loads(example)["data"]


def test_subcommands_are_run_as_the_user_and_with_the_configuration_of_a_unit() -> None:
    """So that a line that is copied works on a server that was installed as the documents say."""
    servers = set()
    for unit in (ROOT / "examples").rglob("chat-server*.service"):
        text = unit.read_text().replace("%i", "one")
        ((user,), (config,)) = (
            re.findall(rf"^{line}", text, re.MULTILINE) for line in (r"User=(.*)", r"ExecStart=.* --config (.*)")
        )
        servers.add((user, config))
    pages = [*DOCUMENTS, *(ROOT / "docs" / "man").iterdir()]
    shown = [
        line
        for page in pages
        for line in re.findall(
            r"sudo -u (\S+) chat-server\b[^`\n]*(?: \\e\n)?[^`\n]*--config ([^\s`]+)", page.read_text()
        )
    ]
    assert len(shown) >= 6
    assert set(shown) <= servers


# ---- docs/bots.md


def test_what_is_promised_to_bots() -> None:
    text = read("docs/bots.md")
    (number,) = re.findall(r"`protocol` in the `ok` of `/format json`\. It is (\d+)\.", text)
    assert int(number) == PROTOCOL_VERSION
    assert [name for name in chat_client.__all__ if f"`{name}`" not in text] == []
    (code,) = blocks("docs/bots.md", "python")
    compile(code, "docs/bots.md", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


# ---- ARCHITECTURE.md


def test_the_layout_is_that_of_the_tree() -> None:
    text = read("ARCHITECTURE.md")
    made = runpy.run_path(str(ROOT / "docs" / "layout.py"))["with_layout"](text)
    assert made == text, "run: python docs/layout.py"


def test_a_file_says_in_one_short_sentence_what_it_is() -> None:
    summary = runpy.run_path(str(ROOT / "docs" / "layout.py"))["summary"]
    files = [path for package in ("chat_server", "chat_client") for path in (ROOT / package).rglob("[!.]*.py")]
    assert [path for path in files if not 0 < len(summary(path)) < 100] == []


def test_code_that_is_shown_is_the_code() -> None:
    shown = blocks("ARCHITECTURE.md", "python")
    assert len(shown) == 5
    for block in shown:
        head, _, code = block.partition("\n")
        assert code in read(head.removeprefix("# ")), head


# ---- docs/dependencies.md


@pytest.mark.parametrize("section", ["To run", "To run a cluster", "To test"])
def test_dependencies(section: str) -> None:
    project = tomllib.loads(read("pyproject.toml"))["project"]
    extras = project["optional-dependencies"]
    wanted = {"To run": project["dependencies"], "To run a cluster": extras["cluster"], "To test": extras["dev"]}[
        section
    ]
    (part,) = re.findall(rf"^## {section}\n(.*?)(?=^## |\Z)", read("docs/dependencies.md"), re.MULTILINE | re.DOTALL)
    described = re.findall(r"^\| `([\w-]+)` \|", part, re.MULTILINE)
    assert described == [re.split(r"[^\w-]", each)[0] for each in wanted]


# ---- all documents


def find(document: Path, path: str) -> Path | None:
    """The file or folder that a document names."""
    return next((base / path for base in (*BASES, document.parent) if (base / path).exists()), None)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.parent.name + "/" + path.name)
def test_every_path_that_is_named_exists(document: Path) -> None:
    named = re.findall(r"`([\w./-]+(?:\.(?:py|md|c|toml)|/))`", document.read_text())
    not_of_the_tree = NOT_OF_THE_TREE.get(str(document.relative_to(ROOT)), set())
    assert [path for path in named if path not in not_of_the_tree and path[0] != "/" and not find(document, path)] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.parent.name + "/" + path.name)
def test_every_function_that_is_named_exists(document: Path) -> None:
    for path, name in re.findall(r"`([\w/]+\.py)` `([\w.]+)`", document.read_text()):
        file = find(document, path)
        assert file is not None, path
        found: object = importlib.import_module(".".join(file.relative_to(ROOT).with_suffix("").parts))
        for part in name.split("."):
            assert hasattr(found, part), f"{path} has no {name}"
            found = getattr(found, part)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_resolve(path: Path) -> None:
    text = re.sub(r"^```.*?^```$", "", path.read_text(), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith("https://"):
            continue
        file, _, anchor = target.partition("#")
        other = (path.parent / file).resolve() if file else path
        assert other.exists(), f"{path.name}: {target}"
        if anchor:
            headings = re.findall(r"^#+ (.*)$", other.read_text(), re.MULTILINE)
            assert anchor in map(slug, headings), f"{path.name}: {target}"


def test_every_document_is_named_in_the_readme() -> None:
    text = read("README.md")
    for path in DOCUMENTS:
        assert path.name == "README.md" or f"({path.relative_to(ROOT)})" in text, path.name


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_lines_are_short(path: Path) -> None:
    outside = re.sub(r"^```.*?^```$", "", path.read_text(), flags=re.MULTILINE | re.DOTALL)
    long = [line for line in outside.splitlines() if len(line) > 120 and not line.startswith("|")]
    assert long == []


def metric_names() -> set[str]:
    """The names that the server gives its metrics, those of the client library left out."""
    metrics = Metrics(0)
    text = metrics.render(dict.fromkeys(GAUGES, 1.0), dict.fromkeys(COUNTERS, 1), {"internal": 1}).decode()
    return {name for name in re.findall(r"^# HELP (\S+)", text, re.MULTILINE) if name.startswith("chat_")}


def test_every_metric_is_described_and_no_other() -> None:
    described = {name for row in rows("docs/operations.md", "metric") for name in quoted(row["metric"])}
    assert {name for name in described if name.startswith("chat_")} == metric_names()


def test_alerts_rest_on_metrics_that_there_are() -> None:
    said = re.findall(r"\bchat_[a-z_]+", read("examples/prometheus-rules.yml"))
    bases = {re.sub(r"_(sum|count|bucket)$", "", name) for name in said}
    assert bases <= metric_names()
    alerts = re.findall(
        r"- alert: (\w+)\n +expr: (.+)\n(?: +for: \w+\n)? +annotations:\n +summary: \S",
        read("examples/prometheus-rules.yml"),
    )
    assert len(alerts) == read("examples/prometheus-rules.yml").count("alert:") >= 10


def shown_metrics() -> dict[str, list[str]]:
    """The metrics of each panel of the dashboard, by its title."""
    dashboard = json.loads(read("examples/grafana-dashboard.json"))
    panels = {panel["title"]: panel for panel in dashboard["panels"] if panel["type"] != "row"}
    assert len(panels) == sum(panel["type"] != "row" for panel in dashboard["panels"]), "each has a title of its own"
    said = {
        title: re.findall(r"\bchat_[a-z_]+", " ".join(target["expr"] for target in panel["targets"]))
        for title, panel in panels.items()
    }
    return {title: [re.sub(r"_(sum|count|bucket)$", "", name) for name in names] for title, names in said.items()}


def test_the_dashboard_shows_all_metrics_and_no_other() -> None:
    """A counter that is shown as it is, and a gauge as a rate, say nothing."""
    shown = {name for names in shown_metrics().values() for name in names}
    names = {re.sub(r"_(sum|count|bucket)$", "", name) for name in metric_names()}
    # Beside what is shown, nobody looks at them.
    assert names - shown == {"chat_process_virtual_memory_bytes", "chat_process_start_time_seconds"}
    assert shown <= names
    exprs = re.findall(r'"expr": "(.*)"', read("examples/grafana-dashboard.json"))
    for expr in exprs:
        assert ("_total{" in expr or "_bucket{" in expr or "_sum{" in expr) == ("rate(" in expr or "increase(" in expr)
        assert expr.count("(") == expr.count(")") and expr.count("{") == expr.count("}")
        assert "$instance" in expr


def test_panels_of_the_dashboard_do_not_cover_each_other() -> None:
    cells: set[tuple[int, int]] = set()
    for panel in json.loads(read("examples/grafana-dashboard.json"))["panels"]:
        at = panel["gridPos"]
        own = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not own & cells and at["x"] + at["w"] <= 24, panel["title"]
        cells |= own


def test_what_is_alerted_of_is_shown() -> None:
    alerted = set(re.findall(r"\bchat_[a-z_]+", read("examples/prometheus-rules.yml")))
    shown = {name for names in shown_metrics().values() for name in names}
    assert {re.sub(r"_(sum|count|bucket)$", "", name) for name in alerted} <= shown


def test_no_document_holds_the_marks_of_a_merge() -> None:
    """Text has no compiler that stops at them."""
    examples = [path for path in (ROOT / "examples").rglob("[!.]*") if path.is_file()]
    marks = re.compile(rb"^(<{7} |={7}$|>{7} )", re.MULTILINE)  # bytes: what Python compiled may stand there too
    assert [path.name for path in (*DOCUMENTS, *examples) if marks.search(path.read_bytes())] == []
