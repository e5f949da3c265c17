"""The chat-server command. Loading its modules takes half a second, and a SIGHUP is kept from before that."""

from chat_server.hangup import Hangup


def main() -> None:
    hangup = Hangup()
    from chat_server.program import run

    run(hangup)


if __name__ == "__main__":
    main()
