"""At most so many at once, in order."""

import asyncio

from chaffinch.chat.training.turns import Turns


def test_order_and_places() -> None:
    async def scene() -> None:
        turns, ran, ends = Turns(2), [], {guild: asyncio.Event() for guild in range(5)}

        async def train(guild: int) -> None:
            async with turns.turn(guild):
                ran.append(guild)
                await ends[guild].wait()

        tasks = [asyncio.create_task(train(guild)) for guild in range(5)]
        await asyncio.sleep(0)
        assert [turns.before(guild) for guild in range(6)] == [0, 0, 2, 3, 4, 0]
        ends[1].set()
        await asyncio.sleep(0.01)
        assert ran == [0, 1, 2]
        tasks[3].cancel()
        await asyncio.sleep(0.01)
        assert turns.before(4) == 2
        for end in ends.values():
            end.set()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert ran == [0, 1, 2, 4]

    asyncio.run(scene())
