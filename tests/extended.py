"""chat-server with the commands of `new_commands`. A program."""

from msgspec.structs import replace

from chat_server.__main__ import main
from chat_server.frontend.connection_commands import Speaker, connection_command
from chat_server.log.entries import Internal
from chat_server.prepare import Asker, Preparer, preparation
from chat_server.protocol.base import Reply
from chat_server.protocol.connection import Notice
from chat_server.protocol.formats import wording
from chat_server.rules.context import Context, View
from chat_server.rules.lookup import find_user
from chat_server.rules.outcomes import Prepared
from chat_server.rules.registry import reading, rule
from tests.new_commands import Counted, CountMessages, Echo, Echoed, Roll, Rolled, Wave, Waved, enter_rows

enter_rows()

for each in (Echoed, Waved, Counted, Rolled):
    wording.REPLIES[each] = lambda reply, now: ([], str(reply))


class Rolling(Internal, frozen=True, tag="rolling"):
    number: int


@connection_command(Echo)
def echo(here: Speaker, command: Echo) -> Reply:
    return Echoed(command.text)


@rule(Wave)
def wave(context: Context, command: Wave) -> Reply:
    user = find_user(context.db, command.username.name, command.username.folded, context.user_id)
    context.push(Notice(f"{context.user().name} waves"), user.id)
    return Waved(user.name, context.next_seq())


@reading(CountMessages)
def count(view: View, query: CountMessages) -> Reply:
    return Counted(len(view.db.all("SELECT id FROM messages")))


@preparation(Roll)
async def prepare_roll(preparer: Preparer, asker: Asker, command: Roll) -> Prepared:
    return Prepared(Rolling(4), reply=lambda rolled: replace(rolled, number=rolled.number + 1))


@rule(Rolling)
def roll(context: Context, command: Rolling) -> Reply:
    return Rolled(command.number)


if __name__ == "__main__":
    main()
