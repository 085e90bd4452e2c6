"""What the clients of these tests talk to: the demo gateway, a recorder before it, and `llm serve` before that."""

import asyncio
import base64
import concurrent.futures
import contextlib
import dataclasses
import http.client
import http.server
import io
import json
import os
import struct
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.parse
import zlib

PATIENCE = 120  # seconds, for what takes milliseconds

PROMPT = "Summarize: the cat sat on the mat. It purred."
SHORT = "The cat sat on the mat."
THOUGHT = "What comes first usually matters most."
CALL = "Ask get_weather, please."
ARGUMENTS = {"city": "city", "days": 1}
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
    "required": ["city", "days"],
    "additionalProperties": False,
}
# `demo/quick` says it back and takes longer than `PATIENCE` for that.
LONG = "word " * 20_000


def png():
    """The bytes of an image of one pixel."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    pixel = zlib.compress(b"\0\xff\0\0")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixel) + chunk(b"IEND", b"")


IMAGE = base64.b64encode(png()).decode()
STANDARD = str.maketrans("-_", "+/")
IMAGE_URL = f"data:image/png;base64,{IMAGE}"


def images(api, body):
    """The images in a request of this wire format, as data URLs."""
    if api == "gemini":
        # As bytes in JSON in general: the names have two spellings, and so has base64.
        parts = [part.get("inlineData") or part.get("inline_data") for turn in body["contents"] for part in turn["parts"]]
        return [f"data:{part.get('mimeType') or part['mime_type']};base64,{part['data'].translate(STANDARD)}"
                for part in parts if part]
    turns = body["input"] if api == "openai-responses" else body["messages"]
    parts = [part for turn in turns if isinstance(turn.get("content"), list) for part in turn["content"]]
    if api == "openai-chat":
        return [part["image_url"]["url"] for part in parts if part["type"] == "image_url"]
    if api == "openai-responses":
        return [part["image_url"] for part in parts if part["type"] == "input_image"]
    sources = [part["source"] for part in parts if part["type"] == "image"]
    return [f"data:{source['media_type']};base64,{source['data']}" for source in sources]


class Demo:
    """`llm demo-gateway`, for as long as the context lasts; the context is its root URL."""

    def __init__(self, llm):
        self.llm = llm

    def __enter__(self):
        self.home = tempfile.TemporaryDirectory()
        environment = {"PATH": os.environ["PATH"], "HOME": self.home.name}
        self.process = subprocess.Popen([self.llm, "demo-gateway"], env=environment, text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        return self.process.stdout.readline().strip().removesuffix("/v1")

    def __exit__(self, *_):
        self.process.stdin.close()
        code = self.process.wait(PATIENCE)
        self.process.stdout.close()
        self.home.cleanup()
        assert code == 0, f"the demo gateway ended with {code}"


class Recorder(http.server.ThreadingHTTPServer):
    """Passes everything on to a gateway and keeps what was asked; the context is itself."""

    daemon_threads = True

    def __init__(self, upstream):
        super().__init__(("127.0.0.1", 0), Passing)
        self.upstream = urllib.parse.urlsplit(upstream).netloc
        self.root = f"http://127.0.0.1:{self.server_port}"
        self.last = None  # the body of the last request
        self.left = threading.Event()  # somebody left in the middle of an answer

    def __enter__(self):
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()

    def handle_error(self, *_):
        pass  # who has an answer may end the connection as it likes


class Passing(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    OF_THIS_CONNECTION = {"host", "content-length", "connection", "transfer-encoding", "accept-encoding"}

    def pass_on(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        if body:
            self.server.last = json.loads(body)
        headers = {name: value for name, value in self.headers.items() if name.lower() not in self.OF_THIS_CONNECTION}
        connection = http.client.HTTPConnection(self.server.upstream)
        try:
            connection.request(self.command, self.path, body, headers)
            answer = connection.getresponse()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in self.OF_THIS_CONNECTION:
                    self.send_header(name, value)
            self.send_header("transfer-encoding", "chunked")
            self.end_headers()
            while piece := answer.read1(65536):
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            self.wfile.write(b"0\r\n\r\n")
        except ConnectionError:
            self.server.left.set()
            self.close_connection = True
        finally:
            connection.close()

    do_GET = do_POST = pass_on

    def log_message(self, *_):
        pass


class Serve:
    """`llm serve` with this config, for as long as the context lasts; the context is itself, with its `root` URL, a `key`, and a
    `limited_key` with one request a minute."""

    def __init__(self, llm, config, **environment):
        self.llm, self.config, self.environment = llm, config, environment
        self.seen = set()  # the calls that `interrupted` has returned

    @classmethod
    def before_demo(cls, llm, root, api):
        """A server that asks the demo gateway at this root over this wire format."""
        names = "quick", "steady", "thinker", "flaky", "down"
        models = ", ".join(f'"demo/{name}"' for name in names)
        return cls(llm, f'default_gateway = "up"\n[gateway.up]\nbase_url = "{root}/v1"\nauth = "none"\n'
                        f'api = "{api}"\nmodels = [{models}]\n')

    def __enter__(self):
        self.home = tempfile.TemporaryDirectory()
        config = os.path.join(self.home.name, "llm.toml")
        with open(config, "w") as file:
            file.write(self.config)
        self.environment = {"PATH": os.environ["PATH"], "HOME": self.home.name, "LLM_CONFIG": config,
                            "LLM_DATA_DIR": os.path.join(self.home.name, "data"), **self.environment}
        self.key = self.new_key("app")
        self.limited_key = self.new_key("limited", "--rpm", "1")
        self.process = subprocess.Popen([self.llm, "serve", "--quiet", "--listen", "127.0.0.1:0", "--drain", "5s"],
                                        env=self.environment, text=True, stdout=subprocess.PIPE)
        self.root = self.process.stdout.readline().strip()
        return self

    def __exit__(self, *_):
        self.process.terminate()
        code = self.process.wait(PATIENCE)
        self.process.stdout.close()
        self.home.cleanup()
        assert code == 0, f"the server ended with {code}"

    def run(self, *arguments):
        """What `llm` prints with the same config and data."""
        return subprocess.run([self.llm, *arguments], env=self.environment, stdin=subprocess.DEVNULL, text=True,
                              stdout=subprocess.PIPE, check=True, timeout=PATIENCE).stdout

    def new_key(self, name, *rules):
        return self.run("--quiet", "serve", "key", "new", name, *rules).strip()

    def calls(self, *filters):
        """The calls in the ledger, the newest first."""
        return json.loads(self.run("--quiet", "log", "--output", "json", "--limit", "0", *filters))

    def interrupted(self):
        """The one call that was left by its client since this was asked last, once it is in the ledger."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            new = [call for call in self.calls("--status", "interrupted") if call["id"] not in self.seen]
            if new:
                self.seen.update(call["id"] for call in new)
                assert len(new) == 1, f"more than one call was left: {new}"
                return new[0]
        raise AssertionError("the call that its client has left is not in the ledger")


@dataclasses.dataclass
class World:
    """Where the clients of a test send their requests, and what is behind it."""

    api: str | None  # the wire format between `llm serve` and the demo gateway; None where clients ask the demo gateway
    root: str
    key: str
    serve: Serve | None
    recorder: Recorder
    # One for all tests: LangChain keeps connections for the next request to the same address, and they belong to their loop.
    loop: asyncio.Runner


@contextlib.contextmanager
def world(llm, api):
    with Demo(llm) as demo, Recorder(demo) as recorder, asyncio.Runner() as loop:
        if api is None:
            yield World(None, recorder.root, "none", None, recorder, loop)
        else:
            with Serve.before_demo(llm, recorder.root, api) as serve:
                yield World(api, serve.root, serve.key, serve, recorder, loop)


class Client(unittest.TestCase):
    """The tests of one client library over one wire format."""

    FORMAT = None  # the wire format that the library speaks; classes without one are parts of others
    at: World

    def assert_image_arrived(self):
        self.assertEqual(images(self.at.api or self.FORMAT, self.at.recorder.last), [IMAGE_URL])

    def assert_cancelled(self, pieces):
        """A task that reads this stream is cancelled at its first piece, and at the next one if a library loses that."""
        async def read():
            async for piece in pieces:
                asyncio.current_task().cancel()

        with self.assertRaises(asyncio.CancelledError):
            self.at.loop.run(read())
        self.assert_stopped()

    def assert_stopped(self):
        """The request that was left in the middle of its answer is stopped at the gateway, and recorded with what came."""
        self.assertTrue(self.at.recorder.left.wait(PATIENCE), "the gateway still answers")
        self.at.recorder.left.clear()
        if self.at.serve:
            call = self.at.serve.interrupted()
            self.assertTrue(call["text"].startswith("Word"), call)
            self.assertLess(len(call["text"]), len(LONG) // 2)


def all_pass(llm, module, apis):
    """Whether all clients of this module pass their tests over each of these wire formats. Most of the time of a test is the
    demo gateway's, so that the formats go side by side, each with a world of its own."""
    clients = [item for item in vars(module).values() if isinstance(item, type) and issubclass(item, Client) and item.FORMAT]

    def run(api):
        said = io.StringIO()
        with world(llm, api) as at:
            here = [type(client.__name__, (client,), {"at": at}) for client in clients]
            suite = unittest.TestSuite(map(unittest.defaultTestLoader.loadTestsFromTestCase, here))
            good = unittest.TextTestRunner(said).run(suite).wasSuccessful()
        return good, said.getvalue()

    with concurrent.futures.ThreadPoolExecutor(len(apis)) as threads:
        done = list(zip(apis, threads.map(run, apis)))
    for api, (_, said) in done:
        print(f"-- {f'llm serve, over {api}' if api else 'the demo gateway'}\n{said}", flush=True)
    return all(good for _, (good, _) in done)
