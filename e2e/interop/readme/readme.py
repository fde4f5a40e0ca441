#!/usr/bin/env python3
"""Does what README.md tells a newcomer, language by language, against a running cluster.

    readme.py --pd ADDRESS --build build/release [LANGUAGE...]

A section of "Connect a program" holds files (a line with the name in backquotes, then the block)
and `sh` blocks.  They are carried out in order in an empty folder; an `sh` block before the first
file belongs to this repository.  Each example must print the line "world".
"""
import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[3]
BLOCK = re.compile(r"(?:^`(?P<file>[^`]+)`:\n\n)?^```(?P<kind>\w+)\n(?P<text>.*?)^```$", re.M | re.S)


def sections(readme):
    """Yields (language, [(file name or None, kind, text)])."""
    chapter = readme.split("\n## Connect a program\n")[1].split("\n## ")[0]
    for section in chapter.split("\n### ")[1:]:
        language, body = section.split("\n", 1)
        yield language, [m.group("file", "kind", "text") for m in BLOCK.finditer(body)]


def carry_out(blocks, replace, folder, env):
    """Returns what the last shell block printed."""
    output, files = "", 0
    for name, kind, text in blocks:
        for old, new in replace.items():
            text = text.replace(old, new)
        if kind != "sh":
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            files += 1
            continue
        done = subprocess.run(["bash", "-ec", text], cwd=folder if files else ROOT, env=env,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        output = done.stdout
        if done.returncode != 0:
            raise RuntimeError(f"exit code {done.returncode} of\n{text}\n{output}")
    return output


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--pd", required=True)
    parser.add_argument("--build", required=True)
    parser.add_argument("languages", nargs="*")
    args = parser.parse_args()
    build = pathlib.Path(args.build).resolve()
    env = dict(os.environ, CARGO_TARGET_DIR=str(build / "cargo"))
    found, failed = list(sections((ROOT / "README.md").read_text())), 0
    if [name for name, _ in found] != ["Go", "Java", "Python", "Rust", "C++"]:
        sys.exit(f"README.md has examples for {[name for name, _ in found]}")
    for language, blocks in found:
        if args.languages and language not in args.languages:
            continue
        begin = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            place = pathlib.Path(folder)
            replace = {"127.0.0.1:2379": args.pd, "$HOME/tikv": str(place / "tikv"),
                       # What `make install` does after building, which has been done.
                       "make install PREFIX=": f"cmake --install {build} --prefix "}
            (place / "hello").mkdir()
            if language == "Rust":  # The versions that interop/rust has compiled already.
                shutil.copy(ROOT / "e2e/interop/rust/Cargo.lock", place / "hello")
            try:
                output = carry_out(blocks, replace, place / "hello", env)
                ok = "world" in output.splitlines()
            except RuntimeError as e:
                output, ok = str(e), False
        print(f"{language}: {'ok' if ok else 'FAILED'} ({time.monotonic() - begin:.1f} s)", flush=True)
        if not ok:
            print(output)
            failed += 1
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
