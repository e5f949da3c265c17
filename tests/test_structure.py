"""What is true of the tree itself: nothing is without help, rule or test, and files keep their size and their place."""

import ast
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import chat_server.server  # noqa: F401 (with it all handlers are registered)
from chat_client.common.local_commands import LOCAL as LOCAL_COMMANDS
from chat_server import handlers
from chat_server.admin import command_line
from chat_server.protocol.control import CONTROL
from chat_server.protocol.help import help_on, help_text, overview
from chat_server.protocol.table import VERBS
from tests.imports import imported, is_within, tree, uses

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "chat_server"
CLIENT = ROOT / "chat_client"
# The server's files by their path in it; the client's with `chat_client/` before it.
SOURCES = {str(path.relative_to(PACKAGE)): path for path in sorted(PACKAGE.rglob("[!.]*.py"))} | {
    str(path.relative_to(ROOT)): path for path in sorted(CLIENT.rglob("[!.]*.py"))
}
LINES_MAX, FUNCTION_LINES_MAX = 600, 60

# Those without a file of their own in tests/unit, and what tests them.
TESTED_ELSEWHERE = {
    "admin/cli.py": "tests/conformance/test_command_line.py",
    "chat_client/signals.py": "tests/client/screen/test_signals.py",
    "chat_client/common/suspension.py": "tests/client/screen/test_signals.py",
    "__main__.py": "tests/conformance",
    "program.py": "tests/conformance",
    "server.py": "tests/conformance",
    "frontend/sessions.py": "tests/simulation",
    "frontend/port.py": "tests/unit/frontend/test_pipeline.py",
    "frontend/connection_commands.py": "tests/unit/frontend/test_pipeline.py",
    "log/stream.py": "tests/simulation",
    "log/jetstream.py": "tests/cluster/test_jetstream.py",
    "log/jetstream_api.py": "tests/cluster/test_jetstream_api.py",
    "log/nats_bus.py": "tests/cluster/test_nats_bus.py",
    "log/nats_connection.py": "tests/cluster/test_jetstream.py",
    "log/nats_objects.py": "tests/cluster/test_nats_objects.py",
    "cluster/moving_files.py": "tests/unit/cluster/test_moving.py",
    "retrying_executor.py": "tests/unit/test_node_troubles.py",
    "readings.py": "tests/unit/test_node.py",
    "writer.py": "tests/unit/test_node_troubles.py",
    "prepare.py": "tests/conformance",
    "admin/backup.py": "tests/conformance/test_backup.py",
    "protocol/base.py": "tests/unit/protocol/test_commands.py",
    "protocol/accounts.py": "tests/unit/protocol/test_commands.py",
    "protocol/messages.py": "tests/unit/protocol/test_commands.py",
    "protocol/files.py": "tests/unit/protocol/test_commands.py",
    "protocol/rooms.py": "tests/unit/protocol/test_commands.py",
    "protocol/people.py": "tests/unit/protocol/test_commands.py",
    "protocol/connection.py": "tests/unit/protocol/test_commands.py",
    "protocol/operators.py": "tests/unit/protocol/test_commands.py",
    "protocol/control.py": "tests/unit/protocol/test_commands.py",
    "errors.py": "tests/unit/protocol/formats/test_text.py",
    "protocol/formats/format.py": "tests/unit/protocol/test_parse.py",
    "protocol/formats/wording.py": "tests/unit/protocol/formats/test_text.py",
    "rules/context.py": "tests/unit/rules/test_executor.py",
    "rules/outcomes.py": "tests/unit/rules/test_executor.py",
    "rules/registry.py": "tests/unit/rules/test_executor.py",
    "rules/lookup.py": "tests/unit/rules/test_messages.py",
    "rules/authorization.py": "tests/unit/rules/test_operators.py",
    "delivery/connections.py": "tests/unit/delivery/test_delivery.py",
    "delivery/fanout.py": "tests/unit/delivery/test_delivery.py",
    "delivery/peers.py": "tests/unit/cluster/test_heartbeats.py",
    "store/schema.py": "tests/unit/store/test_database.py",
    "store/blocks.py": "tests/unit/rules/test_blocks.py",
    "store/preferences.py": "tests/unit/rules/test_attention.py",
    "store/erasures.py": "tests/unit/rules/test_erasure.py",
    "store/search.py": "tests/unit/rules/test_search.py",
    "store/slow_mode.py": "tests/unit/rules/test_slow_mode.py",
    "store/address_bans.py": "tests/unit/rules/test_address_bans.py",
    "cluster/periodic.py": "tests/unit/cluster/test_chain.py",
    "cluster/side_processes.py": "tests/unit/cluster/test_snapshot_keeper.py",
    "store/accounts.py": "tests/unit/rules/test_accounts.py",
    "store/rooms.py": "tests/unit/rules/test_rooms.py",
    "store/chats.py": "tests/unit/rules/test_messages.py",
    "store/delayed.py": "tests/unit/rules/test_delayed.py",
    "store/files.py": "tests/unit/rules/test_files.py",
    "store/idempotency_keys.py": "tests/unit/rules/test_messages.py",
    "store/moderation.py": "tests/unit/rules/test_moderation.py",
    "store/operators.py": "tests/unit/rules/test_operators.py",
    "store/notices.py": "tests/unit/rules/test_delayed.py",
    "store/wrong_passwords.py": "tests/unit/rules/test_wrong_passwords.py",
    "store/state.py": "tests/unit/rules/test_executor.py",
    "chat_client/__main__.py": "tests/client/test_command.py",
    "chat_client/program.py": "tests/client/test_command.py",
    "chat_client/sdk/events.py": "tests/client/sdk/test_send_queue.py",
    "chat_client/sdk/event_queue.py": "tests/client/sdk/test_bounds.py",
    "chat_client/plain/script.py": "tests/client/test_command.py",
    "chat_client/plain/column.py": "tests/client/test_both_front_ends.py",
    "chat_client/sdk/chat.py": "tests/client/sdk/test_commands.py",
    "chat_client/sdk/errors.py": "tests/client/sdk/test_commands.py",
    "chat_client/sdk/runtime.py": "tests/client/sdk/test_signing_in.py",
    "chat_client/sdk/link.py": "tests/client/sdk/test_losses.py",
    "chat_client/sdk/credentials.py": "tests/client/sdk/test_signing_in.py",
    "chat_client/sdk/supervisor.py": "tests/client/sdk/test_losses.py",
    "chat_client/common/private_file.py": "tests/client/test_token_file.py",
    "chat_client/tui/sections.py": "tests/client/test_settings_editor.py",
    "chat_client/tui/state/effects.py": "tests/client/tui/state/test_typing.py",
    "chat_client/tui/render/row.py": "tests/client/tui/render/test_viewport.py",
    "chat_client/tui/state/composer.py": "tests/client/tui/state/test_message_actions.py",
    "chat_client/tui/state/items.py": "tests/client/tui/state/test_feed.py",
    "chat_client/tui/state/notes.py": "tests/client/tui/state/test_replies.py",
    "chat_client/tui/state/requests.py": "tests/client/tui/state/test_replies.py",
    "chat_client/tui/state/session.py": "tests/client/tui/state/test_incoming.py",
    "chat_client/tui/state/screen_state.py": "tests/client/tui/state/test_navigation.py",
}

# ---- what may be used where: see `runtime`
OUTSIDE_THE_RUNTIME = (
    "asyncio", "uvloop", "time", "sched", "random", "secrets", "uuid", "threading", "_thread", "concurrent",
    "multiprocessing", "os.urandom", "os.getrandom", "datetime.datetime.now", "datetime.datetime.utcnow",
    "datetime.datetime.today", "datetime.date.today",
)  # fmt: skip
# The sockets and descriptors themselves, and what of the above each may use.
AT_THE_SOCKETS = {
    "frontend/transport.py": {"asyncio"},
    "frontend/acceptor.py": {"asyncio"},
    "admin/control.py": {"asyncio"},
    "admin/processes.py": {"asyncio"},
    "server.py": {"asyncio"},
    "line_writer.py": {"threading"},
    "service_manager.py": {"threading"},
}
# Where a runtime is made; everything else is handed one.
PROGRAMS = ("program.py", "admin/cli.py")
# Pure, or the same on every machine that replays the log: no time, no chance, no network.
DETERMINISTIC = ("protocol/", "rules/", "store/")
# What a session does and when, and what it is sent: every input is a call, with the time where it counts.
SANS_IO = (
    "frontend/pipeline.py", "frontend/intake.py", "frontend/port.py", "frontend/rate_limits.py",
    "frontend/connection_commands.py", "delivery/outbox.py", "delivery/catch_up.py",
    "delivery/live_outboxes.py",
)  # fmt: skip
# Readers are threads, which the loop waits for.
THREADED = ("store/readers.py",)
# The client's: all that can be tested without a connection, a terminal or a clock.
PURE = (
    "common/completion", "common/emoji", "common/local_commands", "common/mentions", "common/recency",
    "common/typed_lines", "common/wording",
    "sdk/codec", "sdk/position", "sdk/send_queue", "sdk/server_address", "sdk/typed_line",
)  # fmt: skip
SCREEN = ("chat_client/tui/state/", "chat_client/tui/render/")
THE_SERVERS = [name for name in SOURCES if not name.startswith("chat_client/")]
THE_CLIENTS = [name for name in SOURCES if name.startswith("chat_client/")]


def of_each(names: Iterable[str]) -> Callable[[Callable[[str], None]], Callable[[], None]]:
    """One test of all these files, which names each that fails: a test for each took longer than what it checks."""

    def over_all(check: Callable[[str], None]) -> Callable[[], None]:
        def test() -> None:
            failures = []
            for name in names:
                try:
                    check(name)
                except AssertionError as error:
                    failures.append(f"{name}: {error}")
            assert not failures, "\n".join(failures)

        test.__name__, test.__doc__ = check.__name__, check.__doc__
        return test

    return over_all


each_source = of_each(SOURCES)


def functions(name: str) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(tree(SOURCES[name])) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


# ---- the commands


def test_every_verb_and_alias_stands_in_the_help() -> None:
    listed = " ".join(overview()).split()
    for name, spec in VERBS.items():
        assert (f"/{spec.verb}" in listed) != spec.unlisted
        assert any(f"/{name}" in line.replace(",", "").split() for line in help_on(name)), name


def test_every_command_has_exactly_one_handler_of_the_kind_that_its_row_names() -> None:
    handlers.check()


def test_every_command_stands_in_its_document() -> None:
    """Those of the protocol's table in docs/protocol.md, which tests/documents holds row by row."""
    for document, names in {
        "client.md": [f"/{verb}" for verb in LOCAL_COMMANDS],
        "operations.md": command_line.SUBCOMMANDS,
    }.items():
        text = (ROOT / "docs" / document).read_text()
        assert [name for name in names if not re.search(rf"`{name}\b", text)] == [], document


def test_every_command_of_the_machine_itself_has_its_help() -> None:
    for verb in CONTROL:
        assert any(f"/{verb}" in line for line in help_text(verb, CONTROL)), verb


# ---- the files


@each_source
def test_every_source_file_has_its_test(name: str) -> None:
    path = Path(name)
    if path.name == "__init__.py":
        return
    mirrored = Path("client", *path.parts[1:]) if name.startswith("chat_client/") else Path("unit", path)
    own = ROOT / "tests" / mirrored.with_name(f"test_{path.name}")
    if name in TESTED_ELSEWHERE:
        assert not own.exists(), f"{name} has a test of its own: take it off the table"
        assert (ROOT / TESTED_ELSEWHERE[name]).exists(), f"{TESTED_ELSEWHERE[name]} is to test {name}"
    else:
        assert own.exists(), f"{name} has no {own.relative_to(ROOT)} and stands in no table"


def test_the_table_names_only_files_that_are_there() -> None:
    assert TESTED_ELSEWHERE.keys() <= SOURCES.keys()


@each_source
def test_a_file_says_what_it_is(name: str) -> None:
    assert ast.get_docstring(tree(SOURCES[name])), f"{name} says nothing of itself"


def test_a_file_is_short() -> None:
    """Those of the tests, too."""
    paths = [*SOURCES.values(), *(path for folder in ("tests", "benchmarks") for path in (ROOT / folder).rglob("*.py"))]
    assert [str(path) for path in paths if len(path.read_text().splitlines()) > LINES_MAX] == []


@each_source
def test_a_function_fits_on_a_screen(name: str) -> None:
    for function in functions(name):
        assert (function.end_lineno or 0) - function.lineno < FUNCTION_LINES_MAX, function.name


@each_source
def test_only_the_command_itself_prints(name: str) -> None:
    printing = (
        node.lineno
        for node in ast.walk(tree(SOURCES[name]))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    )
    assert name in PROGRAMS or name == "chat_client/program.py" or not list(printing)


def test_a_row_of_users_is_changed_in_one_place() -> None:
    """`accounts.update` forgets what was read of the row in this batch; who changes it otherwise leaves that stale."""
    changing = [name for name, path in SOURCES.items() for _ in range(path.read_text().count("UPDATE users"))]
    assert {*changing} - {"store/schema.py"} == {"store/accounts.py"} and changing.count("store/accounts.py") == 1


def test_what_tests_share_stands_in_modules_without_tests() -> None:
    for path in (ROOT / "tests").rglob("test_*.py"):
        assert not re.findall(r"^ *from tests\.[\w.]*\btest_\w+ import", path.read_text(), re.MULTILINE), path


def test_no_import_goes_in_a_circle() -> None:
    """Nor does one within a function, which would hide it."""
    modules = {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): name
               for name, path in SOURCES.items()}  # fmt: skip
    graph = {
        module: {used for used in imported(SOURCES[name]) if used in modules and used != module}
        for module, name in modules.items()
    }
    # A package is imported before its modules; what it takes from them is no circle.
    for module in graph:
        graph[module] = {used for used in graph[module] if not module.startswith(f"{used}.")}
    list(TopologicalSorter(graph).static_order())


# ---- time, chance, tasks and threads


def test_what_a_file_uses_is_found_whatever_it_calls_it(tmp_path: Path) -> None:
    file = tmp_path / "file.py"
    file.write_text(
        "import os.path, asyncio as a\nfrom datetime import datetime as D\nfrom b import c\n"
        "def f():\n    import time\n    a.get_running_loop().call_later(D.now(), c.d, os.urandom)\n    __import__('x')"
    )
    assert uses(file) == {
        "os.path", "asyncio", "datetime.datetime", "b.c", "time", "b.c.d", "os.urandom", "x", "datetime.datetime.now",
        "asyncio.get_running_loop", "asyncio.get_running_loop.call_later",
    }  # fmt: skip
    assert {*imported(file)} == {"os.path", "asyncio", "datetime", "datetime.datetime", "b", "b.c", "time"}


def outside_the_runtime(name: str) -> set[str]:
    """What the file uses of it, but what it may use at the sockets."""
    allowed = AT_THE_SOCKETS.get(name, set())
    return {
        used for used in uses(SOURCES[name]) if is_within(used, *OUTSIDE_THE_RUNTIME) and not is_within(used, *allowed)
    }


@of_each(THE_SERVERS)
def test_only_the_runtime_has_time_chance_tasks_and_threads(name: str) -> None:
    if name != "runtime.py":
        assert not outside_the_runtime(name), f"{name} is to take this from the runtime that it is handed"


def test_the_files_at_the_sockets_need_what_they_may_use() -> None:
    for name, allowed in AT_THE_SOCKETS.items():
        assert {used.split(".")[0] for used in uses(SOURCES[name])} >= allowed, name


@of_each(THE_SERVERS)
def test_a_runtime_is_handed_over_and_made_by_the_program_alone(name: str) -> None:
    assert name in PROGRAMS or "chat_server.runtime.SystemRuntime" not in uses(SOURCES[name])


@of_each([name for name in THE_CLIENTS if name.startswith("chat_client/sdk/")])
def test_a_connection_has_time_chance_and_tasks_from_its_runtime(name: str) -> None:
    away = (*OUTSIDE_THE_RUNTIME, "chat_client.sdk.clock")
    found = {used for used in uses(SOURCES[name]) if is_within(used, *away)}
    if name.endswith("/link.py"):
        # It opens the sockets.
        at_the_socket = ("asyncio.open_connection", "asyncio.StreamReader", "asyncio.StreamWriter")
        assert found == {"asyncio", *at_the_socket}
    elif not name.endswith(("/runtime.py", "/clock.py")):
        assert not found


@of_each([name for name in SOURCES if name.startswith(DETERMINISTIC) and name not in THREADED])
def test_no_time_no_chance_and_no_network_where_a_log_is_replayed(name: str) -> None:
    of_the_machine = ("chat_server.runtime", "chat_server.chat_time", "chat_server.disk_space")
    away = (*OUTSIDE_THE_RUNTIME, "socket", "ssl", *of_the_machine)
    assert not {used for used in uses(SOURCES[name]) if is_within(used, *away)}


@of_each(SANS_IO)
def test_what_does_no_io_is_handed_neither_a_runtime_nor_a_socket(name: str) -> None:
    doing_io = ("runtime", "node", "prepare", "readings", "disk_space", "frontend.transport", "frontend.session")
    away = [f"chat_server.{each}" for each in doing_io]
    assert not {used for used in uses(SOURCES[name]) if is_within(used, *away, *OUTSIDE_THE_RUNTIME, "socket")}


@of_each([f"chat_client/{name}.py" for name in PURE])
def test_what_of_the_client_is_pure(name: str) -> None:
    assert not {used for used in uses(SOURCES[name]) if is_within(used, *OUTSIDE_THE_RUNTIME, "socket")}


@of_each([name for name in SOURCES if name.startswith(SCREEN)])
def test_the_model_of_the_screen_knows_no_terminal_and_no_clock(name: str) -> None:
    away = (*OUTSIDE_THE_RUNTIME, "socket", "os", "sys", "prompt_toolkit")
    assert not {used for used in uses(SOURCES[name]) if is_within(used, *away)}


@of_each(THE_CLIENTS)
def test_the_client_has_one_source_of_time_and_no_pause_goes_by_the_time_of_day(name: str) -> None:
    if name == "chat_client/sdk/clock.py":
        return
    assert not {used for used in uses(SOURCES[name]) if is_within(used, "time", *OUTSIDE_THE_RUNTIME[-4:])}
    # The time of day is shown, never reckoned with: set back an hour it would stop for an hour what waits.
    nodes = list(ast.walk(tree(SOURCES[name])))
    sums = [node for node in nodes if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub)]
    compared = [node for node in nodes if isinstance(node, ast.Compare)]
    parts = (ast.unparse(part) for node in (*sums, *compared) for part in ast.iter_child_nodes(node))
    assert "clock.now()" not in parts


# ---- seams


@of_each(THE_CLIENTS)
def test_the_client_knows_of_the_server_only_what_they_say_to_each_other(name: str) -> None:
    of_the_server = [used for used in uses(SOURCES[name]) if is_within(used, "chat_server")]
    shared = ("chat_server.protocol", "chat_server.errors", "chat_server.build", "chat_server.__version__")
    assert all(is_within(used, *shared) for used in of_the_server)


def test_a_class_has_its_name_alone_among_those_that_a_module_can_import() -> None:
    """The server's modules import the server's; the client's also the protocol. Names with `_` are nobody else's."""
    can_import = {"server": THE_SERVERS, "client": [*THE_CLIENTS, "errors.py"]}
    can_import["client"] += [name for name in THE_SERVERS if name.startswith("protocol/")]
    for names in can_import.values():
        places: dict[str, list[str]] = defaultdict(list)
        for name in names:
            for node in tree(SOURCES[name]).body:
                if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                    places[node.name].append(name)
        assert {each: found for each, found in places.items() if len(found) > 1} == {}
