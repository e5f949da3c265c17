"""Threads that are there from the start on: one that is asked for later may be refused.

Another user of the machine can use up its processes and threads. The server has all that it needs by then.
"""

import threading
from concurrent.futures import ThreadPoolExecutor

from chat_server.errors import StartError


def started_pool(count: int, name: str) -> ThreadPoolExecutor:
    """A pool whose threads run already. Raises StartError."""
    pool = ThreadPoolExecutor(count, thread_name_prefix=name)
    # Each thread waits for the others: an idle one would be given the next one's job.
    all_here = threading.Barrier(count)
    try:
        for _ in range(count):
            pool.submit(all_here.wait)
    except RuntimeError as error:
        all_here.abort()
        raise no_thread(error) from None
    return pool


def no_thread(error: RuntimeError) -> StartError:
    return StartError(f"{error}: raise the limits on processes (ulimit -u) and memory (ulimit -v), or the machine's")
