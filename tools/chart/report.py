"""What passed and what failed, printed as it happens."""

import concurrent.futures
import sys
import time
from collections.abc import Callable, Iterable
from typing import NoReturn

WORKERS = 2  # checks that run at a time, where each waits for helm

# Problems of one check that are printed; the rest is counted.
MOST = 12


class Results:
    """A check is a sentence and a function that returns the problems that it found."""

    def __init__(self) -> None:
        self.passed = self.failed = 0

    def note(self, text: str) -> None:
        print(f"  chart   {text}", flush=True)

    def add(self, sentence: str, check: Callable[[], Iterable[str] | None]) -> None:
        self.tell(sentence, *measured(check))

    def add_all(self, cases: list[tuple[str, Callable[[], Iterable[str] | None]]]) -> None:
        """Several checks, two at a time; they are told in their order."""
        with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
            done = pool.map(measured, [check for _, check in cases])
            for (sentence, _), result in zip(cases, done):
                self.tell(sentence, *result)

    def tell(self, sentence: str, problems: list[str], seconds: float) -> None:
        self.passed += not problems
        self.failed += bool(problems)
        verdict = "FAILED" if problems else "ok"
        print(f"  {verdict:<7} {sentence} ({seconds:.1f} s)", flush=True)
        for problem in problems[:MOST]:
            print(f"          {problem}", flush=True)
        if len(problems) > MOST:
            print(f"          and {len(problems) - MOST} more", flush=True)

    def close(self, seconds: float) -> int:
        print(f"  chart   {seconds:.1f} s", flush=True)
        print(f"{self.passed} passed, {self.failed} failed", flush=True)
        return 1 if self.failed else 0


def measured(check: Callable[[], Iterable[str] | None]) -> tuple[list[str], float]:
    """The problems that a check finds, and the seconds that it takes."""
    began = time.monotonic()
    problems = list(check() or [])
    return problems, time.monotonic() - began


def fail(sentence: str) -> NoReturn:
    """Something without which no check can run."""
    sys.exit(f"chart: {sentence}")
