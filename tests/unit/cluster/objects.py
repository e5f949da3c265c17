"""Buckets of objects in memory."""

from collections.abc import AsyncIterator

from chat_server.log.stream import ObjectMissing


class MemoryObjects:
    """Buckets in memory. `fails` is called with each act, and may raise."""

    def __init__(self) -> None:
        self.all: dict[str, dict[str, bytes]] = {}

    def fails(self, act: str, bucket: str) -> None:
        pass

    async def buckets(self) -> list[str]:
        self.fails("buckets", "")
        return list(self.all)

    async def begin(self, bucket: str) -> None:
        self.fails("begin", bucket)
        self.all.setdefault(bucket, {})

    async def delete_bucket(self, bucket: str) -> None:
        self.fails("delete", bucket)
        self.all.pop(bucket, None)

    async def names(self, bucket: str) -> list[str]:
        return list(self.all.get(bucket, {}))

    async def put(self, bucket: str, name: str, chunks: AsyncIterator[bytes]) -> None:
        data = b"".join([chunk async for chunk in chunks])
        self.fails("put", bucket)
        self.all[bucket][name] = data

    async def get(self, bucket: str, name: str) -> AsyncIterator[bytes]:
        self.fails("get", bucket)
        data = self.all.get(bucket, {}).get(name)
        if data is None:
            raise ObjectMissing(f"there is no {name}")
        for start in range(0, len(data), 1000):
            yield data[start : start + 1000]

    async def delete(self, bucket: str, name: str) -> None:
        self.all[bucket].pop(name, None)
