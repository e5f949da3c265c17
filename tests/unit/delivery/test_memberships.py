from hypothesis import given
from hypothesis import strategies as st

from chat_server.delivery.memberships import Memberships
from chat_server.rules.outcomes import Entered, MembershipChange

USERS, ROOMS = (1, 2, 3), (7, 8)
users = st.sampled_from(USERS)
steps = st.lists(
    st.one_of(
        st.builds(Entered, users, st.just("x"), st.just(False), st.sets(st.sampled_from(ROOMS)).map(tuple)),
        st.builds(MembershipChange, users, st.sampled_from(ROOMS), st.just("#x"), st.booleans()),
        users,  # is gone
    ),
    max_size=20,
)


@given(steps)
def test_they_are_those_of_who_is_connected(steps: list[Entered | MembershipChange | int]) -> None:
    memberships = Memberships()
    model: dict[int, set[int]] = {}
    for step in steps:
        if isinstance(step, Entered):
            memberships.enter(step)
            model.setdefault(step.user_id, set(step.rooms))
        elif isinstance(step, MembershipChange):
            memberships.change(step)
            if step.user_id in model:
                (model[step.user_id].add if step.came else model[step.user_id].discard)(step.room)
        else:
            memberships.forget(step)
            model.pop(step, None)
        for user in USERS:
            assert memberships.rooms(user) == model.get(user, set())
        for room in ROOMS:
            assert set(memberships.users(room)) == {user for user, rooms in model.items() if room in rooms}
    for user in USERS:
        memberships.forget(user)
    assert not memberships._users and not memberships._rooms


def test_members_keep_the_order_in_which_they_came() -> None:
    memberships = Memberships()
    for user in (3, 1, 2):
        memberships.enter(Entered(user, "x", False, (7,)))
    memberships.change(MembershipChange(3, 7, "#x", False))
    memberships.change(MembershipChange(3, 7, "#x", True))
    assert list(memberships.users(7)) == [1, 2, 3]
