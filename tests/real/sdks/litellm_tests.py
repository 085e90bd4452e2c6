"""LiteLLM's Python client on `llm serve` before the demo gateway, over every pair of wire formats.

Run by `tests/real/run` with the Python of LiteLLM's proxy as: litellm_tests.py LLM_BINARY
"""

import json
import os
import sys

# Nothing of it goes out to the network.
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
os.environ["NO_PROXY"] = "*"

import litellm

from servers import ARGUMENTS, CALL, IMAGE_URL, LONG, PATIENCE, PROMPT, SCHEMA, SHORT, Client, all_pass

litellm.suppress_debug_info = True
# What it knows of a vendor's models: of others it fakes streams, and writes schemas into their prompts.
ABILITIES = {"mode": "chat", "max_tokens": 200_000, "supports_native_streaming": True, "supports_system_messages": True,
             "supports_function_calling": True, "supports_response_schema": True}
MODELS = ["demo/quick", "demo/thinker"]
litellm.register_model({model: {**ABILITIES, "litellm_provider": "openai"} for model in MODELS})
litellm.register_model({f"gemini/{model}": {**ABILITIES, "litellm_provider": "gemini"} for model in MODELS})
TOOLS = [{"type": "function", "function": {"name": "get_weather", "parameters": SCHEMA}}]
FORM = {"type": "json_schema", "json_schema": {"name": "forecast", "schema": SCHEMA, "strict": True}}


class Completion(Client):
    """What `litellm.completion` does over every format."""

    PREFIX = PATH = ""

    def request(self, prompt=PROMPT, model="demo/quick", turns=None, **more):
        messages = turns or [{"role": "user", "content": prompt}]
        return {"model": f"{self.PREFIX}/{model}", "api_base": f"{self.at.root}{self.PATH}", "api_key": self.at.key,
                "messages": messages, "num_retries": 0, "max_retries": 0, "timeout": PATIENCE, **more}

    def ask(self, *arguments, **more):
        return litellm.completion(**self.request(*arguments, **more))

    def assert_called(self, message):
        (call,) = message.tool_calls
        self.assertEqual((call.function.name, json.loads(call.function.arguments)), ("get_weather", ARGUMENTS))
        return call

    def test_an_answer_in_one_piece(self):
        turns = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": PROMPT}]
        answer = self.ask(turns=turns, temperature=0.5)
        self.assertEqual(answer.choices[0].message.content, SHORT)
        self.assertEqual(answer.choices[0].finish_reason, "stop")
        self.assertEqual((answer.usage.completion_tokens, answer.usage.total_tokens), (6, 17))

    def test_a_stream(self):
        chunks = list(self.ask(stream=True, stream_options={"include_usage": True}))
        text = [chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices]
        self.assertEqual("".join(text), SHORT)
        self.assertEqual(chunks[-1].usage.completion_tokens, 6)

    def test_an_answer_that_the_limit_cuts(self):
        # It asks for 16 tokens at least over responses.
        answer = self.ask(f"Repeat: {'word ' * 40}", max_tokens=16)
        self.assertEqual(answer.choices[0].message.content, "Word" + 15 * " word")
        self.assertEqual(answer.choices[0].finish_reason, "length")

    def test_a_tool_call_and_its_result(self):
        message = self.ask(CALL, tools=TOOLS).choices[0].message
        result = {"role": "tool", "tool_call_id": self.assert_called(message).id, "content": "it rains."}
        turns = [{"role": "user", "content": CALL}, message.model_dump(exclude_none=True), result]
        answer = self.ask(turns=turns, tools=TOOLS)
        self.assertIn("it rains.", answer.choices[0].message.content.lower())

    def test_a_streamed_tool_call(self):
        chunks = list(self.ask(CALL, model="demo/thinker", tools=TOOLS, stream=True))
        self.assert_called(litellm.stream_chunk_builder(chunks).choices[0].message)

    def test_an_answer_by_a_schema(self):
        answer = self.ask(response_format=FORM)
        self.assertEqual(json.loads(answer.choices[0].message.content), ARGUMENTS)

    def test_an_image(self):
        image = {"type": "image_url", "image_url": {"url": IMAGE_URL}}
        self.assertEqual(self.ask([{"type": "text", "text": PROMPT}, image]).choices[0].message.content, SHORT)
        self.assert_image_arrived()

    def test_failures(self):
        for kind, more in [
            (litellm.NotFoundError, {"model": "demo/nobody"}),
            (litellm.AuthenticationError, {"api_key": "lk-of-nobody"}),
            # It has one of the two for 503, by vendor.
            ((litellm.ServiceUnavailableError, litellm.InternalServerError), {"model": "demo/down"}),
            (litellm.RateLimitError, {"api_key": self.at.serve.limited_key}),
        ]:
            with self.subTest(more), self.assertRaises(kind):
                for _ in range(10):
                    self.ask(**more)

    def test_a_task(self):
        if self.at.api != "openai-chat":
            self.skipTest("it keeps queues that belong to the first event loop of the process")
        answer = self.at.loop.run(litellm.acompletion(**self.request()))
        self.assertEqual(answer.choices[0].message.content, SHORT)

    def test_a_client_that_leaves(self):
        stream = self.ask(LONG, stream=True)
        next(chunk for chunk in stream if chunk.choices[0].delta.content)
        self.connection(stream.completion_stream).close()
        self.assert_stopped()

    @staticmethod
    def connection(stream):
        """What can be closed of a stream."""
        return stream


class OpenAIChat(Completion):
    FORMAT = "openai-chat"
    PREFIX, PATH = "openai", "/v1"


class OpenAIResponses(Completion):
    FORMAT = "openai-responses"
    PREFIX, PATH = "openai/responses", "/v1"

    @staticmethod
    def connection(stream):
        return stream.streaming_response.response


class Anthropic(Completion):
    FORMAT = "anthropic"
    PREFIX = "anthropic"

    def request(self, *arguments, **more):
        # Else it asks for fewer tokens than `LONG` has.
        return super().request(*arguments, **{"max_tokens": 100_000, **more})


class Gemini(Completion):
    FORMAT = "gemini"
    PREFIX, PATH = "gemini", "/v1beta"


if __name__ == "__main__":
    apis = ["openai-chat", "openai-responses", "anthropic", "gemini"]
    sys.exit(not all_pass(os.path.abspath(sys.argv[1]), sys.modules[__name__], apis))
