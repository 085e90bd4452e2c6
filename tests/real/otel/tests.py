"""`llm log export --format otel`, read by OpenTelemetry's own message classes: nothing is lost, and no name is invented.

Run by `tests/real/run` with the Python that has the definitions, as: tests.py LLM_BINARY
"""

import base64
import json
import os
import subprocess
import sys
import tempfile
import unittest

from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from opentelemetry.semconv._incubating.attributes import gen_ai_attributes
from opentelemetry.semconv.attributes import error_attributes, http_attributes, service_attributes

LLM = os.path.abspath(sys.argv.pop(1))
IDS = ["traceId", "spanId", "parentSpanId"]
NAMES = {
    value
    for module in [gen_ai_attributes, error_attributes, http_attributes, service_attributes]
    for name, value in vars(module).items()
    if name.isupper() and isinstance(value, str)
}


def parsed(document):
    """OTLP's JSON has ids in hexadecimal, where the JSON of protocol buffers has base64; all else is the same."""
    document = json.loads(json.dumps(document))
    for resource in document["resourceSpans"]:
        for scope in resource["scopeSpans"]:
            for span in scope["spans"]:
                for name in IDS:
                    if name in span:
                        span[name] = base64.b64encode(bytes.fromhex(span[name])).decode()
    # Fields that it does not know are errors.
    return json_format.ParseDict(document, ExportTraceServiceRequest())


def value(any_value):
    kind = any_value.WhichOneof("value")
    found = getattr(any_value, kind)
    return [value(one) for one in found.values] if kind == "array_value" else found


class Export(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        home = tempfile.TemporaryDirectory()
        cls.addClassCleanup(home.cleanup)
        cls.environment = {"PATH": os.environ["PATH"], "HOME": home.name, "LLM_DATA_DIR": f"{home.name}/data",
                           "LLM_API_KEY": "sk-test-0123456789"}
        demo = subprocess.Popen([LLM, "demo-gateway"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                env=cls.environment)
        cls.addClassCleanup(demo.communicate)
        cls.environment["LLM_BASE_URL"] = demo.stdout.readline().strip()
        for code, *arguments in [
            (0, "ask", "-m", "demo/flaky", "--tag", "app=bot", "--temperature", "0.5", "--stop", "END", "Summarize: a cat."),
            (0, "ask", "-c", "And then?"),
            (0, "ask", "-m", "demo/down", "--retries", "0", "--fallback", "demo/quick", "Who?"),
            (8, "ask", "-m", "demo/steady", "--max-tokens", "2", "One and two and three. Four."),
            (8, "compare", "-m", "demo/quick,demo/thinker,demo/none", "--log", "metadata", "Summarize: a dog."),
        ]:
            ended = subprocess.run([LLM, *arguments], env=cls.environment, stdin=subprocess.DEVNULL, capture_output=True)
            assert ended.returncode == code, (arguments, ended)
        cls.calls = json.loads(cls.llm("log", "-n", "0", "-o", "json"))
        cls.document = json.loads(cls.llm("log", "export", "--format", "otel"))

    @classmethod
    def llm(cls, *arguments):
        return subprocess.run([LLM, *arguments], env=cls.environment, stdin=subprocess.DEVNULL, check=True,
                              capture_output=True).stdout

    def spans(self):
        return [span for resource in parsed(self.document).resource_spans for scope in resource.scope_spans
                for span in scope.spans]

    def test_it_is_what_a_collector_takes(self):
        spans = self.spans()
        self.assertEqual(len(spans), len(self.calls) + sum(len(call["attempts"]) for call in self.calls))
        for span in spans:
            self.assertEqual((len(span.trace_id), len(span.span_id)), (16, 8))
            self.assertIn(len(span.parent_span_id), (0, 8))
            self.assertEqual(span.kind, Span.SPAN_KIND_CLIENT)
            self.assertLessEqual(span.start_time_unix_nano, span.end_time_unix_nano)

    def test_nothing_is_lost_on_the_way_through_the_messages(self):
        back = json_format.MessageToDict(parsed(self.document), use_integers_for_enums=True)
        for resource in back["resourceSpans"]:
            for span in resource["scopeSpans"][0]["spans"]:
                for name in IDS:
                    if name in span:
                        span[name] = base64.b64decode(span[name]).hex()
        self.assertEqual(back, self.document)

    def test_every_attribute_is_of_the_conventions_or_named_as_ours(self):
        resource = parsed(self.document).resource_spans[0].resource
        keys = {one.key for span in self.spans() for one in span.attributes} | {one.key for one in resource.attributes}
        self.assertEqual({key for key in keys if not key.startswith("llm.") and key not in NAMES}, set())
        self.assertIn("gen_ai.usage.input_tokens", keys)

    def test_the_figures_are_those_of_the_log(self):
        spans = {value(one.value): span for span in self.spans() for one in span.attributes if one.key == "llm.call.id"}
        self.assertEqual(set(spans), {call["id"] for call in self.calls})
        for call in self.calls:
            span = spans[call["id"]]
            found = {one.key: value(one.value) for one in span.attributes}
            self.assertEqual(found["gen_ai.request.model"], call["model"])
            self.assertEqual(found.get("gen_ai.response.model"), call["answered_by"])
            self.assertEqual(found.get("gen_ai.usage.input_tokens"), call["usage"]["input_tokens"])
            self.assertEqual(found.get("gen_ai.usage.output_tokens"), call["usage"]["output_tokens"])
            self.assertEqual(found.get("gen_ai.usage.reasoning.output_tokens"), call["usage"]["reasoning_tokens"])
            self.assertEqual(found.get("gen_ai.conversation.id"), call["conversation"])
            finish = call["finish_reason"]
            self.assertEqual(found.get("gen_ai.response.finish_reasons"), finish and [finish])
            ended = Status.STATUS_CODE_OK if call["status"] == "ok" else Status.STATUS_CODE_ERROR
            self.assertEqual(span.status.code, ended)
            took = (span.end_time_unix_nano - span.start_time_unix_nano) / 1e6
            self.assertAlmostEqual(took, call["timing"]["total_ms"], delta=0.06)


if __name__ == "__main__":
    unittest.main(verbosity=2)
