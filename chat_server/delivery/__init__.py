"""The deliver station: events become bytes, once for each format, and reach every connection in order.

    readers     threads that read the store
    outbox      what one connection is sent, and how it catches up when it was left behind
    blocks      the bytes of a batch, rendered once and shared by all who receive the same
    hub         who is connected; hands each batch to all of them

Everything but `readers` lives on the loop's thread.
"""
