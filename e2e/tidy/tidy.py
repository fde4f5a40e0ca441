#!/usr/bin/env python3
"""Holds the tree to the rules of the design that a machine can check.

Usage: tidy.py [ROOT].  Prints one line per finding, "path:line: what and what to do", and exits
with 1 when there is any.  Rules: include directions, libraries behind their adapters, banned
calls, file sizes, comments on public types, sources listed in a CMakeLists.txt, no unfinished
work, no machine paths.
"""

import os
import re
import subprocess
import sys

SOURCE = (".cc", ".h")
MAX_LINES, MAX_TEST_LINES = 600, 900

# A folder may include those of a lower rank, and itself; equal rank means siblings that must not
# meet unless listed in ALLOWED.
RANKS = [
    ("proto", 0), ("lib/base", 0),
    ("lib/env", 1),
    ("lib/log", 2), ("lib/metrics", 2), ("lib/config", 2), ("lib/raft", 2), ("lib/engine", 2),
    ("lib/sim", 2),
    ("lib/raftlog", 3), ("lib/http", 3),
    ("lib/rpc", 4),
    ("lib/pdchannel", 5),
    ("server/codec", 6), ("server/port", 6), ("pd/core", 6), ("client", 12), ("operator", 12),
    ("server/pdclient", 7),
    ("server/raftstore", 8), ("server/storage", 8),
    ("server/service", 9), ("server/node", 10),
    ("pd/schedule", 7), ("pd/meta", 7), ("pd/tso", 8), ("pd/service", 9), ("pd/node", 10),
    ("e2e", 20),
]
PROGRAMS = ("server", "pd", "client", "operator")

# Headers that only these folders may see: everything else goes through the adapter's own header.
ADAPTERS = {
    r"grpc(pp)?/": ("lib/rpc",),
    r"nghttp2/": ("lib/rpc", "lib/http"),
    r"(boost/(beast|asio)|cpprest)": ("lib/http",),
    r"rocksdb/": ("lib/engine/rocks", "lib/engine/mem"),
    r"prometheus/": ("lib/metrics",),
    r"spdlog/": ("lib/log",),
    r"toml\+\+|toml\.hpp": ("lib/config",),
}

# What only the edges may do; a pure core that did it could not be simulated.
EDGES = ("lib/env/posix", "lib/rpc", "lib/http", "lib/log", "lib/metrics", "lib/engine/rocks", "e2e",
         "client/ctl", "lib/raft/scripts", "server/node", "pd/node",
         "server/service/status")
BANNED = [
    (r"std::(this_thread::)?sleep_|\busleep\(|\bnanosleep\(", "wait for the event, not for time"),
    (r"std::(jthread|thread|async)\b(?!::id)", "take an Executor (lib/env)"),
    (r"(steady|system|high_resolution)_clock::now", "take a Clock (lib/env)"),
    (r"std::random_device|\bs?rand\(\)|std::mt19937", "take a Random (lib/env)"),
    (r"(?<![\w.>:])::?(open|pwrite|fsync|fdatasync|socket)\(", "take a FileSystem or a Channel"),
    (r"(?<!\w)std::(of|if|f)stream\b", "take a FileSystem (lib/env)"),
]
THROW = re.compile(r"(?<![\w\"])throw\s+[\w:]")
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
MACHINE_PATH = re.compile(r"/(work|root|farm)/[a-z]")
PUBLIC_TYPE = re.compile(r"^(class|struct|enum class)\s+(?:\[\[\w+\]\]\s+)?(\w+)(?!::)\b[^;]*$")
COMMENT = re.compile(r"//.*$")


def read(root, path):
    with open(os.path.join(root, path), encoding="utf-8") as f:
        return f.read()


def tracked(root):
    out = subprocess.run(["git", "-C", root, "ls-files", "-co", "--exclude-standard"],
                         capture_output=True, text=True, check=True).stdout
    return [p for p in out.splitlines() if os.path.isfile(os.path.join(root, p))]


def rank_of(path):
    best = max((f for f, _ in RANKS if path.startswith(f + "/")), key=len, default=None)
    return (best, dict(RANKS)[best]) if best else (None, None)


def check_includes(path, lines):
    folder, rank = rank_of(path)
    for number, line in enumerate(lines, 1):
        m = re.match(r'#include [<"]([^>"]+)[>"]', line)
        if not m:
            continue
        target = m.group(1)
        for pattern, homes in ADAPTERS.items():
            if re.match(pattern, target) and not path.startswith(homes):
                yield number, f"{target} may only be included in {' or '.join(homes)}"
        other, other_rank = rank_of(target)
        if other is None or folder is None or other == folder:
            continue
        mine, its = path.split("/")[0], target.split("/")[0]
        if mine in PROGRAMS and its in PROGRAMS and mine != its:
            yield number, f"{mine} must not include {its}"
        elif other_rank > rank or (other_rank == rank and rank >= 8):
            yield number, f"{folder} must not include {other}, which is above or beside it"


def check_text(path, lines):
    is_test = path.endswith("_test.cc") or "/testing/" in path
    limit = MAX_TEST_LINES if is_test else MAX_LINES
    if len(lines) > limit:
        yield len(lines), f"{len(lines)} lines; split it by idea (limit {limit})"
    for number, line in enumerate(lines, 1):
        if UNFINISHED.search(line):
            yield number, "unfinished work: finish it or leave it out"
        if MACHINE_PATH.search(line):
            yield number, "a path of some machine"
        code = COMMENT.sub("", line)
        if THROW.search(code):
            yield number, "errors are values: return absl::Status"
        if is_test or path.startswith(EDGES):
            continue
        for pattern, advice in BANNED:
            if re.search(pattern, code):
                yield number, f"banned call: {advice}"


def check_comments(path, lines):
    if not path.endswith(".h") or path.startswith("e2e/"):
        return
    for number, line in enumerate(lines, 1):
        m = PUBLIC_TYPE.match(line)
        if not m or line.rstrip().endswith(";"):
            continue
        before = number - 2
        while before >= 0 and lines[before].startswith("template"):
            before -= 1
        if before < 0 or not lines[before].lstrip().startswith(("//", "*/")):
            yield number, f"{m.group(2)} needs a comment: what it is for, who owns it, threads, errors"


def check_listed(root, files):
    listed = "\n".join(read(root, f) for f in files if f.endswith("CMakeLists.txt"))
    for path in files:
        if path.endswith(".cc") and os.path.basename(path) not in listed:
            yield path, 1, "not listed in any CMakeLists.txt"


def findings(root):
    files = tracked(root)
    for path in files:
        if not path.endswith(SOURCE):
            continue
        lines = read(root, path).splitlines()
        for rule in (check_includes, check_text, check_comments):
            for number, text in rule(path, lines):
                yield path, number, text
    yield from check_listed(root, files)


def main():
    root = sys.argv[1] if len(sys.argv) > 1 else "."
    count = 0
    for path, number, text in findings(root):
        print(f"{path}:{number}: {text}")
        count += 1
    print(f"tidy: {count} findings")
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main())
