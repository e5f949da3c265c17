"""--metrics-file: numbers in the Prometheus text format, written at the start and again and again."""

from pathlib import Path

from tests.conformance.conftest import Start
from tests.conformance.uploads import bytes_of, fetch, open_upload, send_file
from tests.harness import Server
from tests.samples import numbers


async def test_it_is_there_from_the_start_and_is_written_again(start: Start, tmp_path: Path) -> None:
    file = tmp_path / "chat.prom"
    chat = start("--metrics-file", str(file))
    assert numbers(file)["chat_batches_total"] == 0
    bob, _ = await chat.json("bob"), await chat.text("anna")
    await bob.pipeline("/send_all hi" for _ in range(100))
    await bob.code("/send nobody hi")
    # The last numbers are those of the stop.
    assert chat.server.terminate() == 0
    found = numbers(file)
    assert found["chat_messages_total"] == 100
    assert found["chat_deliveries_total"] >= 100
    assert found["chat_refusals_total{code=unknown_user}"] == 1
    assert found["chat_batches_total"] == found["chat_batch_entries_count"] == found["chat_commit_seconds_count"] > 0
    assert found["chat_commit_seconds_sum"] > 0
    assert "cannot write" not in chat.server.log


async def test_what_is_watched_at_night(start: Start, tmp_path: Path) -> None:
    """Files, the life of messages, and how large the database is; in the numbers of the stop."""
    file = tmp_path / "chat.prom"
    chat = start("--metrics-file", str(file), "--message-ttl", "1s")
    bob, anna, data = await chat.json("bob"), await chat.json("anna"), bytes_of(50_000)
    sent = await send_file(bob, "main", "a", data)
    await fetch(anna, f"/get_file {sent['file']['id']} 0 20000")
    await bob.ok("/send_all gone soon")
    await open_upload(bob, "main", "b", bytes_of(1000, 1))
    await anna.ok("/messages main")
    expired = await anna.event("expired")
    await bob.ok("/send anna stays")
    await chat.close()
    assert chat.server.terminate() == 0
    found = numbers(file)
    assert found["chat_messages_expired_total"] == len(expired["ids"]) == 2
    assert (found["chat_messages_stored"], found["chat_retention_lag_seconds"]) == (1, 0)
    assert (found["chat_files_total"], found["chat_uploads_open"], found["chat_files_stored_bytes"]) == (1, 1, 1000)
    assert (found["chat_file_bytes_received_total"], found["chat_file_bytes_sent_total"]) == (50_000, 20_000)
    assert found["chat_database_bytes"] > found["chat_database_free_bytes"] >= 0
    assert "chat_wal_bytes" in found


async def test_a_lone_server_has_no_metric_of_a_cluster(start: Start, tmp_path: Path) -> None:
    file = tmp_path / "chat.prom"
    chat = start("--metrics-file", str(file))
    assert chat.server.terminate() == 0
    assert [name for name in numbers(file) if "cluster" in name] == []


def test_a_place_that_cannot_be_written_to(tmp_path: Path) -> None:
    status, said = Server(
        tmp_path / "data", "--metrics-file", str(tmp_path / "none" / "x"), "--log-level", "error"
    ).refusal()
    assert status == 1 and "cannot write the metrics file" in said and said.count("\n") == 1
