"""Run seeds once more: python -m tests.simulation [--cluster] FIRST [COUNT].

One alone is printed with all that was said.
"""

import sys

from tests.simulation.cluster import simulate_cluster
from tests.simulation.world import simulate


def main() -> None:
    arguments = sys.argv[1:]
    run = simulate_cluster if arguments[:1] == ["--cluster"] else simulate
    first, count = (*(int(each) for each in arguments if each != "--cluster"), 1)[:2]
    for seed in range(first, first + count):
        transcript = run(seed)
        if count == 1:
            print("\n".join(transcript))
        else:
            print(f"seed {seed}: {len(transcript)} lines")


if __name__ == "__main__":
    main()
