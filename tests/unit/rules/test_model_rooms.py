"""As `test_model`, with private chats more than with anything else."""

from hypothesis import settings

from tests.unit.rules.machine import RoomRules


class InRooms(RoomRules):
    pass


TestInRooms = InRooms.TestCase
TestInRooms.settings = settings(max_examples=25, stateful_step_count=60)
