"""The provider behind LiteLLM: answers, calls a function, thinks, or fails half-way, by the model's name."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

USAGE = {"prompt_tokens": 11, "completion_tokens": 5, "total_tokens": 16}


def text(piece):
    return {"content": piece}


def tool(**call):
    return {"tool_calls": [{"index": 0, **call}]}


# By model: the deltas of the stream, and how it goes on: a finish reason, or a way to fail.
SCRIPTS = {
    "plain": ([text("Plain "), text("answer.")], "stop"),
    "tool": (
        [
            tool(id="call_7", type="function", function={"name": "get_weather", "arguments": ""}),
            tool(function={"arguments": '{"city":'}),
            tool(function={"arguments": ' "Paris"}'}),
        ],
        "tool_calls",
    ),
    "thinks": ([{"reasoning_content": "Cats "}, {"reasoning_content": "sit."}, text("They sit.")], "stop"),
    "cut-short": ([text("Half a")], "length"),
    "breaks-off": ([text("Half an "), text("answer")], None),
    "fails-late": ([text("Half an "), text("answer")], {"message": "the model fell over", "code": 500}),
}


class Upstream(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if body["model"] == "refuses-key":
            return self.whole(401, {"error": {"message": "no such key", "type": "auth", "code": "invalid_api_key"}})
        deltas, end = SCRIPTS[body["model"]]
        if not body.get("stream"):
            content = "".join(delta.get("content", "") for delta in deltas)
            choice = {"index": 0, "finish_reason": end, "message": {"role": "assistant", "content": content}}
            return self.whole(200, {"id": "up-1", "object": "chat.completion", "created": 1, "model": body["model"],
                                    "choices": [choice], "usage": USAGE})
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        self.choice(body, {"role": "assistant", "content": ""})
        for delta in deltas:
            self.choice(body, delta)
        if end is None:
            self.close_connection = True
            return
        if isinstance(end, dict):
            self.event({"error": end})
        else:
            self.choice(body, {}, end)
            self.event({"id": "up-1", "object": "chat.completion.chunk", "created": 1, "model": body["model"],
                        "choices": [], "usage": USAGE})
        self.chunk(b"data: [DONE]\n\n")
        self.chunk(b"")

    def whole(self, status, body):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def choice(self, body, delta, finish=None):
        self.event({"id": "up-1", "object": "chat.completion.chunk", "created": 1, "model": body["model"],
                    "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})

    def event(self, data):
        self.chunk(b"data: " + json.dumps(data).encode() + b"\n\n")

    def chunk(self, data):
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()

    def log_message(self, *_):
        pass


def start():
    """Listens on a free loopback port; gives the server and its base URL."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server, f"http://127.0.0.1:{server.server_address[1]}/v1"
