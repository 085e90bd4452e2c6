"""What the ledger promises on a full disk, for another user, and over a file system that cannot be written.

Mounting and changing users take root: without it each such test says that it was skipped. $LLM_BIN is the binary.
"""

import contextlib
import http.server
import json
import os
import shutil
import sqlite3
import stat
import subprocess
import tempfile
import threading
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
LLM = Path(os.environ.get("LLM_BIN", HERE / "../../target/debug/llm")).resolve()
NOBODY = 65534
BUDGET = '[[budget]]\nlimit = 5\nper = "day"\n[price."*"]\ninput = 1\noutput = 1\n'

as_root = unittest.skipUnless(os.name == "posix" and os.geteuid() == 0, "only root can mount and change users")


class Gateway(http.server.ThreadingHTTPServer):
    """Answers every chat with `paris`, and counts them."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.chats = 0
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.chats += 1
        chunk = {"id": "1", "object": "chat.completion.chunk", "model": "m", "choices": [{
            "index": 0, "delta": {"role": "assistant", "content": "paris"}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 3, "completion_tokens": 1}}
        body = f"data: {json.dumps(chunk)}\n\ndata: [DONE]\n\n".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Ledger(unittest.TestCase):
    def setUp(self):
        self.home = Path(tempfile.mkdtemp(prefix="llm-ledger-"))
        self.addCleanup(shutil.rmtree, self.home)
        # Where other users may look, which they may not everywhere that programs are built.
        self.home.chmod(0o755)
        self.llm_bin = self.home / "llm"
        shutil.copy(LLM, self.llm_bin)
        self.llm_bin.chmod(0o755)
        self.gateway = Gateway()
        self.addCleanup(self.gateway.server_close)
        self.addCleanup(self.gateway.shutdown)
        self.data = self.home / "data"
        self.data.mkdir(mode=0o700)

    def llm(self, *arguments, user=None, config=None):
        environment = {
            "PATH": os.environ["PATH"], "HOME": str(self.home), "LLM_DATA_DIR": str(self.data), "LLM_MODEL": "m",
            "LLM_BASE_URL": f"http://127.0.0.1:{self.gateway.server_port}/v1", "LLM_API_KEY": "sk-test-0123456789",
        }
        if config:
            path = self.home / "llm.toml"
            path.write_text(config)
            environment["LLM_CONFIG"] = str(path)
        who = {} if user is None else {"user": user, "group": user, "extra_groups": []}
        return subprocess.run([self.llm_bin, *arguments], env=environment, stdin=subprocess.DEVNULL, cwd=self.home,
                              capture_output=True, text=True, timeout=60, **who)

    def answers(self, result):
        self.assertEqual((result.returncode, result.stdout), (0, "paris\n"), result.stderr)

    def calls(self, user=None):
        result = self.llm("log", "-n", "0", "-o", "json", user=user)
        self.assertEqual(result.returncode, 0, result.stderr)
        return json.loads(result.stdout)

    def tree(self):
        return {path.name: path.stat().st_mtime_ns for path in [self.data, *self.data.iterdir()]}

    def mount(self, *options):
        subprocess.run(["mount", "-t", "tmpfs", "-o", ",".join(["mode=700", *options]), "llm-test", self.data], check=True)
        self.addCleanup(subprocess.run, ["umount", self.data], check=True)

    @as_root
    def test_L12_a_full_disk_costs_no_answer_and_no_row(self):
        self.mount("size=4m")
        self.answers(self.llm("ask", "hi"))
        filler = self.data / "filler"
        with open(filler, "wb", buffering=0) as file, contextlib.suppress(OSError):
            while file.write(b"x" * 4096):
                pass
        said = []
        # The log may still have room in pages that it has already.
        for n in range(40):
            result = self.llm("ask", f"{n} " + "long words of a long prompt " * 200)
            self.answers(result)
            said.append(result.stderr)
        self.assertIn("not recorded", said[-1])
        self.assertEqual(len(said[-1].splitlines()), 1, said[-1])
        kept = len(self.calls())
        self.assertGreaterEqual(kept, 1)
        chats = self.gateway.chats
        result = self.llm("ask", "--max-tokens", "10", "hi", config=BUDGET)
        self.assertEqual((result.returncode, result.stdout, self.gateway.chats), (5, "", chats), result.stderr)
        filler.unlink()
        self.answers(self.llm("ask", "hi"))
        self.assertGreater(len(self.calls()), kept)
        with contextlib.closing(sqlite3.connect(self.data / "ledger.db")) as database:
            self.assertEqual(database.execute("PRAGMA quick_check").fetchone(), ("ok",))
        self.assertFalse([name for name in os.listdir(self.data) if "corrupt" in name])

    @as_root
    def test_L13_a_file_system_that_cannot_be_written_is_read(self):
        self.mount()
        self.answers(self.llm("ask", "hi"))
        before = self.tree()
        subprocess.run(["mount", "-o", "remount,ro", self.data], check=True)
        self.assertEqual([call["text"] for call in self.calls()], ["paris"])
        usage = self.llm("usage", "-o", "json")
        self.assertEqual(json.loads(usage.stdout)["total"]["calls"], 1, usage.stderr)
        result = self.llm("ask", "hi")
        self.answers(result)
        self.assertIn("not recorded", result.stderr)
        for command in ["log purge --all", "serve key new bot", "serve key revoke bot"]:
            result = self.llm(*command.split())
            self.assertEqual((result.returncode, result.stdout), (74, ""), result.stderr)
        self.assertEqual(self.tree(), before)

    @as_root
    def test_L13_another_user_may_read_what_he_is_let_read_and_changes_nothing(self):
        for _ in range(2):
            self.answers(self.llm("ask", "hi"))
        result = self.llm("usage", user=NOBODY)
        self.assertEqual((result.returncode, result.stdout), (74, ""), result.stderr)
        self.data.chmod(0o755)
        for path in self.data.iterdir():
            path.chmod(0o644)
        before = self.tree()
        for user in [NOBODY, None]:
            self.assertEqual(len(self.calls(user)), 2, user)
            usage = json.loads(self.llm("usage", "-o", "json", user=user).stdout)
            self.assertEqual(usage["total"]["calls"], 2)
            if user:
                self.assertEqual(self.tree(), before)
        result = self.llm("ask", "hi", user=NOBODY)
        self.answers(result)
        self.assertIn("not recorded", result.stderr)
        self.assertEqual(len(self.calls()), 2)

    @as_root
    def test_L13_his_own_home_may_be_read_only_to_a_user(self):
        os.chown(self.data, NOBODY, NOBODY)
        self.answers(self.llm("ask", "hi", user=NOBODY))
        self.data.chmod(0o500)
        for path in self.data.iterdir():
            path.chmod(0o400)
        result = self.llm("ask", "hi", user=NOBODY)
        self.answers(result)
        self.assertIn("not recorded", result.stderr)
        self.assertEqual(len(self.calls(NOBODY)), 1)
        self.data.chmod(0o700)
        for path in self.data.iterdir():
            path.chmod(0o600)
        self.answers(self.llm("ask", "hi", user=NOBODY))
        self.assertEqual(len(self.calls(NOBODY)), 2)

    @as_root
    def test_L17_a_ledger_of_another_user_is_refused(self):
        theirs = self.data / "ledger.db"
        theirs.write_bytes(b"")
        theirs.chmod(0o644)
        os.chown(self.data, NOBODY, NOBODY)
        result = self.llm("ask", "hi", user=NOBODY)
        self.answers(result)
        self.assertIn("belongs to another user", result.stderr)
        self.assertEqual(theirs.read_bytes(), b"")
        self.assertEqual((stat.S_IMODE(theirs.stat().st_mode), theirs.stat().st_uid), (0o644, os.geteuid()))


if __name__ == "__main__":
    unittest.main(verbosity=2)
