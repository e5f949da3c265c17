"""The deliver station: events become bytes, once for each format, and reach connections in order.

    delivery         ties the others together: who is connected, and a batch on its way
    routing          plans who receives what of a batch; pure
    rendering        the bytes of a batch, shared by all who receive the same
    fanout           writes the plan
    live_outboxes    the writes to all who are up to date
    outbox           what one connection is sent, and how fast; no I/O
    catch_up         the state of a connection that is behind; pure
    shown_states     which states of messages it was shown meanwhile; pure
    missed_messages  what it missed, read on a reader's thread
    presence         who is online or away, and what others are told of it
    memberships      who is in which private chat
    connections      who is connected

All but `missed_messages` run on the loop's thread.
"""
