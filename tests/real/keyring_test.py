"""The promises of `llm key` against a real gnome-keyring, a real D-Bus and the real binary ($LLM_BIN).

Each test has a keyring, a home and a gateway of its own; the user's are never touched. The key is a canary: `run` fails
when any output of `llm` has it, and the end of each test looks for it in every file.
"""

import contextlib
import http.server
import json
import os
import re
import secrets
import select
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import termios
import threading
import time
import unittest
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
LLM = str(Path(os.environ.get("LLM_BIN", HERE / "../../target/debug/llm")).resolve())
CANARY = "sk-CANARY-" + secrets.token_hex(12)


def slack():
    """How late a process may be here: the promise is 0.2 s, plus what starting one takes on a busy machine."""
    begin = time.monotonic()
    subprocess.run([LLM, "--help"], stdout=subprocess.DEVNULL, check=True)
    return 0.3 + 5 * (time.monotonic() - begin)



class Gateway(http.server.ThreadingHTTPServer):
    """Answers every chat with `paris`, and notes the keys that it was sent."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self):
        super().__init__(("127.0.0.1", 0), GatewayHandler)
        self.keys = []
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"


class GatewayHandler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.keys.append(self.headers.get("Authorization"))
        chunk = {"id": "1", "object": "chat.completion.chunk", "model": "m", "choices": [{
            "index": 0, "delta": {"role": "assistant", "content": "paris"}, "finish_reason": "stop"}]}
        self.answer("text/event-stream", f"data: {json.dumps(chunk)}\n\ndata: [DONE]\n\n".encode())

    def do_GET(self):
        self.server.keys.append(self.headers.get("Authorization"))
        self.answer("application/json", b'{"object":"list","data":[{"id":"m","object":"model"}]}')

    def answer(self, content_type, body):
        self.send_response(200)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class BlackHole:
    """A bus that takes connections and never says a word."""

    def __init__(self, directory):
        self.path = directory / "silent"
        self.taken = []
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(self.path))
        self.listener.listen(64)
        threading.Thread(target=self.take, daemon=True).start()

    def take(self):
        with contextlib.suppress(OSError):
            while True:
                self.taken.append(self.listener.accept())

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        for end in [self.listener, *(connection for connection, _ in self.taken)]:
            end.close()


class Outcome:
    def __init__(self, code, out, err, seconds):
        self.code, self.out, self.err, self.seconds = code, out, err, seconds

    def __repr__(self):
        return f"exit {self.code} after {self.seconds:.2f} s\nstdout: {self.out}\nstderr: {self.err}"


class KeyringCase(unittest.TestCase):
    def setUp(self):
        self.dir = Path(tempfile.mkdtemp(prefix="llm-keyring-"))
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)
        self.home = self.dir / "home"
        self.gateway = Gateway()
        self.addCleanup(self.gateway.server_close)
        self.addCleanup(self.gateway.shutdown)
        self.config(f'''
            default_gateway = "corp"
            model = "m"
            [gateway.corp]
            base_url = "{self.gateway.url}/v1"
            auth = "required"
        ''')
        self.env = {"HOME": str(self.home), "PATH": os.environ["PATH"], "LANG": "C.UTF-8", "TERM": "xterm"}
        self.addCleanup(self.no_file_has_the_key)
        self.key_file_holds_keys = False

    def config(self, text, top=""):
        path = self.home / ".config/llm/config.toml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(top + "\n" + "\n".join(line.strip() for line in text.splitlines()))

    def add_to_config(self, text, top=""):
        path = self.home / ".config/llm/config.toml"
        self.config(path.read_text() + text, top)

    def session(self, kind="unlocked"):
        """A bus and a keyring for the rest of the test; their address goes into the environment of `llm`."""
        command = [str(HERE / "keyring"), f"--{kind}", "--", "sh", "-c", "env; echo .; exec cat"]
        holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        bus = {}
        for line in iter(holder.stdout.readline, ".\n"):
            if not line:
                self.fail(f"no session: {holder.stderr.read()}")
            name, _, value = line.rstrip("\n").partition("=")
            bus[name] = value

        def end():
            if "KEYRING_PID" in bus:
                os.kill(int(bus["KEYRING_PID"]), signal.SIGCONT)
            self.no_file_has_the_key(Path(bus["KEYRING_PRIVATE"]))
            holder.communicate()

        self.addCleanup(end)
        for name in ["DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR"]:
            self.env[name] = bus[name]
        self.keyring_pid = int(bus.get("KEYRING_PID", 0))

    def no_file_has_the_key(self, directory=None):
        for path in (directory or self.dir).rglob("*"):
            if path.is_file() and not (self.key_file_holds_keys and path.name == "keys.toml"):
                self.assertNotIn(CANARY.encode(), path.read_bytes(), path)

    def run_llm(self, *args, stdin=None, env=None, expect=0, limit=60):
        begin = time.monotonic()
        done = subprocess.run([LLM, *args], input=stdin if stdin is not None else "", capture_output=True, text=True,
                              env={**self.env, **(env or {})}, timeout=limit)
        outcome = Outcome(done.returncode, done.stdout, done.stderr, time.monotonic() - begin)
        self.assertNotIn(CANARY, done.stdout + done.stderr)
        self.assertEqual(done.returncode, expect, outcome)
        return outcome

    def key_set(self, *args, key=CANARY, **more):
        return self.run_llm("key", "set", "corp", *args, stdin=key + "\n", **more)

    def ask(self, *args, **more):
        return self.run_llm("ask", *args, "capital of France?", **more)

    def names_the_ways_out(self, outcome):
        for way in ["LLM_API_KEY", "key_command", "--store file", "llm key set corp"]:
            self.assertIn(way, outcome.err)

    def service(self):
        return f"llm:{self.gateway.url}"

    def in_session(self, *command, stdin=None):
        subprocess.run(command, input=stdin, env=self.env, check=True, capture_output=True)

    def lock(self):
        self.in_session("dbus-send", "--session", "--print-reply", "--dest=org.freedesktop.secrets",
                        "/org/freedesktop/secrets", "org.freedesktop.Secret.Service.Lock",
                        "array:objpath:/org/freedesktop/secrets/collection/login")

    def freeze(self):
        os.kill(self.keyring_pid, signal.SIGSTOP)


class Life(KeyringCase):
    def test_a_key_is_saved_shown_used_and_removed(self):
        self.session()
        saved = self.key_set()
        self.assertIn(f"keyring (service {self.service()}, username default)", saved.err)
        self.assertEqual(saved.out, "")
        shown = json.loads(self.run_llm("key", "show", "-o", "json").out)
        self.assertEqual(shown["source"], {"kind": "keyring", "service": self.service(), "username": "default"})
        self.assertEqual(shown["last_four"], CANARY[-4:])
        listed = json.loads(self.run_llm("key", "list", "-o", "json").out)
        self.assertEqual([(row["gateway"], row["name"], row["store"]) for row in listed], [("corp", "default", "keyring")])
        self.assertIn(f"takes the key …{CANARY[-4:]}", self.run_llm("key", "test").out)
        self.assertIn("paris", self.ask().out)
        self.assertEqual(self.gateway.keys, [f"Bearer {CANARY}"] * 2)
        self.assertIn("removed", self.run_llm("key", "rm", "corp").err)
        self.assertEqual(json.loads(self.run_llm("key", "list", "-o", "json").out), [])
        missing = self.ask(expect=4)
        self.assertIn("no key for corp", missing.err)
        self.names_the_ways_out(missing)
        self.assertEqual(len(self.gateway.keys), 2)

    def test_named_keys_live_beside_each_other(self):
        self.session()
        for name in ["team-a", "team-b"]:
            self.key_set("--name", name, key=f"sk-{name}-0123456789")
        self.ask("--key", "team-b")
        self.ask("--key", "team-a", env={"LLM_API_KEY": "sk-other-0123456789"})
        self.assertEqual(self.gateway.keys, ["Bearer sk-team-b-0123456789", "Bearer sk-team-a-0123456789"])
        self.run_llm("key", "rm", "corp", "--name", "team-a")
        self.ask("--key", "team-a", expect=4)
        self.ask("--key", "team-b")

    def test_a_key_goes_to_no_other_address(self):
        self.session()
        self.key_set()
        other = Gateway()
        self.addCleanup(other.server_close)
        self.addCleanup(other.shutdown)
        self.config(f'default_gateway = "corp"\nmodel = "m"\n[gateway.corp]\nbase_url = "{other.url}/v1"\nauth = "required"')
        self.ask(expect=4)
        self.ask(env={"LLM_BASE_URL": f"{other.url}/v1"})
        self.assertEqual(other.keys, [None])

    def test_k12_a_pasted_key_is_cleaned(self):
        self.session()
        said = self.key_set(key=f'\ufeff "Bearer {CANARY}" \r\n').err
        self.assertIn("dropped white space, a byte order mark, quotes and `Bearer`", said)
        self.ask()
        self.assertEqual(self.gateway.keys, [f"Bearer {CANARY}"])

    def test_k13_what_cannot_be_a_key_is_refused(self):
        self.session()
        for text in ["", " \n", f"{CANARY}\n{CANARY}", f"{CANARY}\x1b[31m", f"{CANARY} x", "k" * 1_000_000]:
            self.run_llm("key", "set", "corp", stdin=text, expect=2)
        self.run_llm("key", "show", "corp", expect=4)

    def test_k16_thirty_two_at_once(self):
        self.session()
        self.key_set()
        with ThreadPoolExecutor(32) as pool:
            list(pool.map(lambda _: self.ask(), range(32)))
        self.assertEqual(self.gateway.keys, [f"Bearer {CANARY}"] * 32)

    def test_k19_rm_twice(self):
        self.session()
        self.assertIn("no key was saved", self.run_llm("key", "rm", "corp").err)
        self.key_set()
        self.assertIn("removed", self.run_llm("key", "rm", "corp").err)
        self.assertIn("no key was saved", self.run_llm("key", "rm", "corp").err)

    def test_s01_a_key_in_the_place_of_a_gateway(self):
        self.assertIn("looks like a key", self.run_llm("key", "set", CANARY, expect=2).err)

    def test_s02_and_s18_key_command(self):
        self.session()
        self.env["LLM_API_KEY"] = CANARY
        script = 'echo "${LLM_API_KEY-no}-${OPENAI_API_KEY-no}-0123456789"'
        self.add_to_config(f"""
            [gateway.vault]
            base_url = "{self.gateway.url}/v1"
            key_command = ["sh", "-c", '{script}']
            [gateway.sealed]
            base_url = "{self.gateway.url}/v1"
            key_command = ["sh", "-c", "echo vault is sealed: {CANARY} >&2; exit 1"]
        """)
        self.addCleanup(shutil.rmtree, self.home / ".config")
        self.ask("-g", "vault", env={"OPENAI_API_KEY": CANARY})
        self.assertEqual(self.gateway.keys, ["Bearer no-no-0123456789"])
        failed = self.ask("-g", "sealed", expect=4)
        self.assertIn("vault is sealed:", failed.err)


class Broken(KeyringCase):
    def test_k01_no_bus(self):
        empty = self.dir / "empty"
        empty.mkdir()
        env = {"XDG_RUNTIME_DIR": str(empty)}
        for command in [self.ask, self.key_set, lambda **more: self.run_llm("key", "show", "corp", **more)]:
            outcome = command(env=env, expect=4)
            self.assertIn("no D-Bus session", outcome.err)
            self.names_the_ways_out(outcome)
            self.assertLess(outcome.seconds, slack())
        for address in ["unix:path=/nonexistent/bus", "disabled:", "nonsense"]:
            outcome = self.ask(env={"DBUS_SESSION_BUS_ADDRESS": address}, expect=4)
            self.names_the_ways_out(outcome)

    def test_k02_a_bus_that_never_answers(self):
        hole = BlackHole(self.dir)
        self.addCleanup(hole.close)
        self.env["DBUS_SESSION_BUS_ADDRESS"] = f"unix:path={hole.path}"
        self.add_to_config("", 'keyring_timeout = "1s"')
        outcome = self.ask(expect=4)
        self.assertIn("did not answer within 1 s", outcome.err)
        self.assertIn("keyring_timeout", outcome.err)
        self.assertGreater(outcome.seconds, 0.9)
        self.assertLess(outcome.seconds, 1 + slack())
        self.assertTrue(hole.taken)

    def test_k03_and_k08_a_frozen_daemon_holds_nothing_up(self):
        self.session()
        self.key_set()
        self.add_to_config("", 'keyring_timeout = "1s"')
        self.freeze()
        for command in [self.ask, self.key_set, lambda **more: self.run_llm("key", "rm", "corp", **more)]:
            outcome = command(expect=4)
            self.assertIn("did not answer within 1 s", outcome.err)
            self.assertLess(outcome.seconds, 1 + slack())
        os.kill(self.keyring_pid, signal.SIGCONT)
        self.ask()

    def test_k05_a_locked_keyring(self):
        self.session()
        self.key_set()
        self.lock()
        for command in [self.ask, self.key_set]:
            outcome = command(expect=4)
            self.assertIn("locked", outcome.err)
            self.names_the_ways_out(outcome)
            self.assertLess(outcome.seconds, 2)

    def test_k06_no_default_collection(self):
        self.session("no-default")
        self.assertIn("no unlocked default collection", self.ask(expect=4).err)
        self.assertIn("no default collection", self.key_set(expect=4).err)

    def test_k07_no_secrets_service(self):
        self.session("no-service")
        outcome = self.ask(expect=4)
        self.assertIn("org.freedesktop.secrets", outcome.err)
        self.names_the_ways_out(outcome)
        self.assertLess(outcome.seconds, slack())

    def test_k10_two_keys_match(self):
        self.session()
        for n in ["1", "2"]:
            self.in_session("secret-tool", "store", "--label=x", "service", self.service(), "username", "default", "n", n,
                            stdin=CANARY.encode())
        for command in [self.ask, self.key_set, lambda **more: self.run_llm("key", "rm", "corp", **more)]:
            outcome = command(expect=4)
            self.assertIn("more than one key", outcome.err)
            self.assertEqual(len(set(re.findall(r"/org/freedesktop/secrets/collection/\w+/\d+", outcome.err))), 2)
        self.assertEqual(self.gateway.keys, [])

    def test_k11_what_is_kept_is_not_text(self):
        self.session()
        self.in_session("secret-tool", "store", "--label=x", "service", self.service(), "username", "default",
                        stdin=CANARY.encode() + b"\xff")
        outcome = self.ask(expect=4)
        self.assertIn("not a key", outcome.err)
        self.assertNotIn(CANARY[3:9], outcome.err)

    def test_k17_what_needs_no_keyring_connects_to_none(self):
        hole = BlackHole(self.dir)
        self.addCleanup(hole.close)
        self.env["DBUS_SESSION_BUS_ADDRESS"] = f"unix:path={hole.path}"
        self.run_llm("--help")
        self.run_llm("key", "list")
        self.ask(env={"LLM_API_KEY": CANARY})
        self.run_llm("key", "show", env={"LLM_API_KEY": CANARY})
        self.assertEqual(self.gateway.keys, [f"Bearer {CANARY}"])
        self.assertEqual(hole.taken, [])

    def test_k20_a_file_only_when_asked_for(self):
        self.key_set(expect=4)
        self.assertEqual(list((self.home / ".local").rglob("*")), [])
        self.key_file_holds_keys = True
        self.assertIn("unencrypted", self.key_set("--store", "file").err)
        path = self.home / ".local/share/llm/keys.toml"
        self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)
        self.assertEqual(stat.S_IMODE(path.parent.stat().st_mode), 0o700)
        self.assertIn(str(path), self.run_llm("key", "show", "corp").out)
        self.ask()
        self.assertEqual(self.gateway.keys, [f"Bearer {CANARY}"])
        path.chmod(0o644)
        self.assertIn("chmod 600", self.ask(expect=4).err)
        path.chmod(0o600)
        self.run_llm("key", "rm", "corp")
        self.assertNotIn(CANARY, path.read_text())
        self.ask(expect=4)

    @unittest.skipUnless(os.getuid() == 0, "only root can be somebody else")
    def test_k21_and_k22_another_user_or_none_at_all(self):
        self.session()
        self.dir.chmod(0o755)
        binary = self.dir / "llm"
        shutil.copy(LLM, binary)
        for uid in [65534, 12345]:
            home = self.dir / f"home-{uid}"
            shutil.copytree(self.home, home)
            for path in [home, *home.rglob("*")]:
                os.chown(path, uid, uid)
            done = subprocess.run([str(binary), "ask", "hi"], env={**self.env, "HOME": str(home)}, stdin=subprocess.DEVNULL,
                                  capture_output=True, text=True, timeout=30, user=uid, group=uid, extra_groups=[])
            self.assertEqual(done.returncode, 4, done)
            self.assertIn("no D-Bus session", done.stderr)


class AtATerminal(KeyringCase):
    """`llm` with a terminal of its own."""

    def start(self, *args):
        self.terminal, self.other_end = os.openpty()
        self.screen = ""
        self.pid = os.fork()
        if self.pid == 0:
            os.login_tty(self.other_end)
            os.execve(LLM, [LLM, *args], self.env)

        def end(pid, *ends):
            with contextlib.suppress(ProcessLookupError, ChildProcessError):
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
            for descriptor in ends:
                os.close(descriptor)

        self.addCleanup(end, self.pid, self.terminal, self.other_end)

    def read(self, until=None, seconds=20):
        """Reads the screen until a text is on it; without one, what there is."""
        limit = time.monotonic() + seconds
        while until is None or until not in self.screen:
            if not select.select([self.terminal], [], [], 0.2 if until is None else max(0, limit - time.monotonic()))[0]:
                break
            with contextlib.suppress(OSError):
                self.screen += os.read(self.terminal, 65536).decode()
        self.assertNotIn(CANARY, self.screen)
        if until is not None:
            self.assertIn(until, self.screen)

    def type(self, text):
        os.write(self.terminal, text.encode())

    def echoes(self):
        return bool(termios.tcgetattr(self.other_end)[3] & termios.ECHO)

    def wait(self, seconds=10):
        limit = time.monotonic() + seconds
        while time.monotonic() < limit:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                return status
            time.sleep(0.01)
        self.fail(f"still running: {self.screen}")

    def wait_for_no_echo(self):
        limit = time.monotonic() + 10
        while self.echoes():
            self.assertLess(time.monotonic(), limit, "the terminal still echoes")
            time.sleep(0.01)

    def test_s20_the_key_is_typed_without_echo(self):
        self.session()
        self.start("key", "set", "corp")
        self.read("not shown")
        self.wait_for_no_echo()
        self.type(CANARY + "\r")
        self.read("saved the key")
        self.assertEqual(os.waitstatus_to_exitcode(self.wait()), 0)
        self.assertTrue(self.echoes())
        self.ask()
        self.assertEqual(self.gateway.keys, [f"Bearer {CANARY}"])

    def test_s20_ctrl_c_gives_the_echo_back(self):
        self.session()
        self.start("key", "set", "corp")
        self.read("not shown")
        self.wait_for_no_echo()
        self.type(CANARY[:8] + "\x03")
        self.assertEqual(os.waitstatus_to_exitcode(self.wait()), -signal.SIGINT)
        self.assertTrue(self.echoes())
        self.run_llm("key", "show", "corp", expect=4)

    def test_s20_a_signal_gives_the_echo_back(self):
        self.session()
        for number in [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]:
            self.start("key", "set", "corp")
            self.read("not shown")
            self.wait_for_no_echo()
            os.kill(self.pid, number)
            self.assertEqual(os.waitstatus_to_exitcode(self.wait()), -number)
            self.assertTrue(self.echoes())

    def test_k04_waiting_is_said_and_ctrl_c_ends_it_at_once(self):
        self.session()
        self.key_set()
        self.freeze()
        begin = time.monotonic()
        self.start("ask", "hi")
        self.read("waiting for your keyring")
        self.assertGreater(time.monotonic() - begin, 0.9)
        begin = time.monotonic()
        self.type("\x03")
        self.assertEqual(os.waitstatus_to_exitcode(self.wait()), -signal.SIGINT)
        self.assertLess(time.monotonic() - begin, slack())
        self.assertEqual(self.gateway.keys, [])


if __name__ == "__main__":
    if not os.access(LLM, os.X_OK):
        sys.exit(f"{LLM} is not there: build it, or set LLM_BIN")
    unittest.main(verbosity=2)
