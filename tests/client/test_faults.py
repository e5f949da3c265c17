import asyncio
import errno
import gc
import stat
from pathlib import Path

from chat_client.faults import AGAIN_SECONDS, LOG_BYTES_MAX, Faults
from chat_client.standard_streams import CannotWrite


async def test_a_fault_is_one_line_and_its_traceback_in_a_file(tmp_path: Path) -> None:
    told: list[str] = []
    now = 0.0
    faults = Faults(tmp_path / "kept", told.append, lambda: now)
    asyncio.get_running_loop().set_exception_handler(faults.handle)
    asyncio.get_running_loop().call_soon(lambda: 1 // 0)
    await asyncio.sleep(0)
    assert told == [
        f"a fault in the client: ZeroDivisionError: integer division or modulo by zero; it is in {faults.path}"
    ]
    assert "Traceback" in faults.path.read_text() and stat.S_IMODE(faults.path.stat().st_mode) == 0o600
    with faults.guard():
        raise ZeroDivisionError("integer division or modulo by zero")
    assert len(told) == 1, "the same once more is not told again at once"
    now = AGAIN_SECONDS
    with faults.guard():
        raise ZeroDivisionError("integer division or modulo by zero")
    assert len(told) == 2

    async def fail() -> None:
        raise ValueError("two\nlines \udcff")

    task = asyncio.create_task(fail())
    faults.watch(task)
    await asyncio.wait([task])
    await asyncio.sleep(0)
    assert "ValueError: two lines" in told[-1] and "\n" not in told[-1]
    faults.handle(asyncio.get_running_loop(), {"message": "m", "exception": CannotWrite("full")})
    faults.handle(asyncio.get_running_loop(), {"message": "m", "exception": OSError(errno.EIO, "hung up")})
    del task
    gc.collect()
    assert len(told) == 3


def test_the_file_is_bounded_and_may_be_missing(tmp_path: Path) -> None:
    told: list[str] = []
    faults = Faults(tmp_path, told.append)
    faults.path.write_bytes(b"x" * (LOG_BYTES_MAX + 1))
    faults.tell(ValueError("one"))
    assert faults.path.stat().st_size < LOG_BYTES_MAX
    Faults(Path("/dev/null"), told.append).tell(ValueError("two"))
    assert told[-1].endswith("it cannot be written to /dev/null/faults.log")
