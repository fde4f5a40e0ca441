#!/usr/bin/env python3
"""Each rule of tidy.py fires on a tree that breaks it, and on nothing else."""

import os
import subprocess
import tempfile
import unittest

import tidy


class TidyTest(unittest.TestCase):
    def found(self, files):
        with tempfile.TemporaryDirectory() as root:
            subprocess.run(["git", "init", "-q", root], check=True)
            listed = " ".join(os.path.basename(f) for f in files)
            for path, text in {**files, "CMakeLists.txt": listed}.items():
                full = os.path.join(root, path)
                os.makedirs(os.path.dirname(full), exist_ok=True)
                with open(full, "w", encoding="utf-8") as f:
                    f.write(text)
            return [text for _, _, text in tidy.findings(root)]

    def expect(self, path, text, part):
        found = self.found({path: text})
        self.assertEqual(len(found), 1, found)
        self.assertIn(part, found[0])

    def test_clean_tree(self):
        self.assertEqual(self.found({"lib/raft/a.cc": '#include "lib/base/status.h"\n'}), [])

    def test_include_upwards(self):
        self.expect("lib/raft/a.cc", '#include "server/node/node.h"\n', "must not include")

    def test_programs_do_not_meet(self):
        self.expect("pd/core/a.cc", '#include "server/codec/key.h"\n', "pd must not include server")

    def test_siblings(self):
        self.expect("server/storage/a.cc", '#include "server/raftstore/x.h"\n', "must not include")

    def test_adapter(self):
        self.expect("server/node/a.cc", "#include <rocksdb/db.h>\n", "may only be included")

    def test_banned_call(self):
        self.expect("lib/raft/a.cc", "auto t = std::chrono::steady_clock::now();\n", "banned call")

    def test_banned_call_is_free_at_the_edge(self):
        self.assertEqual(self.found({"lib/env/posix/a.cc": "std::thread t;\n"}), [])

    def test_throw(self):
        self.expect("lib/raft/a.cc", "void F() { throw Error(); }\n", "errors are values")

    def test_size(self):
        self.expect("lib/raft/a.cc", "int x;\n" * (tidy.MAX_LINES + 1), "split it")

    def test_comment_on_public_type(self):
        self.expect("lib/raft/a.h", "class Log {\n};\n", "Log needs a comment")
        self.assertEqual(self.found({"lib/raft/a.h": "// The log.\nclass Log {\n};\n"}), [])

    def test_unfinished(self):
        self.expect("lib/raft/a.cc", "// TO" + "DO: later\n", "unfinished")

    def test_unlisted(self):
        with tempfile.TemporaryDirectory() as root:
            subprocess.run(["git", "init", "-q", root], check=True)
            with open(os.path.join(root, "a.cc"), "w", encoding="utf-8") as f:
                f.write("int x;\n")
            self.assertEqual([t for _, _, t in tidy.findings(root)],
                             ["not listed in any CMakeLists.txt"])


if __name__ == "__main__":
    unittest.main()
