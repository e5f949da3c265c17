"""The way to NATS, as far as it needs none; the rest is in tests/cluster."""

import sys

import pytest

from chat_server.cluster.nats_access import connect, has_unbounded_writes
from chat_server.errors import StartError
from chat_server.settings import load
from tests.fake_runtime import FakeRuntime


@pytest.mark.parametrize("package", ["nats", "cryptography"])
async def test_a_package_that_is_not_installed_is_named(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("chat_server.log.jetstream_api", "chat_server.log.nats_connection"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(StartError, match=f"the package {package}.*, which is not installed: pip install"):
        await connect(load(["--cluster", "nats://127.0.0.1"], {}), FakeRuntime(1), "one")


@pytest.mark.parametrize(
    "version, is_unsafe",
    [
        ((3, 11, 9), False), ((3, 12, 0), True), ((3, 12, 8), True), ((3, 12, 9), False), ((3, 13, 0), True),
        ((3, 13, 1), True), ((3, 13, 2), False), ((3, 14, 0), False),
    ],
)  # fmt: skip
def test_versions_whose_writes_wait_for_nobody(version: tuple[int, int, int], is_unsafe: bool) -> None:
    assert has_unbounded_writes(version, has_uvloop=False) == is_unsafe
    assert not has_unbounded_writes(version, has_uvloop=True)
