"""LangChain's clients for OpenAI, Anthropic and Google on `llm serve` before the demo gateway, over every pair of wire formats.

Run by `tests/real/run` with the libraries' Python as: langchain_tests.py LLM_BINARY
"""

import os
import sys

import openai
import pydantic
from langchain_anthropic import ChatAnthropic
from langchain_core.messages import HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool
from langchain_google_genai import ChatGoogleGenerativeAI
from langchain_openai import ChatOpenAI

from servers import ARGUMENTS, CALL, IMAGE, LONG, PATIENCE, PROMPT, SHORT, Client, all_pass


class Forecast(pydantic.BaseModel):
    """What the weather will be."""

    city: str
    days: int


@tool
def get_weather(city: str, days: int) -> str:
    """What the weather will be."""
    return f"it rains in {city}."


def joined(chunks):
    """The message of a stream."""
    chunks = iter(chunks)
    message = next(chunks)
    for chunk in chunks:
        message += chunk
    return message


class Model(Client):
    """What every client of LangChain's does."""

    def model(self, name="demo/quick", key=None, **more):
        raise NotImplementedError

    def assert_used(self, message):
        usage = message.usage_metadata
        self.assertEqual((usage["input_tokens"], usage["output_tokens"], usage["total_tokens"]), (9, 6, 15))

    def assert_called(self, message):
        (call,) = message.tool_calls
        self.assertEqual((call["name"], call["args"], message.invalid_tool_calls), ("get_weather", ARGUMENTS, []))
        return call

    def assert_fails(self, status, model):
        for ask in [model.invoke, lambda prompt: list(model.stream(prompt))]:
            with self.assertRaises(Exception) as caught:
                for _ in range(10):
                    ask(PROMPT)
            self.assertEqual(self.status(caught.exception), status, repr(caught.exception))

    @staticmethod
    def status(error):
        return error.status_code

    def test_an_answer_in_one_piece(self):
        message = self.model().invoke([SystemMessage("Be brief."), HumanMessage(PROMPT)])
        self.assertEqual(message.text, SHORT)
        self.assertEqual(message.response_metadata["model_name"], "demo/quick")
        self.assertEqual(message.usage_metadata["total_tokens"], 17)

    def test_a_stream(self):
        chunks = list(self.model().stream(PROMPT))
        self.assertGreater(len(chunks), 5)
        message = joined(chunks)
        self.assertEqual(message.text, SHORT)
        self.assert_used(message)

    def test_many_prompts_at_once(self):
        answers = self.model().batch([PROMPT] * 8, {"max_concurrency": 8})
        self.assertEqual([answer.text for answer in answers], [SHORT] * 8)

    def test_a_tool_call_and_its_result(self):
        model = self.model().bind_tools([get_weather])
        call = self.assert_called(message := model.invoke(CALL))
        result = get_weather.invoke(call)
        self.assertIsInstance(result, ToolMessage)
        answer = model.invoke([HumanMessage(CALL), message, result])
        self.assertIn("it rains in city.", answer.text.lower())

    def test_a_streamed_tool_call(self):
        model = self.model("demo/thinker").bind_tools([get_weather])
        self.assert_called(joined(model.stream(CALL)))

    def test_a_tool_that_must_be_called(self):
        self.assert_called(self.model().bind_tools([get_weather], tool_choice="any").invoke(PROMPT))
        self.assert_called(self.model().bind_tools([get_weather], tool_choice="get_weather").invoke(PROMPT))

    def test_an_answer_by_a_schema(self):
        model = self.model().with_structured_output(Forecast, method="json_schema")
        self.assertEqual(model.invoke(PROMPT), Forecast(**ARGUMENTS))

    def test_an_answer_by_a_tool_as_schema(self):
        model = self.model().with_structured_output(Forecast, method="function_calling")
        self.assertEqual(model.invoke(PROMPT), Forecast(**ARGUMENTS))

    def test_an_image(self):
        image = {"type": "image", "base64": IMAGE, "mime_type": "image/png"}
        message = self.model().invoke([HumanMessage([{"type": "text", "text": PROMPT}, image])])
        self.assertEqual(message.text, SHORT)
        self.assert_image_arrived()

    def test_failures(self):
        self.assert_fails(404, self.model("demo/nobody"))
        self.assert_fails(503, self.model("demo/down"))
        self.assert_fails(401, self.model(key="lk-of-nobody"))
        self.assert_fails(429, self.model(key=self.at.serve.limited_key))

    def test_tasks(self):
        async def ask():
            model = self.model()
            whole = await model.ainvoke(PROMPT)
            return whole, [chunk async for chunk in model.astream(PROMPT)]

        whole, chunks = self.at.loop.run(ask())
        self.assertEqual((whole.text, joined(chunks).text), (SHORT, SHORT))
        self.assert_used(whole)

    def test_a_task_that_is_cancelled(self):
        async def pieces():
            async for chunk in self.model(max_tokens=100_000).astream(LONG):
                if chunk.text:
                    yield chunk

        self.assert_cancelled(pieces())


class OpenAI(Model):
    """What both clients for OpenAI do."""

    def test_an_answer_by_a_tool_as_schema(self):
        if self.at.api != "gemini":
            return super().test_an_answer_by_a_tool_as_schema()
        # It asks for one call at most, for which Google's format has no word.
        model = self.model().with_structured_output(Forecast, method="function_calling")
        with self.assertRaises(openai.BadRequestError) as caught:
            model.invoke(PROMPT)
        self.assertEqual(caught.exception.param, "parallel_tool_calls")


class OpenAIChat(OpenAI):
    FORMAT = "openai-chat"

    def model(self, name="demo/quick", key=None, **more):
        # It asks an address that is not OpenAI's for usage only if it is told so.
        return ChatOpenAI(model=name, base_url=f"{self.at.root}/v1", api_key=key or self.at.key, max_retries=0,
                          timeout=PATIENCE, stream_usage=True, **more)


class OpenAIResponses(OpenAI):
    FORMAT = "openai-responses"

    def model(self, name="demo/quick", key=None, **more):
        return ChatOpenAI(model=name, base_url=f"{self.at.root}/v1", api_key=key or self.at.key, max_retries=0,
                          timeout=PATIENCE, use_responses_api=True, **more)


class Anthropic(Model):
    FORMAT = "anthropic"

    def model(self, name="demo/quick", key=None, **more):
        return ChatAnthropic(model=name, base_url=self.at.root, api_key=key or self.at.key, max_retries=0, timeout=PATIENCE,
                             **more)


class Gemini(Model):
    FORMAT = "gemini"

    def model(self, name="demo/quick", key=None, **more):
        # `max_retries` counts all tries.
        return ChatGoogleGenerativeAI(model=name, base_url=self.at.root, api_key=key or self.at.key, max_retries=1,
                                      timeout=PATIENCE, **more)

    @staticmethod
    def status(error):
        return getattr(error, "code", None) or error.__cause__.code


if __name__ == "__main__":
    apis = ["openai-chat", "openai-responses", "anthropic", "gemini"]
    sys.exit(not all_pass(os.path.abspath(sys.argv[1]), sys.modules[__name__], apis))
