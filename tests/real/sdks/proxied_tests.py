"""The vendors' Python libraries and curl on `llm serve` before LiteLLM's proxy: two gateways in a row that others' programs use.

Run by `tests/real/run` with the libraries' Python as: proxied_tests.py LLM_BINARY VENV_OF_LITELLM
"""

import json
import os
import subprocess
import sys
import unittest
from pathlib import Path

import anthropic
import openai

from servers import CALL, LONG, PATIENCE, PROMPT, SCHEMA, SHORT, Serve

sys.path.insert(0, str(Path(__file__).parent.parent / "litellm"))
from proxy import KEY, Proxy  # noqa: E402

ANSWER = "The cat sat on the mat, and the mat did not mind."
CONFIG = """
default_gateway = "lite"
[gateway.lite]
base_url = "{root}/v1"
key_env = ["OF_LITELLM"]
[gateway.messages]
base_url = "{root}/v1"
api = "anthropic"
key_env = ["OF_LITELLM"]
"""
# The names of one upstream in LiteLLM: over chat completions, and over messages.
DEMO = ["demo-openai", "messages::demo-anthropic"]
SERVE = None


class Clients(unittest.TestCase):
    def setUp(self):
        self.openai = openai.OpenAI(base_url=f"{SERVE.root}/v1", api_key=SERVE.key, max_retries=0, timeout=PATIENCE)
        self.addCleanup(self.openai.close)
        self.anthropic = anthropic.Anthropic(base_url=SERVE.root, api_key=SERVE.key, max_retries=0, timeout=PATIENCE)
        self.addCleanup(self.anthropic.close)

    def chat(self, model, prompt=PROMPT, **more):
        messages = [{"role": "user", "content": prompt}]
        return self.openai.chat.completions.create(model=model, messages=messages, **more)

    def request(self, model, prompt=PROMPT, **more):
        return {"model": model, "max_tokens": 100_000, "messages": [{"role": "user", "content": prompt}], **more}

    def test_an_answer_in_one_piece_and_what_it_cost(self):
        messages = [{"role": "user", "content": PROMPT}]
        answer = self.openai.chat.completions.with_raw_response.create(model="priced", messages=messages)
        self.assertEqual(answer.parse().choices[0].message.content, ANSWER)
        usage = answer.parse().usage
        cost = usage.prompt_tokens * 2e-6 + usage.completion_tokens * 10e-6
        self.assertAlmostEqual(float(answer.headers["x-llm-cost-usd"]), cost, delta=1e-12)
        self.assertEqual(self.anthropic.messages.create(**self.request("priced")).content[0].text, ANSWER)
        self.assertEqual(self.openai.responses.create(model="priced", input=PROMPT).output_text, ANSWER)

    def test_streams(self):
        chunks = list(self.chat("priced", stream=True, stream_options={"include_usage": True}))
        self.assertEqual("".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices), ANSWER)
        self.assertGreater(chunks[-1].usage.completion_tokens, 0)
        with self.anthropic.messages.stream(**self.request("priced")) as stream:
            self.assertEqual("".join(stream.text_stream), ANSWER)
            self.assertEqual(stream.get_final_message().stop_reason, "end_turn")
        with self.openai.responses.stream(model="priced", input=PROMPT) as stream:
            stream.until_done()
            self.assertEqual(stream.get_final_response().output_text, ANSWER)

    def test_what_litellm_translates(self):
        for model in DEMO:
            with self.subTest(model):
                self.assertEqual(self.chat(model).choices[0].message.content, f"In short: {SHORT}")
                with self.anthropic.messages.stream(**self.request(model)) as stream:
                    self.assertEqual("".join(stream.text_stream), f"In short: {SHORT}")

    def test_a_function_call(self):
        for model in DEMO:
            with self.subTest(model):
                tools = [{"type": "function", "function": {"name": "get_weather", "parameters": SCHEMA}}]
                (call,) = self.chat(model, CALL, tools=tools).choices[0].message.tool_calls
                self.assertEqual(call.function.name, "get_weather")
                tools = [{"name": "get_weather", "input_schema": SCHEMA}]
                with self.anthropic.messages.stream(**self.request(model, CALL, tools=tools)) as stream:
                    message = stream.get_final_message()
                self.assertEqual((message.stop_reason, message.content[-1].name), ("tool_use", "get_weather"))

    def assert_recorded(self):
        """The call that was left is in the ledger with what came; others are answered."""
        call = SERVE.interrupted()
        self.assertEqual(call["attempts"][-1]["status"], 200)
        self.assertTrue(call["text"].startswith("In short: Word"), call)
        self.assertLess(len(call["text"]), len(LONG) // 2)
        self.assertEqual(self.chat("priced").choices[0].message.content, ANSWER)

    def test_clients_that_leave(self):
        for model in DEMO:
            with self.subTest(model):
                with self.chat(model, LONG, stream=True) as stream:
                    next(chunk for chunk in stream if chunk.choices and "Word" in (chunk.choices[0].delta.content or ""))
                self.assert_recorded()
                with self.anthropic.messages.stream(**self.request(model, LONG)) as stream:
                    next(text for text in stream.text_stream if "Word" in text)
                self.assert_recorded()

    def test_failures_keep_their_kind(self):
        # LiteLLM says 400 for a model that it does not know.
        for model, status in [("limited", 429), ("broken", 500), ("overflow", 400), ("up-refuses-key", 502),
                              ("no-such-model", 404)]:
            for ask, kind in [(lambda: self.chat(model), openai.APIStatusError),
                              (lambda: self.chat(model, stream=True), openai.APIStatusError),
                              (lambda: self.anthropic.messages.create(**self.request(model)), anthropic.APIStatusError)]:
                with self.subTest(model), self.assertRaises(kind) as caught:
                    ask()
                self.assertEqual(caught.exception.status_code, status, caught.exception)

    def test_half_an_answer_is_a_failure(self):
        for model in ["up-breaks-off", "up-fails-late"]:
            pieces = []
            with self.subTest(model), self.assertRaises(openai.APIError):
                for chunk in self.chat(model, stream=True):
                    pieces.append(chunk.choices[0].delta.content or "")
            self.assertEqual("".join(pieces), "Half an answer")
            with self.subTest(model), self.assertRaises(anthropic.APIError):
                with self.anthropic.messages.stream(**self.request(model)) as stream:
                    list(stream)

    def curl(self, *arguments, key=None, **body):
        body = {"messages": [{"role": "user", "content": PROMPT}], **body}
        done = subprocess.run(["curl", "--silent", "--show-error", "--no-buffer", "--noproxy", "*", *arguments, "--json", json.dumps(body),
                               "--header", f"authorization: Bearer {key or SERVE.key}", "--write-out", "\n%{http_code}",
                               f"{SERVE.root}/v1/chat/completions"],
                              capture_output=True, text=True, check=True, timeout=PATIENCE)
        body, status = done.stdout.rsplit("\n", 1)
        return body, int(status)

    def test_curl(self):
        body, status = self.curl(model="priced")
        self.assertEqual((status, json.loads(body)["choices"][0]["message"]["content"]), (200, ANSWER))
        body, status = self.curl(model="priced", stream=True)
        lines = [line.removeprefix("data: ") for line in body.splitlines() if line.startswith("data: ")]
        self.assertEqual((status, lines.pop()), (200, "[DONE]"))
        chunks = [choice for line in lines for choice in json.loads(line)["choices"]]
        self.assertEqual("".join(choice["delta"].get("content") or "" for choice in chunks), ANSWER)
        for more, expected in [({"model": "limited"}, 429), ({"model": "priced", "key": "lk-of-nobody"}, 401)]:
            body, status = self.curl(**more)
            self.assertEqual(status, expected, body)
            self.assertIn("message", json.loads(body)["error"])

    def test_curl_that_is_killed(self):
        body = {"model": "demo-openai", "stream": True, "messages": [{"role": "user", "content": LONG}]}
        with subprocess.Popen(["curl", "--silent", "--no-buffer", "--noproxy", "*", "--json", "@-",
                               "--header", f"authorization: Bearer {SERVE.key}", f"{SERVE.root}/v1/chat/completions"],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as curl:
            curl.stdin.write(json.dumps(body))
            curl.stdin.close()
            next(line for line in curl.stdout if "Word" in line)
            curl.kill()
        self.assert_recorded()


def main():
    global SERVE
    llm = os.path.abspath(sys.argv.pop(1))
    venv = Path(sys.argv.pop(1)).resolve()
    with Proxy(venv, llm) as proxy, Serve(llm, CONFIG.format(root=proxy.root), OF_LITELLM=KEY) as SERVE:
        unittest.main(exit=False).result.wasSuccessful() or sys.exit(1)


if __name__ == "__main__":
    main()
