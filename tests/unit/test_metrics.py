from pathlib import Path

import pytest

from chat_server.metrics import COUNTERS, GAUGES, Histogram, Metrics, write
from tests.samples import samples
from tests.unit.fakes import NOON_MS


def test_the_client_library_reads_what_was_counted() -> None:
    metrics = Metrics(NOON_MS)
    metrics.count_batch(1, 0.0004, 0.0002, 1, {})
    metrics.count_batch(100, 0.006, 0.0007, 99, {"messages_expired": 3})
    metrics.count_batch(1, 0.0004, 0.0002, 0, {"messages_expired": 2, "files": 1})
    gauges = {name: 7.0 for name in GAUGES if name != "start_time_seconds"}
    counters = {"deliveries": 400, "file_bytes_sent": 5, "cluster_strays": 0}
    found = samples(metrics.render(gauges, counters, {"banned": 2, "too_fast": 1}))
    assert found["chat_start_time_seconds"] == NOON_MS / 1000
    assert all(found[f"chat_{name}"] == 7 for name in gauges)
    assert all(f"chat_{name}_total" in found for name in COUNTERS)
    assert (found["chat_batches_total"], found["chat_messages_total"], found["chat_deliveries_total"]) == (3, 100, 400)
    assert (found["chat_messages_expired_total"], found["chat_files_total"]) == (5, 1)
    assert (found["chat_file_bytes_received_total"], found["chat_file_bytes_sent_total"]) == (0, 5)
    assert found["chat_batch_entries_bucket{le=1}"] == 2 and found["chat_batch_entries_bucket{le=+Inf}"] == 3
    assert found["chat_batch_entries_sum"] == 102
    assert found["chat_commit_seconds_bucket{le=0.0002}"] == 2 and found["chat_batch_seconds_count"] == 3
    assert (found["chat_refusals_total{code=banned}"], found["chat_refusals_total{code=too_fast}"]) == (2, 1)
    assert found["chat_process_resident_memory_bytes"] > 0
    assert all(name.startswith("chat_") for name in found), "node_exporter has a process of its own"


def test_no_two_nodes_have_the_same_numbers() -> None:
    one, two = (
        samples(Metrics(NOON_MS, node).render({"connections": 1}, {}, {"banned": 1})) for node in ("one", "two")
    )
    assert len(one) == len(two) and not one.keys() & two.keys()
    assert one["chat_connections{node=one}"] == 1 and one["chat_refusals_total{code=banned}{node=one}"] == 1


@pytest.mark.parametrize(("value", "buckets"), [(0, [1, 1, 1]), (1, [1, 1, 1]), (1.5, [0, 1, 1]), (3, [0, 0, 1])])
def test_a_bucket_counts_values_up_to_its_bound(value: float, buckets: list[int]) -> None:
    histogram = Histogram((1, 2))
    histogram.add(value)
    assert [count for _, count in histogram.buckets()] == buckets


def test_a_file_is_replaced_whole_and_may_be_read_by_others(tmp_path: Path) -> None:
    file = tmp_path / "chat.prom"
    write(file, b"one\n")
    with file.open() as reader:
        write(file, b"two\n")
        assert reader.read() == "one\n"
    assert file.read_text() == "two\n" and file.stat().st_mode & 0o777 == 0o644
    assert list(tmp_path.iterdir()) == [file]


def test_a_file_that_cannot_be_replaced_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "chat.prom").mkdir()
    with pytest.raises(OSError):
        write(tmp_path / "chat.prom", b"one\n")
    assert [path.name for path in tmp_path.iterdir()] == ["chat.prom"]
