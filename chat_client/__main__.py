"""The chat-client command. Loading it takes half a second, in which Ctrl-C ends it without a word, as it does later."""

import gc
import signal

if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)

# Nothing that is loaded is garbage: looking for it took a fifth of the start.
gc.disable()
from chat_client.program import main  # noqa: E402

gc.freeze()
gc.enable()

if __name__ == "__main__":
    main()
