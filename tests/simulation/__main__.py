"""Run seeds once more: python -m tests.simulation FIRST [COUNT]. One alone is printed with all that was said."""

import sys

from tests.simulation.world import simulate


def main() -> None:
    first, count = (*map(int, sys.argv[1:]), 1)[:2]
    for seed in range(first, first + count):
        transcript = simulate(seed)
        if count == 1:
            print("\n".join(transcript))
        else:
            print(f"seed {seed}: {len(transcript)} lines")


if __name__ == "__main__":
    main()
