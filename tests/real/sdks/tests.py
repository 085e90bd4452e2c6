"""The vendors' own libraries as clients of the demo gateway, and of `llm serve` before it over each wire format: what they
read must be what its models say.

Run by `tests/real/run` with the libraries' Python as: tests.py LLM_BINARY
"""

import json
import os
import sys
import unittest

import anthropic
import openai
import pydantic
from google import genai
from google.genai import errors, types

from servers import (ARGUMENTS, CALL, IMAGE, IMAGE_URL, LONG, PATIENCE, PROMPT, SCHEMA, SHORT, THOUGHT, Client, all_pass,
                     png)

LIMIT = PATIENCE  # seconds for one request


class Forecast(pydantic.BaseModel):
    city: str
    days: int


class OpenAIChat(Client):
    FORMAT = "openai-chat"

    def setUp(self):
        self.client = openai.OpenAI(base_url=f"{self.at.root}/v1", api_key=self.at.key, max_retries=0, timeout=LIMIT)
        self.addCleanup(self.client.close)
        self.tools = [{"type": "function", "function": {"name": "get_weather", "parameters": SCHEMA}}]

    def ask(self, model="demo/quick", prompt=PROMPT, **more):
        messages = [{"role": "user", "content": prompt}]
        return self.client.chat.completions.create(model=model, messages=messages, **more)

    def test_an_answer_in_one_piece(self):
        answer = self.ask(model="demo/thinker")
        self.assertEqual(answer.choices[0].message.content, f"In short: {SHORT}")
        self.assertIn(THOUGHT, answer.choices[0].message.reasoning_content)
        self.assertEqual(answer.choices[0].finish_reason, "stop")
        self.assertEqual(answer.usage.total_tokens, answer.usage.prompt_tokens + answer.usage.completion_tokens)
        self.assertGreater(answer.usage.completion_tokens_details.reasoning_tokens, 0)

    def test_a_stream(self):
        chunks = list(self.ask(stream=True, stream_options={"include_usage": True}))
        text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
        self.assertEqual(text, SHORT)
        self.assertEqual(chunks[-2].choices[0].finish_reason, "stop")
        self.assertEqual(chunks[-1].usage.completion_tokens, 6)

    def test_a_tool_call_and_its_result(self):
        message = self.ask(prompt=CALL, tools=self.tools).choices[0].message
        (call,) = message.tool_calls
        self.assertEqual((call.function.name, json.loads(call.function.arguments)), ("get_weather", ARGUMENTS))
        result = {"role": "tool", "tool_call_id": call.id, "content": "it rains."}
        messages = [{"role": "user", "content": CALL}, message, result]
        answer = self.client.chat.completions.create(model="demo/quick", messages=messages, tools=self.tools)
        self.assertEqual(answer.choices[0].message.content, "It rains.")

    def test_a_streamed_tool_call(self):
        messages = [{"role": "user", "content": CALL}]
        with self.client.chat.completions.stream(model="demo/quick", messages=messages, tools=self.tools) as stream:
            for _ in stream:
                pass
            choice = stream.get_final_completion().choices[0]
        (call,) = choice.message.tool_calls
        self.assertEqual((choice.finish_reason, json.loads(call.function.arguments)), ("tool_calls", ARGUMENTS))

    def test_an_answer_by_a_schema(self):
        messages = [{"role": "user", "content": PROMPT}]
        answer = self.client.chat.completions.parse(model="demo/quick", messages=messages, response_format=Forecast)
        self.assertEqual(answer.choices[0].message.parsed, Forecast(**ARGUMENTS))

    def test_failures(self):
        with self.assertRaises(openai.NotFoundError) as caught:
            self.ask(model="demo/nobody")
        self.assertEqual(caught.exception.code, "model_not_found")
        for stream in [False, True]:
            with self.assertRaises(openai.InternalServerError) as caught:
                self.ask(model="demo/down", stream=stream)
            self.assertEqual(caught.exception.status_code, 503)
        with self.assertRaises(openai.BadRequestError):
            self.client.post("/chat/completions", body={"model": "demo/quick"}, cast_to=object)
        with self.assertRaises(openai.NotFoundError):
            self.client.post("/nowhere", body={}, cast_to=object)

    def test_an_image(self):
        parts = [{"type": "text", "text": PROMPT}, {"type": "image_url", "image_url": {"url": IMAGE_URL}}]
        self.assertEqual(self.ask(prompt=parts).choices[0].message.content, SHORT)
        self.assert_image_arrived()

    def test_a_client_that_leaves(self):
        with self.ask(prompt=LONG, stream=True) as stream:
            next(chunk for chunk in stream if chunk.choices[0].delta.content)
        self.assert_stopped()

    def test_a_task_that_is_cancelled(self):
        async def pieces():
            async with openai.AsyncOpenAI(base_url=f"{self.at.root}/v1", api_key=self.at.key, max_retries=0, timeout=LIMIT) as client:
                messages = [{"role": "user", "content": LONG}]
                async for chunk in await client.chat.completions.create(model="demo/quick", messages=messages, stream=True):
                    if chunk.choices[0].delta.content:
                        yield chunk

        self.assert_cancelled(pieces())

    def test_a_retry_of_the_librarys_own(self):
        client = self.client.with_options(max_retries=2)
        messages = [{"role": "user", "content": PROMPT}]
        # The gateway tells a client's tries from new calls by their key.
        headers = {"Idempotency-Key": "of-this-test"}
        answer = client.chat.completions.create(model="demo/flaky", messages=messages, extra_headers=headers)
        self.assertEqual(answer.choices[0].message.content, SHORT)

    def test_models(self):
        self.assertIn("demo/thinker", [model.id for model in self.client.models.list()])
        self.assertEqual(self.client.models.retrieve("demo/quick").id, "demo/quick")

    def test_embeddings(self):
        if self.at.api in ("anthropic", "gemini"):
            with self.assertRaises(openai.BadRequestError):
                self.client.embeddings.create(model="demo/quick", input=PROMPT)
            return
        # The library asks for base64 unless told otherwise.
        coded, numbers = [self.client.embeddings.create(model="demo/quick", input=[PROMPT, "It rains."], **more)
                          for more in [{}, {"encoding_format": "float"}]]
        self.assertEqual([len(item.embedding) for item in coded.data], [256, 256])
        for one, other in zip(coded.data, numbers.data):
            for component, expected in zip(one.embedding, other.embedding):
                self.assertAlmostEqual(component, expected, places=6)
        self.assertEqual(coded.usage.prompt_tokens, self.ask().usage.prompt_tokens + 2)
        short = self.client.embeddings.create(model="demo/quick", input=PROMPT, dimensions=3)
        self.assertEqual(len(short.data[0].embedding), 3)
        with self.assertRaises(openai.BadRequestError) as caught:
            self.client.embeddings.create(model="demo/quick", input=PROMPT, dimensions=100_000)
        self.assertEqual(caught.exception.param, "dimensions")


class OpenAIResponses(Client):
    FORMAT = "openai-responses"

    def setUp(self):
        self.client = openai.OpenAI(base_url=f"{self.at.root}/v1", api_key=self.at.key, max_retries=0, timeout=LIMIT)
        self.addCleanup(self.client.close)
        self.tools = [{"type": "function", "name": "get_weather", "parameters": SCHEMA, "strict": True}]

    def test_an_answer_in_one_piece(self):
        answer = self.client.responses.create(model="demo/thinker", input=PROMPT, instructions="Be brief.")
        self.assertEqual((answer.output_text, answer.status), (f"In short: {SHORT}", "completed"))
        self.assertEqual([item.type for item in answer.output], ["reasoning", "message"])
        self.assertGreater(answer.usage.output_tokens_details.reasoning_tokens, 0)

    def test_a_stream(self):
        with self.client.responses.stream(model="demo/thinker", input=PROMPT) as stream:
            events = list(stream)
            answer = stream.get_final_response()
        text = "".join(event.delta for event in events if event.type == "response.output_text.delta")
        self.assertEqual((text, answer.output_text), (f"In short: {SHORT}",) * 2)
        self.assertEqual(events[-1].type, "response.completed")
        numbers = [event.sequence_number for event in events]
        self.assertEqual(numbers, sorted(numbers))

    def test_a_tool_call_and_its_result(self):
        answer = self.client.responses.create(model="demo/quick", input=CALL, tools=self.tools)
        (call,) = answer.output
        self.assertEqual((call.type, call.name, json.loads(call.arguments)), ("function_call", "get_weather", ARGUMENTS))
        turns = [{"role": "user", "content": CALL}, call,
                 {"type": "function_call_output", "call_id": call.call_id, "output": "it rains."}]
        answer = self.client.responses.create(model="demo/quick", input=turns, tools=self.tools)
        self.assertEqual(answer.output_text, "It rains.")

    def test_a_streamed_tool_call(self):
        with self.client.responses.stream(model="demo/thinker", input=CALL, tools=self.tools) as stream:
            for _ in stream:
                pass
            call = stream.get_final_response().output[-1]
        self.assertEqual((call.name, json.loads(call.arguments)), ("get_weather", ARGUMENTS))

    def test_an_answer_by_a_schema(self):
        answer = self.client.responses.parse(model="demo/quick", input=PROMPT, text_format=Forecast)
        self.assertEqual(answer.output_parsed, Forecast(**ARGUMENTS))

    def test_an_answer_that_the_limit_cuts(self):
        answer = self.client.responses.create(model="demo/quick", input=PROMPT, max_output_tokens=2)
        self.assertEqual((answer.status, answer.incomplete_details.reason), ("incomplete", "max_output_tokens"))

    def test_an_image(self):
        parts = [{"type": "input_text", "text": PROMPT}, {"type": "input_image", "image_url": IMAGE_URL, "detail": "auto"}]
        answer = self.client.responses.create(model="demo/quick", input=[{"role": "user", "content": parts}])
        self.assertEqual(answer.output_text, SHORT)
        self.assert_image_arrived()

    def test_a_client_that_leaves(self):
        with self.client.responses.create(model="demo/quick", input=LONG, stream=True) as stream:
            next(event for event in stream if event.type == "response.output_text.delta")
        self.assert_stopped()

    def test_failures(self):
        with self.assertRaises(openai.NotFoundError):
            self.client.responses.create(model="demo/nobody", input=PROMPT)
        with self.assertRaises(openai.InternalServerError):
            self.client.responses.create(model="demo/down", input=PROMPT, stream=True)


class Anthropic(Client):
    FORMAT = "anthropic"

    def setUp(self):
        self.client = anthropic.Anthropic(base_url=self.at.root, api_key=self.at.key, max_retries=0, timeout=LIMIT)
        self.addCleanup(self.client.close)
        self.tools = [{"name": "get_weather", "input_schema": SCHEMA}]

    def request(self, model="demo/quick", prompt=PROMPT, **more):
        return {"model": model, "max_tokens": 100, "messages": [{"role": "user", "content": prompt}], **more}

    def test_an_answer_in_one_piece(self):
        message = self.client.messages.create(**self.request(model="demo/thinker", system="Be brief."))
        thought, answer = message.content
        self.assertEqual((thought.type, answer.text), ("thinking", f"In short: {SHORT}"))
        self.assertIn(THOUGHT, thought.thinking)
        self.assertEqual((message.stop_reason, message.role), ("end_turn", "assistant"))
        self.assertGreater(message.usage.input_tokens, 0)

    def test_a_stream(self):
        with self.client.messages.stream(**self.request(model="demo/thinker")) as stream:
            self.assertEqual("".join(stream.text_stream), f"In short: {SHORT}")
            message = stream.get_final_message()
        self.assertEqual([block.type for block in message.content], ["thinking", "text"])
        self.assertEqual(message.stop_reason, "end_turn")
        self.assertGreater(message.usage.output_tokens, 8)

    def test_a_tool_call_and_its_result(self):
        message = self.client.messages.create(**self.request(prompt=CALL, tools=self.tools))
        (call,) = message.content
        self.assertEqual((message.stop_reason, call.name, call.input), ("tool_use", "get_weather", ARGUMENTS))
        result = {"type": "tool_result", "tool_use_id": call.id, "content": "it rains."}
        turns = [{"role": "user", "content": CALL}, {"role": "assistant", "content": message.content},
                 {"role": "user", "content": [result]}]
        message = self.client.messages.create(model="demo/quick", max_tokens=100, messages=turns, tools=self.tools)
        self.assertEqual(message.content[0].text, "It rains.")

    def test_a_streamed_tool_call(self):
        with self.client.messages.stream(**self.request("demo/thinker", CALL, tools=self.tools)) as stream:
            message = stream.get_final_message()
        self.assertEqual((message.stop_reason, message.content[-1].input), ("tool_use", ARGUMENTS))

    def test_an_answer_by_a_schema(self):
        form = {"format": {"type": "json_schema", "schema": SCHEMA}}
        message = self.client.messages.create(**self.request(output_config=form))
        self.assertEqual(json.loads(message.content[0].text), ARGUMENTS)

    def test_an_answer_that_the_limit_cuts(self):
        message = self.client.messages.create(**{**self.request(), "max_tokens": 2})
        self.assertEqual((message.stop_reason, message.content[0].text), ("max_tokens", "The cat"))

    def test_an_image(self):
        image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": IMAGE}}
        message = self.client.messages.create(**self.request(prompt=[image, {"type": "text", "text": PROMPT}]))
        self.assertEqual(message.content[0].text, SHORT)
        self.assert_image_arrived()

    def test_a_client_that_leaves(self):
        with self.client.messages.stream(**{**self.request(prompt=LONG), "max_tokens": 100_000}) as stream:
            next(stream.text_stream)
        self.assert_stopped()

    def test_failures(self):
        with self.assertRaises(anthropic.NotFoundError) as caught:
            self.client.messages.create(**self.request(model="demo/nobody"))
        self.assertEqual(caught.exception.body["error"]["type"], "not_found_error")
        with self.assertRaises(anthropic.APIStatusError) as caught:
            self.client.messages.create(**self.request(model="demo/down", stream=True))
        self.assertEqual(caught.exception.status_code, 503)
        with self.assertRaises(anthropic.BadRequestError) as caught:
            self.client.post("/v1/messages", body={"model": "demo/quick"}, cast_to=object)
        self.assertEqual(caught.exception.body["error"]["type"], "invalid_request_error")

    def test_models(self):
        models = {model.id: model for model in self.client.models.list(limit=2)}
        self.assertEqual(models["demo/quick"].type, "model")
        self.assertEqual(self.client.models.retrieve("demo/quick"), models["demo/quick"])

    def test_a_count_of_tokens(self):
        if self.at.api not in (None, "anthropic"):
            turns = [{"role": "user", "content": PROMPT}]
            count = self.client.messages.with_raw_response.count_tokens(model="demo/quick", messages=turns)
            self.assertEqual(count.headers["x-llm-estimated"], "true")
            return self.assertGreater(count.parse().input_tokens, 5)
        message = self.client.messages.create(**self.request(system="Be brief."))
        turns = [{"role": "user", "content": PROMPT}]
        count = self.client.messages.count_tokens(model="demo/quick", system="Be brief.", messages=turns)
        self.assertEqual(count.input_tokens, message.usage.input_tokens)


class Gemini(Client):
    FORMAT = "gemini"
    VERSION = None

    def setUp(self):
        options = types.HttpOptions(base_url=self.at.root, timeout=LIMIT * 1000, api_version=self.VERSION)
        self.client = genai.Client(api_key=self.at.key, http_options=options)
        self.addCleanup(self.client.close)
        function = types.FunctionDeclaration(name="get_weather", parameters_json_schema=SCHEMA)
        manual = types.AutomaticFunctionCallingConfig(disable=True)
        self.tools = types.GenerateContentConfig(tools=[types.Tool(function_declarations=[function])],
                                                 automatic_function_calling=manual)

    def test_an_answer_in_one_piece(self):
        config = types.GenerateContentConfig(system_instruction="Be brief.")
        answer = self.client.models.generate_content(model="demo/thinker", contents=PROMPT, config=config)
        self.assertEqual(answer.text, f"In short: {SHORT}")
        thought = answer.candidates[0].content.parts[0]
        self.assertTrue(thought.thought)
        self.assertIn(THOUGHT, thought.text)
        self.assertEqual(answer.candidates[0].finish_reason, types.FinishReason.STOP)
        usage = answer.usage_metadata
        self.assertEqual(usage.total_token_count,
                         usage.prompt_token_count + usage.candidates_token_count + usage.thoughts_token_count)

    def test_a_stream(self):
        pieces = list(self.client.models.generate_content_stream(model="demo/thinker", contents=PROMPT))
        self.assertEqual("".join(piece.text or "" for piece in pieces), f"In short: {SHORT}")
        self.assertEqual(pieces[-1].candidates[0].finish_reason, types.FinishReason.STOP)
        self.assertGreater(pieces[-1].usage_metadata.thoughts_token_count, 0)

    def test_a_tool_call_and_its_result(self):
        answer = self.client.models.generate_content(model="demo/quick", contents=CALL, config=self.tools)
        (call,) = answer.function_calls
        self.assertEqual((call.name, call.args), ("get_weather", ARGUMENTS))
        result = types.Part.from_function_response(name=call.name, response={"result": "it rains."})
        turns = [types.Content(role="user", parts=[types.Part(text=CALL)]), answer.candidates[0].content,
                 types.Content(role="user", parts=[result])]
        answer = self.client.models.generate_content(model="demo/quick", contents=turns, config=self.tools)
        self.assertEqual(answer.text, "It rains.")

    def test_a_streamed_tool_call(self):
        stream = self.client.models.generate_content_stream(model="demo/thinker", contents=CALL, config=self.tools)
        calls = [call for piece in stream for call in piece.function_calls or []]
        self.assertEqual([(call.name, call.args) for call in calls], [("get_weather", ARGUMENTS)])

    def test_an_answer_by_a_schema(self):
        config = types.GenerateContentConfig(response_mime_type="application/json", response_schema=Forecast)
        answer = self.client.models.generate_content(model="demo/quick", contents=PROMPT, config=config)
        self.assertEqual(answer.parsed, Forecast(**ARGUMENTS))

    def test_an_image(self):
        parts = [types.Part.from_bytes(data=png(), mime_type="image/png"), PROMPT]
        self.assertEqual(self.client.models.generate_content(model="demo/quick", contents=parts).text, SHORT)
        self.assert_image_arrived()

    def test_a_client_that_leaves(self):
        stream = self.client.models.generate_content_stream(model="demo/quick", contents=LONG)
        next(piece for piece in stream if piece.text)
        stream.close()
        self.assert_stopped()

    def test_failures(self):
        with self.assertRaises(errors.ClientError) as caught:
            self.client.models.generate_content(model="demo/nobody", contents=PROMPT)
        self.assertEqual((caught.exception.code, caught.exception.status), (404, "NOT_FOUND"))
        with self.assertRaises(errors.ServerError) as caught:
            list(self.client.models.generate_content_stream(model="demo/down", contents=PROMPT))
        self.assertEqual((caught.exception.code, caught.exception.status), (503, "UNAVAILABLE"))

    def test_models(self):
        self.assertIn("models/demo/quick", [model.name for model in self.client.models.list()])
        self.assertEqual(self.client.models.get(model="models/demo/quick").name, "models/demo/quick")

    def test_a_count_of_tokens(self):
        if self.at.api not in (None, "gemini"):
            count = self.client.models.count_tokens(model="demo/quick", contents=PROMPT)
            return self.assertGreater(count.total_tokens, 5)
        answer = self.client.models.generate_content(model="demo/quick", contents=PROMPT)
        count = self.client.models.count_tokens(model="demo/quick", contents=PROMPT)
        self.assertEqual(count.total_tokens, answer.usage_metadata.prompt_token_count)


class GeminiBeta(Gemini):
    VERSION = "v1beta"


if __name__ == "__main__":
    apis = [None, "openai-chat", "openai-responses", "anthropic", "gemini"]
    sys.exit(not all_pass(os.path.abspath(sys.argv[1]), sys.modules[__name__], apis))
