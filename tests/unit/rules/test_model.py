"""Several users do whatever they like; after each step one of them, and at the end all, see what the model says.

Each test does more of one thing than of others; the last one does everything.
"""

from hypothesis import settings

from tests.unit.rules.machine_rules import BanRules, BlockRules, FileRules, MessageRules, RoomRules


class InRooms(RoomRules, BlockRules, BanRules):
    pass


class AmongPeople(MessageRules, BlockRules, BanRules):
    pass


class WithFiles(FileRules, BlockRules, BanRules):
    pass


class Everybody(RoomRules, MessageRules, BlockRules, BanRules, FileRules):
    pass


TestInRooms = InRooms.TestCase
TestInRooms.settings = settings(stateful_step_count=60)
TestAmongPeople = AmongPeople.TestCase
TestAmongPeople.settings = settings(stateful_step_count=50)
TestWithFiles = WithFiles.TestCase
TestWithFiles.settings = settings(stateful_step_count=50)
TestEverybody = Everybody.TestCase
TestEverybody.settings = settings(stateful_step_count=60)
