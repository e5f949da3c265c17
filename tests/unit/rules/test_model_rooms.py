"""As `test_model`, with private chats more than with anything else."""

from hypothesis import settings

from tests.unit.rules.machine import NAMES, RoomRules


class InRooms(RoomRules):
    signed_in = len(NAMES)


TestInRooms = InRooms.TestCase
TestInRooms.settings = settings(max_examples=40, stateful_step_count=80)
