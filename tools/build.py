#!/usr/bin/env python3
"""Runs a cargo command that may take minutes: `tools/build.py cargo build -p comptoir`.

On a terminal cargo shows its own progress. Elsewhere there is a line a minute: how long it has run, how many crates it has
compiled and which one came last. What cargo says besides is shown as it comes; the exit code is cargo's.
"""

import subprocess
import sys
import threading
import time

EVERY_SECONDS = 60


def main():
    command = sys.argv[1:]
    if not command or command[0] in ("-h", "--help"):
        print(__doc__.strip())
        return 0
    if sys.stderr.isatty():
        return subprocess.run(command).returncode
    began = time.monotonic()
    compiled = []
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    ended = threading.Event()
    reporter = threading.Thread(target=report, args=(began, compiled, ended))
    reporter.start()
    try:
        for line in process.stderr:
            words = line.split()
            if words[:1] == ["Compiling"]:
                compiled.append(words[1])
            elif words[:1] not in (["Finished"], ["Downloading"], ["Downloaded"], ["Fresh"], ["Locking"]):
                sys.stderr.write(line)
        code = process.wait()
    finally:
        ended.set()
        reporter.join()
    if compiled and code == 0:
        print(f"  build   comptoir     {minutes(began)}, {len(compiled)} crates", file=sys.stderr)
    return code


def report(began, compiled, ended):
    while not ended.wait(EVERY_SECONDS):
        last = f", the last is {compiled[-1]}" if compiled else ""
        print(f"  build   comptoir     {minutes(began)}: {len(compiled)} crates begun{last}", file=sys.stderr, flush=True)


def minutes(began):
    passed = int(time.monotonic() - began)
    return f"{passed // 60} min {passed % 60:02} s"


if __name__ == "__main__":
    sys.exit(main())
