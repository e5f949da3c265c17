"""chat-server as a node whose streams and snapshots follow each other within seconds. A program."""

from chat_server.__main__ import main
from chat_server.cluster import chain, snapshot_keeper

if __name__ == "__main__":
    chain.ERASED_SECONDS = 8.0
    chain.CHECK_SECONDS = chain.RANK_SECONDS = 1.0
    snapshot_keeper.FIRST_SECONDS = 2.0
    snapshot_keeper.CHECK_SECONDS = snapshot_keeper.AGAIN_SECONDS = 1.0
    snapshot_keeper.SECOND_MS = 8_000
    main()
