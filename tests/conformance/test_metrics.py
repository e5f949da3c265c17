"""--metrics-file: numbers in the Prometheus text format, written at the start and again and again."""

from pathlib import Path

from tests.conformance.conftest import Start
from tests.harness import Server
from tests.unit.test_metrics import samples


async def test_it_is_there_from_the_start_and_is_written_again(start: Start, tmp_path: Path) -> None:
    file = tmp_path / "chat.prom"
    chat = start("--metrics-file", str(file))
    assert samples(file.read_bytes())["chat_batches_total"] == 0
    bob, _ = await chat.json("bob"), await chat.text("anna")
    await bob.pipeline("/send_all hi" for _ in range(100))
    await bob.code("/send nobody hi")
    # The last numbers are those of the stop.
    assert chat.server.terminate() == 0
    found = samples(file.read_bytes())
    assert found["chat_messages_total"] == 100
    assert found["chat_deliveries_total"] >= 100
    assert found["chat_refusals_total{code=unknown_user}"] == 1
    assert found["chat_batches_total"] == found["chat_batch_entries_count"] == found["chat_commit_seconds_count"] > 0
    assert found["chat_commit_seconds_sum"] > 0
    assert "cannot write" not in chat.server.log


def test_a_place_that_cannot_be_written_to(tmp_path: Path) -> None:
    status, said = Server(
        tmp_path / "data", "--metrics-file", str(tmp_path / "none" / "x"), "--log-level", "error"
    ).refusal()
    assert status == 1 and "cannot write the metrics file" in said and said.count("\n") == 1
