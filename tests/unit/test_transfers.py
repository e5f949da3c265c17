from chat_server.transfers import Turns
from tests.fake_runtime import FakeRuntime


def test_a_greedy_user_takes_turns_with_others() -> None:
    runtime = FakeRuntime()
    turns, order = Turns(runtime, 1000), list[str]()

    async def transfer(user: int, what: str) -> None:
        await turns.wait(user)
        order.append(what)

    async def main() -> None:
        greedy = [runtime.spawn(transfer(1, "greedy")) for _ in range(200)]
        await runtime.sleep(0)
        begun = len(order)
        left = [runtime.spawn(transfer(2, "left")) for _ in range(3)]
        modest = [runtime.spawn(transfer(user, f"modest {user}")) for user in (3, 4)]
        await runtime.sleep(0)
        for each in left:
            each.cancel()
        for task in (*modest, *greedy):
            await task
        assert order.index("modest 3") <= begun + 1 and order.index("modest 4") <= begun + 2
        assert len(order) == 202
        await turns.wait(1)

    runtime.run(main())
    # There is one turn a millisecond, besides those that idle turns have saved up.
    assert 0.140 <= runtime.monotonic() <= 0.203
