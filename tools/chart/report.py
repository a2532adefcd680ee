"""What passed and what failed, printed as it happens."""

import sys
import time
from collections.abc import Callable, Iterable
from typing import NoReturn

# Problems of one check that are printed; the rest is counted.
MOST = 12


class Results:
    """A check is a sentence and a function that returns the problems that it found."""

    def __init__(self) -> None:
        self.passed = self.failed = 0

    def note(self, text: str) -> None:
        print(f"  chart   {text}", flush=True)

    def add(self, sentence: str, check: Callable[[], Iterable[str] | None]) -> None:
        began = time.monotonic()
        problems = list(check() or [])
        self.passed += not problems
        self.failed += bool(problems)
        verdict = "FAILED" if problems else "ok"
        print(f"  {verdict:<7} {sentence} ({time.monotonic() - began:.1f} s)", flush=True)
        for problem in problems[:MOST]:
            print(f"          {problem}", flush=True)
        if len(problems) > MOST:
            print(f"          and {len(problems) - MOST} more", flush=True)

    def close(self, seconds: float) -> int:
        print(f"  chart   {seconds:.1f} s", flush=True)
        print(f"{self.passed} passed, {self.failed} failed", flush=True)
        return 1 if self.failed else 0


def fail(sentence: str) -> NoReturn:
    """Something without which no check can run."""
    sys.exit(f"chart: {sentence}")
