#!/usr/bin/env python3
"""Plants the faults of tests/mutants.toml, one at a time, and expects the tests to notice: `make mutants`.

A test is `file::name` of tests/it, or `crate/module::tests::name` of the crate comptoir-CRATE, beside its code.

The checkout is copied to target/mutants/tree and mutated only there. First the tests that are named must pass on the
unchanged copy. Then, for each fault: replace the text, build, run its tests, expect every one of them to fail, restore. A
fault that a test lets pass, that does not compile, or whose text is not there exactly once, is an error.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import time
import tomllib

ROOT = pathlib.Path(__file__).resolve().parent.parent
TABLE = ROOT / "tests" / "mutants.toml"
WORK = ROOT / "target" / "mutants"
TREE = WORK / "tree"
KEYS = {"name", "file", "find", "replace", "tests", "why"}

# A test that waits for what a fault prevents fails by its own time-out; this one is for those that hang.
LIMIT_SECONDS = 300


class Broken(Exception):
    """The table, or the unchanged code, is not as it must be."""


def main():
    options = arguments()
    try:
        faults = chosen(load(), options.only)
        if options.list:
            print_list(faults)
            return 0
        return play(faults, options.json)
    except Broken as error:
        say(f"mutants: {error}")
        return 1
    except KeyboardInterrupt:
        say("mutants: interrupted; the copy is as it was")
        return 130


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="play this fault; may be repeated")
    parser.add_argument("--list", action="store_true", help="print the faults and stop")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    return parser.parse_args()


def load():
    """The table, checked against the checkout."""
    faults = tomllib.loads(TABLE.read_text())["fault"]
    names = [fault.get("name") for fault in faults]
    for fault in faults:
        if set(fault) != KEYS:
            raise Broken(f"{fault.get('name')}: a fault has {', '.join(sorted(KEYS))}")
        if names.count(fault["name"]) > 1:
            raise Broken(f"{fault['name']} is there twice")
        count = (ROOT / fault["file"]).read_text().count(fault["find"])
        if count != 1:
            raise Broken(f"{fault['name']}: its text is {count} times in {fault['file']}, not once")
    return faults


def chosen(faults, only):
    strangers = set(only) - {fault["name"] for fault in faults}
    if strangers:
        raise Broken(f"there is no {', '.join(sorted(strangers))} in {TABLE.relative_to(ROOT)}")
    return [fault for fault in faults if not only or fault["name"] in only]


def print_list(faults):
    width = max(len(fault["name"]) for fault in faults)
    for fault in faults:
        print(f"{fault['name']:<{width}}  {fault['why']}")


def play(faults, as_json):
    copy_checkout()
    tests = sorted({test for fault in faults for test in fault["tests"]})
    say(f"building the unchanged copy and running {len(tests)} tests")
    programs = build(tests)
    if programs is None:
        raise Broken("the unchanged copy does not build")
    passed, output = run(programs, tests, None)
    if passed != tests:
        raise Broken(f"{', '.join(set(tests) - set(passed))}: fails without any fault:\n{output}")
    results = []
    table = Table(faults, sys.stderr if as_json else sys.stdout)
    for fault in faults:
        result = plant(fault)
        table.row(result)
        results.append(result)
    table.total(results)
    if as_json:
        print(json.dumps(results, indent=2))
    return 0 if all(result["verdict"] == "caught" for result in results) else 1


def plant(fault):
    """Plays one fault, and restores the copy whatever happens."""
    path = TREE / fault["file"]
    sound = path.read_text()
    began = time.monotonic()
    passed = []
    try:
        path.write_text(sound.replace(fault["find"], fault["replace"]))
        programs = build(fault["tests"])
        if programs is None:
            verdict = "does not compile"
        else:
            passed, _ = run(programs, fault["tests"], LIMIT_SECONDS)
            verdict = "SURVIVED" if passed else "caught"
    finally:
        path.write_text(sound)  # newer than what was built of the fault, so that cargo builds it again
    return {**fault, "verdict": verdict, "passed": passed, "seconds": round(time.monotonic() - began, 1)}


def copy_checkout():
    """Makes the copy equal to the checkout. Equal files are not touched: cargo looks at their times."""
    command = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split("\0")
    wanted = {name for name in listed if name and (ROOT / name).is_file()}
    for name in sorted(wanted):
        source, copy = ROOT / name, TREE / name
        content = source.read_bytes()
        if not copy.is_file() or copy.read_bytes() != content:
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(content)
    for copy in TREE.rglob("*"):
        if copy.is_file() and str(copy.relative_to(TREE)) not in wanted:
            copy.unlink()


def environment():
    """The copy is built apart from the checkout, and finds mongod and nats-server where the checkout has them."""
    tools = os.environ.get("COMPTOIR_TOOLS", str(ROOT / ".tools"))
    own = {"CARGO_TARGET_DIR": str(WORK / "target"), "CARGO_PROFILE_DEV_DEBUG": "0", "COMPTOIR_TOOLS": tools}
    # What a property test has found against one fault must not be tried against the next.
    return {**os.environ, **own, "PROPTEST_DISABLE_FAILURE_PERSISTENCE": "1"}


def crate_of(test):
    """The crate of a test beside the code; none of a test of tests/it."""
    return test.split("/")[0] if "/" in test else None


def build(tests):
    """Builds what these tests need: the program of each crate (none is tests/it), or nothing when it does not compile."""
    crates = {crate_of(test) for test in tests}
    programs = {}
    # Whole workspace in both cases: with fewer packages cargo would build other crates with other features once more.
    if None in crates:
        programs |= compiled(["build", "--bin", "comptoir", "--test", "it"]) or {}
    if crates - {None}:
        programs |= compiled(["test", "--no-run", "--lib"]) or {}
    return programs if crates <= set(programs) else None


def compiled(what):
    """The test programs by crate, or none when they do not compile."""
    command = [os.environ.get("CARGO", "cargo"), *what, "--quiet", "--workspace", "--message-format", "json-render-diagnostics"]
    built = subprocess.run(command, cwd=TREE, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if built.returncode != 0:
        say(built.stderr)
        return None
    messages = [json.loads(line) for line in built.stdout.splitlines() if line.startswith("{")]
    tests = [each for each in messages if each.get("executable") and each["profile"]["test"]]
    return {program_of(each["target"]): each["executable"] for each in tests}


def program_of(target):
    """The crate whose tests a target has, as tests are spelled; none for tests/it."""
    return None if target["name"] == "it" else target["name"].removeprefix("comptoir_").replace("_", "-")


def run(programs, tests, limit):
    """Runs exactly these tests: those that passed, and what was printed. Who hangs for `limit` seconds has failed."""
    passed, printed = set(), ""
    for crate, program in programs.items():
        names = {test.rpartition("/")[2]: test for test in tests if crate_of(test) == crate}
        if names:
            output = output_of(program, crate, list(names), limit)
            lines = set(output.splitlines())
            passed |= {test for name, test in names.items() if f"test {name} ... ok" in lines}
            printed += output
    return [test for test in tests if test in passed], printed


def output_of(program, crate, names, limit):
    """What a program prints when it runs exactly these tests."""
    folder = TREE / "tests" if crate is None else TREE
    try:
        command = [program, "--exact", *names]
        ran = subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True, timeout=limit)
        output = ran.stdout + ran.stderr
    except subprocess.TimeoutExpired as hung:
        output = (hung.stdout or b"").decode(errors="replace")
    if f"running {len(names)} test" not in output:
        raise Broken(f"one of these is not a test: {', '.join(names)}")
    return output


class Table:
    """The result, row by row as it comes."""

    def __init__(self, faults, out):
        self.out = out
        self.width = max(len(fault["name"]) for fault in faults)
        self.line("fault", "result", "seconds", "tests")

    def line(self, fault, verdict, seconds, test):
        print(f"{fault:<{self.width}}  {verdict:<16}  {seconds:>7}  {test}", file=self.out, flush=True)

    def row(self, result):
        columns = (result["name"], result["verdict"], result["seconds"])
        for test in result["tests"]:
            self.line(*columns, f"{test} (passed)" if test in result["passed"] else test)
            columns = ("", "", "")

    def total(self, results):
        caught = sum(result["verdict"] == "caught" for result in results)
        print(f"{caught} of {len(results)} faults caught", file=self.out, flush=True)


def say(text):
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
