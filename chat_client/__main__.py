"""The chat-client command. Loading it takes half a second, in which Ctrl-C ends it without a word, as it does later."""

import signal

if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)

from chat_client.program import main

if __name__ == "__main__":
    main()
