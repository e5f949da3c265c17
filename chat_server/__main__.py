"""The chat-server command. Loading it takes half a second, in which a SIGHUP is kept, as it is while it starts."""

from chat_server.hang_up import HangUp


def main() -> None:
    hang_up = HangUp()
    from chat_server.program import run

    run(hang_up)


if __name__ == "__main__":
    main()
