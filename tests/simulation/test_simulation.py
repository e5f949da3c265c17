"""Whole runs from seeds, and that a seed decides everything."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation.cluster import simulate_cluster
from tests.simulation.world import simulate

ROOT = Path(__file__).parents[2]
# A handful is run each time, always the same; `make test-all` runs many.
IS_ALL = os.environ.get("TESTS") == "all"
SEEDS, CLUSTER_SEEDS = (range(200), range(100)) if IS_ALL else (range(6), range(1))


@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_acknowledged_is_kept_and_shown_to_all(seed: int) -> None:
    simulate(seed)


@pytest.mark.parametrize("seed", CLUSTER_SEEDS)
def test_a_cluster_agrees_whatever_happens_to_its_nodes_and_its_log(seed: int) -> None:
    simulate_cluster(seed)


def test_a_seed_decides_everything() -> None:
    """Also what a set of texts is ordered by, which each process draws anew."""
    runs = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.simulation", "3"],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            stdout=subprocess.PIPE,
        )
        for hash_seed in ("1", "2")
    ]
    one, other = (run.communicate()[0] for run in runs)
    # The stories of these seeds have 300 to 3,000 lines; which one has how many, each text of the server changes.
    assert one == other and len(one.splitlines()) > 100
