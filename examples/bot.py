"""A bot that rolls dice: `!roll 2d6`. Run it with: python examples/bot.py localhost:8000"""

import asyncio
import random
import re
import sys

from chat_client import Message, Refused, connect


async def main(server: str) -> None:
    async with connect(server, user="dice-bot") as chat:
        async for event in chat:
            if not isinstance(event, Message) or event.from_ == chat.user:
                continue
            roll = re.fullmatch(r"!roll ([1-9])d([1-9]\d?)", event.text or "")
            if roll:
                dice = [random.randint(1, int(roll[2])) for _ in range(int(roll[1]))]
                try:
                    await chat.send(event.chat, f"{event.from_} rolls {dice}: {sum(dice)}")
                except Refused as refused:
                    print(refused, file=sys.stderr)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
