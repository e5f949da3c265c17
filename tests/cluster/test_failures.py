"""A few seeds of the failures; `python -m tests.cluster.failures SEED COUNT` goes through more of them."""

from pathlib import Path

import pytest

from tests.cluster.failures import run
from tests.cluster.networks import why_not


@pytest.mark.timeout(400)
@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_failures_lose_and_double_nothing(tmp_path: Path, seed: int) -> None:
    assert await run(seed, tmp_path, has_network=False) == []


@pytest.mark.timeout(400)
@pytest.mark.parametrize("seed", [4, 5, 6])
async def test_failures_with_partitions_lose_and_double_nothing(tmp_path: Path, seed: int) -> None:
    if reason := why_not():
        pytest.skip(reason)
    assert await run(seed, tmp_path, has_network=True) == []


@pytest.mark.timeout(400)
async def test_wrong_clocks_new_nodes_and_new_streams_lose_and_double_nothing(tmp_path: Path) -> None:
    kinds = ["stray messages", "a clock is wrong", "a node is added", "another process of a name", "the stream ends"]
    assert await run(7, tmp_path, has_network=False, kinds=kinds) == []
