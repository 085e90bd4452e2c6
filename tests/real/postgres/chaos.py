"""Servers that share one PostgreSQL, while they are killed, updated and lose their store, and one that is crowded.

    chaos.py LLM_BINARY [Chaos.test_…]

$SECONDS is how long servers are killed, once a second; 20 if it is not set.
"""

import http.client
import http.server
import json
import os
import random
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from pathlib import Path

from server import PASSWORD, Postgres

LLM = None
SECONDS = int(os.environ.get("SECONDS_OF_CHAOS", 20))
PATIENCE = 120  # seconds, for what takes milliseconds
CLIENTS = 64
KEY = "sk-CANARY-0f7d3c5b9a1e"
# 10 tokens of an answer cost 10,000,000 picodollars each.
COST = 100_000_000
LIMIT = 0.01  # dollars: 100 answers
CONFIG = """
default_gateway = "up"
[gateway.up]
base_url = "{url}"
models = ["m"]
[price."*"]
input = 0
output = 10
"""


class Upstream(http.server.ThreadingHTTPServer):
    """A gateway that answers at once."""

    daemon_threads = True
    request_queue_size = 1024

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server_port}/v1"

    def handle_error(self, *_):
        pass  # servers that are killed leave


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        usage = {"prompt_tokens": 5, "completion_tokens": 10, "total_tokens": 15}
        if asked.get("stream"):
            chunks = [{"choices": [{"index": 0, "delta": {"role": "assistant", "content": "yes"}, "finish_reason": None}]},
                      {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}, {"choices": [], "usage": usage}]
            head = {"id": "1", "object": "chat.completion.chunk", "model": "m"}
            body = "".join(f"data: {json.dumps(head | chunk)}\n\n" for chunk in chunks) + "data: [DONE]\n\n"
            kind = "text/event-stream"
        else:
            body = json.dumps({"id": "1", "object": "chat.completion", "model": "m", "usage": usage, "choices": [
                {"index": 0, "message": {"role": "assistant", "content": "yes"}, "finish_reason": "stop"}]})
            kind = "application/json"
        body = body.encode()
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server:
    """`llm serve`, with a data directory of its own."""

    def __init__(self, home, name, url, store, port=0):
        self.dir = Path(home, name)
        self.dir.mkdir(exist_ok=True)
        config = self.dir / "llm.toml"
        config.write_text(CONFIG.format(url=url))
        self.environment = {"PATH": os.environ["PATH"], "HOME": str(self.dir), "LLM_CONFIG": str(config), "LLM_API_KEY": KEY,
                            "LLM_DATA_DIR": str(self.dir / "data"), "LLM_STORE_URL": store}
        self.port = port
        self.errors = open(self.dir / "stderr", "ab")
        self.start()

    def start(self):
        self.process = subprocess.Popen([LLM, "serve", "--listen", f"127.0.0.1:{self.port}"], env=self.environment, text=True,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.errors)
        first = self.process.stdout.readline()
        assert first.startswith("http://"), (first, (self.dir / "stderr").read_text())
        self.port = int(first.strip().rsplit(":", 1)[1])

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(PATIENCE) == 0
        self.process.stdout.close()

    def llm(self, *arguments):
        done = subprocess.run([LLM, *arguments], env=self.environment, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert PASSWORD not in done.stdout + done.stderr
        return done.stdout


def ask(port, key, prompt, stream=False, connection=None):
    """The status, the id of the call and the body of a whole answer. Raises where there is none."""
    own = connection or http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    body = {"model": "m", "messages": [{"role": "user", "content": prompt}], "max_tokens": 10, "stream": stream}
    try:
        own.request("POST", "/v1/chat/completions", json.dumps(body), {"authorization": f"Bearer {key}"})
        answer = own.getresponse()
        text = answer.read().decode()
        return answer.status, answer.headers.get("x-llm-call-id"), text
    finally:
        if connection is None:
            own.close()


class Load:
    """Clients that ask until they are stopped, each for its own key."""

    def __init__(self, ports, keys, clients=CLIENTS):
        self.ports, self.stopped = ports, threading.Event()
        self.lock, self.answered, self.refused, self.lost, self.odd = threading.Lock(), {}, 0, 0, []
        self.threads = [threading.Thread(target=self.run, args=(n, keys[n % len(keys)])) for n in range(clients)]
        for thread in self.threads:
            thread.start()

    def run(self, client, key):
        count = 0
        while not self.stopped.is_set():
            count += 1
            prompt = f"client {client} request {count} end"
            try:
                status, call, text = ask(random.choice(self.ports()), key, prompt, stream=count % 2 == 0)
            except (OSError, http.client.HTTPException):
                with self.lock:
                    self.lost += 1
                time.sleep(0.02)
                continue
            with self.lock:
                if status == 200 and (count % 2 or text.endswith("data: [DONE]\n\n")):
                    self.answered[call] = prompt
                elif status in (402, 429) or "budget" in text:
                    self.refused += 1
                else:
                    self.odd.append((status, text))
            if status != 200:
                time.sleep(0.05)

    def stop(self):
        self.stopped.set()
        for thread in self.threads:
            thread.join()


def until(what, condition):
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, f"{what} does not come"
        time.sleep(0.05)


class Chaos(unittest.TestCase):
    def setUp(self):
        self.postgres = self.enterContext(Postgres())
        self.postgres.query("CREATE DATABASE llm")
        self.home = self.enterContext(tempfile.TemporaryDirectory())
        self.upstream = Upstream()
        self.addCleanup(self.upstream.server_close)
        self.addCleanup(self.upstream.shutdown)

    def server(self, name, port=0):
        server = Server(self.home, name, self.upstream.url, f"{self.postgres.url}/llm", port)
        self.addCleanup(lambda: server.process.poll() is None and server.kill())
        self.addCleanup(server.errors.close)
        return server

    def rows(self, sql):
        return self.postgres.query(sql, "llm")

    def check(self, load, keys):
        """Every answer is in the ledger, once, and no budget has spent more than it may."""
        missing = set()

        def is_complete():
            nonlocal missing
            missing = set(load.answered) - set(self.rows("SELECT uuid FROM llm.calls"))
            return not missing

        try:
            until("a record of every answer", is_complete)
        except AssertionError:
            self.fail(f"{len(missing)} of {len(load.answered)} answers are missing")
        asked = [prompt for prompt in self.rows(
            "SELECT substring(request FROM 'client [0-9]+ request [0-9]+ end') FROM llm.calls WHERE status = 'ok'") if prompt]
        self.assertEqual(len(asked), len(set(asked)), "a call is there twice")
        unpriced = self.rows("SELECT count(*) FROM llm.calls WHERE status = 'ok' AND cost IS NULL")
        self.assertEqual(unpriced, ["0"], "an answer has no cost")
        spent = int(self.rows("SELECT coalesce(sum(picos), 0) FROM llm.budget_windows")[0])
        held = int(self.rows("SELECT coalesce(sum(picos), 0) FROM llm.budget_reservations")[0])
        self.assertLessEqual(spent + held, LIMIT * 10**12)
        paid = int(self.rows("SELECT coalesce(sum(cost), 0) FROM llm.calls WHERE key = 'capped'")[0])
        self.assertLessEqual(paid, LIMIT * 10**12)
        return spent, held, paid

    def keys(self, server):
        capped = server.llm("serve", "key", "new", "capped", "--budget", f"{LIMIT}/month").strip()
        shown = json.loads(server.llm("serve", "key", "show", "capped", "-o", "json"))
        self.assertEqual(len(shown["budgets"]), 1, shown)
        free = server.llm("serve", "key", "new", "free", "--rpm", "1000000", "--in-flight", "64").strip()
        for name, key in (("capped", capped), ("free", free)):
            until(f"the key {name}", lambda: ask(server.port, key, "is it known?")[0] in (200, 402, 429))
        return capped, free

    def test_what_is_purged_is_nowhere(self):
        server = self.server("s")
        server.end()
        server.llm("ask", "-m", "m", "SECRET in both")
        until("the call", lambda: self.rows("SELECT count(*) FROM llm.calls") == ["1"])
        data = str(server.dir / "data")
        # A call that waits for the database, as a process leaves it that was killed.
        row = self.rows("SELECT record FROM llm.calls")[0]
        waiting = os.path.join(data, "shared-calls-killed.jsonl")
        with open(waiting, "w") as file:
            file.write(row.replace('"id":"', '"id":"0', 1) + "\n")
        server.llm("log", "purge", "--all")
        self.assertEqual(self.rows("SELECT count(*) FROM llm.calls"), ["0"])
        self.assertFalse(os.path.exists(waiting))
        for name in os.listdir(data):
            with open(os.path.join(data, name), "rb") as file:
                self.assertNotIn(b"SECRET", file.read(), name)

    def test_servers_that_are_killed_lose_and_overspend_nothing(self):
        servers = [self.server(f"s{n}") for n in range(4)]
        keys = self.keys(servers[0])
        until("the keys", lambda: all(ask(s.port, key, "hi")[0] in (200, 402, 429) for s in servers for key in keys))
        load = Load(lambda: [server.port for server in servers], keys)
        kills, end = 0, time.monotonic() + SECONDS
        # Until the budget is spent as well, on however slow a machine.
        while time.monotonic() < end or (not load.refused and time.monotonic() < end + PATIENCE):
            time.sleep(1)
            server = random.choice(servers)
            server.kill()
            server.start()
            kills += 1
        load.stop()
        for server in servers:
            server.end()
        # What the last one that was killed left is taken in by the next server in its directory.
        servers = [self.server(f"s{n}") for n in range(4)]
        spent, held, paid = self.check(load, keys)
        self.assertEqual(load.odd, [])
        self.assertGreater(load.refused, 0, "the budget was never spent")
        # Reports work on the store.
        by_key = {group["key"]["key"]: group for group in json.loads(servers[0].llm("usage", "--by", "key", "-o", "json"))["groups"]}
        self.assertGreater(by_key["capped"]["calls"], 0)
        call = random.choice(list(load.answered))
        self.assertIn(load.answered[call], servers[1].llm("log", "show", call))
        print(f"{kills} kills: {len(load.answered)} answers, all recorded once; {load.refused} refused; {load.lost} lost with "
              f"their server; {spent / 1e12:.4f} $ of {LIMIT} $ spent, {held / 1e12:.4f} $ held, {paid / 1e12:.4f} $ in the ledger")
        for server in servers:
            server.end()

    def test_a_store_that_is_lost_for_a_while_loses_nothing(self):
        servers = [self.server(f"s{n}") for n in range(2)]
        capped, free = self.keys(servers[0])
        until("the keys", lambda: all(ask(s.port, key, "hi")[0] in (200, 402, 429) for s in servers for key in (capped, free)))
        load = Load(lambda: [server.port for server in servers], [capped, free], 16)
        time.sleep(2)
        self.postgres.stop("immediate")
        until("a server that is not ready", lambda: self.ready(servers[0]) == 503)
        before = len(load.answered)
        until("answers without the store", lambda: len(load.answered) > before + 50)
        status, _, text = ask(servers[0].port, capped, "under a budget")
        self.assertNotEqual(status, 200, "requests under a budget are refused")
        self.assertNotIn(PASSWORD, text)
        without = len(load.answered) - before
        self.postgres.start()
        until("a server that is ready", lambda: self.ready(servers[0]) == 200)
        time.sleep(2)
        load.stop()
        self.check(load, (capped, free))
        for server in servers:
            server.end()
        said = (servers[0].dir / "stderr").read_text()
        self.assertIn("calls wait in", said)
        self.assertIn("calls are recorded again", said)
        self.assertNotIn(PASSWORD, said)
        print(f"{len(load.answered)} answers, {without} of them without the store; {load.refused} refused")

    def test_a_store_that_hangs_holds_up_no_end_and_loses_no_call(self):
        busy, idle = self.server("busy"), self.server("idle")
        _, free = self.keys(busy)
        go_on, took = self.postgres.hang(), []
        try:
            status, call, _ = ask(busy.port, free, "while it hangs")
            self.assertEqual(status, 200)
            for server in (busy, idle):
                began = time.monotonic()
                server.end()
                took.append(time.monotonic() - began)
        finally:
            go_on()
        # The next server of the directory takes the call in.
        self.server("busy")
        until("the call", lambda: self.rows(f"SELECT uuid FROM llm.calls WHERE uuid = '{call}'") == [call])
        print(f"the database hangs: ended after {took[0]:.1f} s with a call that waits for it, after {took[1]:.1f} s without")

    def ready(self, server):
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
        connection.request("GET", "/health/ready")
        status = connection.getresponse().status
        connection.close()
        return status

    def command(self, name, *arguments, limit=None):
        """Runs a command as on a machine of its own, which shares the store."""
        home = Path(self.home, name)
        home.mkdir(exist_ok=True)
        budget = f"[[budget]]\nlimit = {limit}\nper = \"month\"\n" if limit else ""
        (home / "llm.toml").write_text(CONFIG.format(url=self.upstream.url) + budget)
        environment = {"PATH": os.environ["PATH"], "HOME": str(home), "LLM_CONFIG": str(home / "llm.toml"), "LLM_API_KEY": KEY,
                       "LLM_DATA_DIR": str(home / "data"), "LLM_STORE_URL": f"{self.postgres.url}/llm"}
        done = subprocess.run([LLM, *arguments], env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=PATIENCE)
        self.assertNotIn(PASSWORD, done.stdout + done.stderr)
        return done

    def test_commands_on_several_machines_share_a_budget_and_the_ledger(self):
        # Three answers fit; what they cost is known before the next machine asks.
        limit = 3 * COST / 10**12
        codes = [self.command(f"m{n % 2}", "ask", "-m", "m", "--max-tokens", "10", f"question {n}", limit=f"{limit:.7f}")
                 for n in range(5)]
        self.assertEqual([done.returncode for done in codes], [0, 0, 0, 5, 5], codes[-1].stderr)
        self.assertIn("budget", codes[-1].stderr)
        self.assertEqual(self.rows("SELECT count(*) FROM llm.calls WHERE status = 'ok'"), ["3"])
        self.assertEqual(self.rows("SELECT sum(picos) FROM llm.budget_windows"), [str(3 * COST)])
        self.assertEqual(self.rows("SELECT count(*) FROM llm.budget_reservations"), ["0"])
        listed = json.loads(self.command("m1", "log", "-o", "json").stdout)
        self.assertEqual(len([call for call in listed if call["status"] == "ok"]), 3, "each machine sees the calls of all")
        for arguments in (["compare", "-m", "m,m", "together"], ["ask", "-m", "m", "first"], ["ask", "-c", "and then?"]):
            done = self.command("m2", *arguments)
            self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.rows("SELECT count(*) FROM llm.calls WHERE status = 'ok'"), ["7"])
        # Without the store, what is under no budget is answered, and recorded as soon as the store is there again.
        self.postgres.stop("immediate")
        refused = self.command("m0", "ask", "-m", "m", "--max-tokens", "10", "refused", limit=1)
        self.assertNotEqual(refused.returncode, 0, "a budget that cannot be known is not spent")
        alone = self.command("m2", "ask", "-m", "m", "alone")
        self.assertEqual((alone.returncode, alone.stdout), (0, "yes\n"), alone.stderr)
        self.assertIn("calls wait in", alone.stderr)
        self.postgres.start()
        self.assertEqual(self.command("m2", "ask", "-m", "m", "again").returncode, 0)
        asked = self.rows("SELECT request FROM llm.calls WHERE request LIKE '%alone%' OR request LIKE '%again%'")
        self.assertEqual(len(asked), 2, asked)

    def test_an_update_drops_no_request(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        old, updates = self.server("s0", port), 5
        _, free = self.keys(old)
        load = Load(lambda: [port], [free], 16)
        for n in range(1, updates + 1):
            new = self.server(f"s{n}", port)
            until("the new server", lambda: self.ready(new) == 200)
            time.sleep(0.3)
            old.end()
            old = new
        load.stop()
        self.assertEqual(load.odd, [])
        self.assertEqual(load.lost, 0)
        self.check(load, (free,))
        old.end()
        print(f"{updates} updates: {len(load.answered)} answers, none lost")

    def test_thousands_of_idle_connections_take_little_memory(self):
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        wanted = min(10_000, hard - 1_000)
        server = self.server("s0")
        _, free = self.keys(server)

        def memory():
            status = Path(f"/proc/{server.process.pid}/status").read_text()
            return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) / 1024

        before = memory()
        idle = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(wanted // 2)]
        for number in range(wanted - wanted // 2):
            # Half of a head.
            half = socket.create_connection(("127.0.0.1", server.port))
            half.sendall(b"POST /v1/messages HTTP/1.1\r\nhost: localhost\r\nx-slow: ")
            idle.append(half)
        self.assertEqual(ask(server.port, free, "is anybody there?")[0], 200)
        after = memory()
        self.assertLess(after - before, wanted * 0.02, "20 KiB for a connection")
        print(f"{wanted} idle connections: {before:.0f} MiB before, {after:.0f} MiB with them; others are answered")
        for connection in idle:
            connection.close()
        server.end()


if __name__ == "__main__":
    LLM = os.path.abspath(sys.argv.pop(1))
    unittest.main(verbosity=2)
