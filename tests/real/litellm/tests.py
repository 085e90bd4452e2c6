"""`llm` against LiteLLM's proxy: what it prints, what it says the answer cost, and how it ends.

Run by `tests/real/run` as: tests.py LLM_BINARY VENV
"""

import json
import os
import subprocess
import sys
import tempfile
import unittest
import urllib.request
from pathlib import Path

from proxy import KEY, Proxy

PROMPT = "Summarize: the cat sat on the mat."
ANSWER = "The cat sat on the mat, and the mat did not mind."
LIMIT = 60  # seconds for one `llm`

LLM = PROXY = None


class Outcome:
    def __init__(self, done):
        self.code, self.stdout, self.stderr = done.returncode, done.stdout, done.stderr

    def json(self):
        return json.loads(self.stdout)

    def __str__(self):
        return f"exit {self.code}\n--- stdout\n{self.stdout}\n--- stderr\n{self.stderr}"


def llm(*arguments, key=KEY, config=None, **environment):
    """Runs `llm` in a fresh home with LiteLLM as its gateway, named by the environment or by this config file."""
    with tempfile.TemporaryDirectory() as home:
        variables = {
            "PATH": os.environ["PATH"],
            "HOME": home,
            "XDG_RUNTIME_DIR": home,
            "LLM_DATA_DIR": f"{home}/data",
            "DBUS_SESSION_BUS_ADDRESS": f"unix:path={home}/no-bus",
            "LLM_BASE_URL": PROXY.base_url,
            "LLM_MODEL": "priced",
            **environment,
        }
        if key:
            variables["LLM_API_KEY"] = key
        if config:
            del variables["LLM_BASE_URL"]
            variables["LLM_CONFIG"] = f"{home}/llm.toml"
            Path(variables["LLM_CONFIG"]).write_text(config)
        return Outcome(subprocess.run([LLM, *arguments], env=variables, cwd=home, stdin=subprocess.DEVNULL,
                                      capture_output=True, text=True, timeout=LIMIT))


def record(*arguments, **environment):
    """The one record that a command prints as JSON, and its exit code."""
    outcome = llm(*arguments, "-o", "json", **environment)
    return outcome.json(), outcome.code


def post(**body):
    """The same question asked without `llm`: headers and body of LiteLLM's own answer."""
    body = {"messages": [{"role": "user", "content": PROMPT}], **body}
    request = urllib.request.Request(
        f"{PROXY.base_url}/chat/completions", json.dumps(body).encode(),
        {"content-type": "application/json", "authorization": f"Bearer {KEY}"},
    )
    with urllib.request.urlopen(request, timeout=LIMIT) as response:
        return response.headers, response.read().decode()


def stream_cost(model):
    """What LiteLLM writes into the last chunk of a stream."""
    _, body = post(model=model, stream=True, stream_options={"include_usage": True})
    chunks = [json.loads(line[6:]) for line in body.splitlines() if line.startswith("data: {")]
    return chunks[-1]["usage"].get("cost")


class Case(unittest.TestCase):
    def assert_exit(self, outcome, code):
        self.assertEqual(outcome.code, code, str(outcome))

    def assert_usd(self, cost, expected):
        self.assertEqual(cost["origin"], "reported")
        # LiteLLM computes with floats (0.00015800000000000002), `llm` with whole picodollars.
        self.assertAlmostEqual(cost["usd"], float(expected), delta=1e-12)


class Ask(Case):
    def test_a_streamed_answer_is_printed_whole(self):
        outcome = llm("ask", PROMPT)
        self.assert_exit(outcome, 0)
        self.assertEqual(outcome.stdout.rstrip("\n"), ANSWER)

    def test_an_answer_in_one_piece_is_printed_whole(self):
        outcome = llm("ask", "-p", "stream=false", PROMPT)
        self.assert_exit(outcome, 0)
        self.assertEqual(outcome.stdout.rstrip("\n"), ANSWER)

    def test_the_cost_of_a_stream_is_the_one_in_its_usage(self):
        answer, code = record("ask", PROMPT)
        self.assertEqual((code, answer["status"], answer["finish_reason"]), (0, "ok", "stop"))
        self.assert_usd(answer["cost"], stream_cost("priced"))

    def test_the_cost_of_an_answer_in_one_piece_is_the_one_in_its_header(self):
        answer, _ = record("ask", "-p", "stream=false", PROMPT)
        headers, body = post(model="priced")
        self.assert_usd(answer["cost"], headers["x-litellm-response-cost"])
        self.assertEqual(answer["usage"]["input_tokens"], json.loads(body)["usage"]["prompt_tokens"])
        self.assertEqual(answer["usage"]["output_tokens"], json.loads(body)["usage"]["completion_tokens"])

    def test_a_model_without_a_price_costs_an_unknown_amount_and_not_nothing(self):
        headers, _ = post(model="unpriced")
        self.assertEqual(float(headers["x-litellm-response-cost"]), 0, "LiteLLM says 0.0 of what it does not know")
        for arguments in [(), ("-p", "stream=false")]:
            answer, code = record("ask", "-m", "unpriced", *arguments, PROMPT)
            self.assertEqual((code, answer["cost"]["usd"]), (0, None))

    def test_a_function_call_arrives_whole(self):
        for model, arguments in [("tool", ["-p", "stream=false"]), ("up-tool", [])]:
            answer, code = record("ask", "-m", model, *arguments, PROMPT)
            self.assertEqual(code, 0, answer)
            (call,) = answer["tool_calls"]
            self.assertEqual(call["name"], "get_weather")
            called_with = call["arguments"]
            if isinstance(called_with, str):
                called_with = json.loads(called_with)
            self.assertEqual(called_with, {"city": "Paris"})

    def test_reasoning_is_no_part_of_the_answer(self):
        answer, code = record("ask", "-m", "up-thinks", PROMPT)
        self.assertEqual((code, answer["text"], answer["reasoning"]), (0, "They sit.", "Cats sit."))
        self.assertEqual(answer["usage"]["reasoning_tokens"], 4)

    def test_comments_are_no_token(self):
        answer, code = record("ask", "-m", "slow", PROMPT)
        self.assertEqual((code, answer["text"]), (0, "Slow but sure."))
        timing = answer["timing"]
        self.assertLess(timing["first_byte_ms"], 1400)
        self.assertGreaterEqual(timing["first_token_ms"], 1400)
        self.assertGreaterEqual(timing["total_ms"], timing["first_token_ms"])

    def test_a_fallback_of_the_gateways_own_is_one_attempt(self):
        for arguments in [(), ("-p", "stream=false")]:
            answer, code = record("ask", "-m", "flaky", *arguments, PROMPT)
            self.assertEqual((code, answer["text"], len(answer["attempts"])), (0, ANSWER, 1))
            self.assertEqual(answer["model"], "flaky")

    def test_a_fallback_of_ours_answers_and_keeps_both_attempts(self):
        answer, code = record("ask", "-m", "limited", "--fallback", "cheap", "--retries", "0", PROMPT)
        self.assertEqual((code, answer["text"]), (0, "A cat sat on a mat."))
        self.assertEqual([attempt["status"] for attempt in answer["attempts"]], [429, 200])
        self.assertEqual([attempt["model"] for attempt in answer["attempts"]], ["limited", "cheap"])


class Ending(Case):
    def assert_ends(self, model, code, kind, status, *arguments, text=""):
        for streaming in [(), ("-p", "stream=false")] if not text else [()]:
            with self.subTest(model=model, streaming=not streaming):
                answer, got = record("ask", "-m", model, "--retries", "0", *streaming, *arguments, PROMPT)
                self.assertEqual(got, code, answer)
                self.assertEqual((answer["error"]["kind"], answer["error"]["status"]), (kind, status))
                self.assertEqual(answer["text"], text)

    def test_a_rate_limit_is_6(self):
        self.assert_ends("limited", 6, "rate_limited", 429)

    def test_a_broken_model_is_1(self):
        self.assert_ends("broken", 1, "server_error", 500)

    def test_a_prompt_that_does_not_fit_is_1(self):
        self.assert_ends("overflow", 1, "context_length", 400)

    def test_a_timeout_of_the_gateways_own_is_7(self):
        self.assert_ends("late", 7, "timeout", 408)

    def test_a_key_that_the_provider_refuses_is_4(self):
        self.assert_ends("up-refuses-key", 4, "auth", 401)

    def test_a_model_that_nobody_knows_is_1(self):
        answer, code = record("ask", "-m", "no-such-model", "--retries", "0", PROMPT)
        self.assertEqual((code, answer["error"]["status"]), (1, 400))
        self.assertIn("no-such-model", answer["error"]["message"])

    def test_no_key_is_4(self):
        self.assert_exit(llm("ask", PROMPT, key=None), 4)

    def test_a_wrong_key_is_said_in_the_gateways_words(self):
        # Without a database LiteLLM answers a wrong key with 400 and "No connected db.".
        outcome = llm("ask", "--retries", "0", PROMPT, key="sk-of-somebody-else")
        self.assert_exit(outcome, 4)
        self.assertIn("No connected db", outcome.stderr)
        self.assertNotIn("sk-of-somebody-else", outcome.stdout + outcome.stderr)

    def test_a_rate_limit_inside_a_200_stream_is_6(self):
        answer, code = record("ask", "-m", "slow-limited", "--retries", "0", PROMPT)
        self.assertEqual((code, answer["error"]["kind"], answer["text"]), (6, "rate_limited", ""))

    def test_an_error_after_half_an_answer_is_8_and_keeps_the_half(self):
        for model in ["up-breaks-off", "up-fails-late"]:
            answer, code = record("ask", "-m", model, PROMPT)
            self.assertEqual((code, answer["status"], answer["text"]), (8, "truncated", "Half an answer"), answer)
            self.assertEqual(len(answer["attempts"]), 1, "half an answer is never asked for again")

    def test_an_answer_that_the_token_limit_cut_is_8(self):
        answer, code = record("ask", "-m", "up-cut-short", PROMPT)
        self.assertEqual((code, answer["status"], answer["finish_reason"]), (8, "truncated", "length"))


class Compare(Case):
    def test_models_stand_side_by_side_with_what_they_cost(self):
        outcome = llm("compare", "-m", "priced,cheap,unpriced", "-o", "json", PROMPT)
        self.assert_exit(outcome, 0)
        run = outcome.json()
        self.assertEqual([answer["model"] for answer in run["answers"]], ["priced", "cheap", "unpriced"])
        expected = stream_cost("priced"), stream_cost("cheap")
        for answer, cost in zip(run["answers"], expected):
            self.assert_usd(answer["cost"], cost)
        self.assertIsNone(run["answers"][2]["cost"]["usd"])
        self.assertAlmostEqual(run["total_cost"]["usd"], sum(expected), delta=1e-12)
        self.assertEqual(run["total_cost"]["unknown"], 1)

    def test_the_table_names_every_model_and_every_answer(self):
        outcome = llm("compare", "-m", "priced,cheap", PROMPT)
        self.assert_exit(outcome, 0)
        for expected in ["priced", "cheap", "A cat sat on a mat.", "total", "$"]:
            self.assertIn(expected, outcome.stdout)

    def test_one_failure_is_8_and_hides_nothing(self):
        outcome = llm("compare", "-m", "cheap,broken", "--retries", "0", "-o", "json", PROMPT)
        self.assert_exit(outcome, 8)
        good, bad = outcome.json()["answers"]
        self.assertEqual((good["status"], good["text"]), ("ok", "A cat sat on a mat."))
        self.assertEqual((bad["status"], bad["error"]["status"]), ("failed", 500))

    def test_if_all_fail_alike_the_exit_code_is_theirs(self):
        self.assert_exit(llm("compare", "-m", "limited,limited", "--retries", "0", PROMPT), 6)


class Measure(Case):
    """What the mocks can do is known: a mock says its text, whatever it is asked."""

    ANSWERS = ["priced", "cheap", "unpriced", "slow", "flaky", "up-plain", "up-tool", "up-thinks", "up-cut-short"]
    FAILS = ["limited", "broken", "overflow", "late", "slow-limited", "up-breaks-off", "up-fails-late", "up-refuses-key"]
    DEMO = ["demo-openai", "demo-anthropic"]

    def probed(self, models):
        outcome = llm("probe", "-m", ",".join(models), "--retries", "0", "-o", "json")
        self.assertIn(outcome.code, (0, 8), str(outcome))
        return {
            model["model"]: {name: found["value"] for name, found in model["features"].items()}
            for model in outcome.json()["models"]
        }

    def assert_has(self, found, value, *features):
        self.assertEqual({feature: found[feature] for feature in features}, dict.fromkeys(features, value))

    def test_a_probe_tells_the_truth_about_every_mock(self):
        found = self.probed(self.ANSWERS)
        for model in self.ANSWERS:
            with self.subTest(model):
                self.assert_has(found[model], "yes", "usage")
                self.assert_has(found[model], "unknown", "stop", "seed", "max_tokens")
                self.assert_has(found[model], "yes" if model == "up-thinks" else "no", "reasoning")
                self.assert_has(found[model], "yes" if model == "up-tool" else "no", "tools")
                self.assert_has(found[model], "no", "parallel_tools")
                priced = model in ("priced", "cheap", "slow", "flaky")
                self.assert_has(found[model], "yes" if priced else "no", "cost")
                # What calls a function says nothing, so nothing shows of what it sees.
                said = "unknown" if model == "up-tool" else "no"
                self.assert_has(found[model], said, "system", "image", "pdf", "logprobs")
        for model in ("priced", "cheap", "slow", "up-plain"):
            self.assert_has(found[model], "yes", "stream")

    def test_a_failure_is_unknown_and_not_no(self):
        outcome = llm("probe", "-m", ",".join(self.FAILS), "--retries", "0", "-o", "csv")
        self.assertNotEqual(outcome.code, 0)
        rows = outcome.stdout.splitlines()[1:]
        self.assertEqual(len(rows), 14 * len(self.FAILS))
        for row in rows:
            self.assertEqual(row.split(",")[3], "unknown", row)

    def test_what_litellm_translates_is_found_behind_it(self):
        found = self.probed(self.DEMO)
        for model in self.DEMO:
            with self.subTest(model):
                has = ("stream", "system", "stop", "max_tokens", "tools", "parallel_tools", "json_schema", "reasoning", "usage")
                self.assert_has(found[model], "yes", *has)
                self.assert_has(found[model], "no", "image", "pdf")
        # Anthropic's format has neither, and LiteLLM refuses what it cannot translate.
        self.assert_has(found["demo-openai"], "yes", "logprobs")
        self.assert_has(found["demo-anthropic"], "no", "seed", "logprobs")

    def test_a_benchmark_counts_answers_and_failures_and_sums_the_costs(self):
        outcome = llm("bench", "-m", "priced,limited", "--requests", "12", "--concurrency", "3", "-o", "json")
        self.assert_exit(outcome, 8)
        priced, limited = outcome.json()["models"]
        self.assertEqual((priced["answered"], priced["failed"]), (12, {}))
        self.assertEqual((limited["answered"], limited["failed"]), (0, {"rate_limited": 12}))
        self.assertGreater(priced["total_ms"]["p99"], priced["first_token_ms"]["min"])
        self.assertEqual((priced["cost"]["unknown"], priced["cost"]["computed"]), (0, False))
        self.assertGreater(priced["cost"]["usd"], 0)

    def test_an_open_loop_counts_what_a_slow_model_takes(self):
        outcome = llm("bench", "-m", "slow", "--requests", "10", "--rate", "5", "--warmup", "0", "-o", "json")
        self.assert_exit(outcome, 0)
        (slow,) = outcome.json()["models"]
        self.assertGreaterEqual(slow["first_token_ms"]["min"], 1400)
        # Ten requests of 1.5 s, one after the other, would take 15 s.
        self.assertLess(slow["seconds"], 10)


class Wires(Case):
    """LiteLLM's other routes: what it cannot mock there (streams of messages and responses) comes from the demo gateway,
    through all of its translation, and so both sides of ours are tested."""

    APIS = {"chat": "openai-chat", "messages": "anthropic", "responses": "openai-responses", "gemini": "gemini"}
    TOOLS = [{"name": "get_weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}]

    def ask(self, wire, model, *arguments):
        config = "".join(
            f'[gateway.{name}]\nbase_url = "{PROXY.root if api == "gemini" else PROXY.base_url}'
            f'{"/v1beta" if api == "gemini" else ""}"\napi = "{api}"\nkey_env = ["WIRES_KEY"]\n'
            for name, api in self.APIS.items()
        )
        return record("ask", "-m", f"{wire}::{model}", "--retries", "0", *arguments, key=None, config=config,
                      WIRES_KEY=KEY)

    def everywhere(self):
        """Every route with every upstream, streamed and not; what differs is told apart when it fails."""
        for wire in self.APIS:
            for model in ["demo-openai", "demo-anthropic"]:
                for stream in ["stream=true", "stream=false"]:
                    yield wire, model, ["-p", stream], f"{model} through {wire}, {stream}"

    def test_an_answer_is_the_same_through_every_route(self):
        for wire, model, arguments, name in self.everywhere():
            with self.subTest(name):
                answer, code = self.ask(wire, model, *arguments, "Summarize: the cat sat on the mat. It purred.")
                self.assertEqual((code, answer["status"], answer["finish_reason"]), (0, "ok", "stop"), answer)
                self.assertEqual(answer["text"], "In short: The cat sat on the mat.")
                self.assertEqual((answer["usage"]["input_tokens"], answer["usage"]["output_tokens"]), (9, 21))
                # LiteLLM loses thoughts on its way to Gemini's format.
                if wire != "gemini":
                    self.assertIn("What comes first usually matters most.", answer["reasoning"])

    def test_a_function_call_is_the_same_through_every_route(self):
        with tempfile.NamedTemporaryFile("w", suffix=".json") as tools:
            json.dump(self.TOOLS, tools)
            tools.flush()
            for wire, model, arguments, name in self.everywhere():
                with self.subTest(name):
                    answer, code = self.ask(wire, model, *arguments, "--tools", tools.name, "Ask get_weather, please.")
                    self.assertEqual((code, answer["finish_reason"]), (0, "tool_calls"), answer)
                    (call,) = answer["tool_calls"]
                    self.assertEqual((call["name"], json.loads(call["arguments"])), ("get_weather", {"city": "city"}))

    def test_one_piece_where_a_stream_was_asked_for_is_an_answer(self):
        # What LiteLLM mocks at /v1/messages is never a stream.
        answer, code = self.ask("messages", "priced", PROMPT)
        self.assertEqual((code, answer["text"]), (0, ANSWER))

    def test_a_stream_that_fails_in_the_gateway_is_a_failure(self):
        # What LiteLLM mocks at /v1/responses cannot be streamed: 200, and then `response.failed`.
        answer, code = self.ask("responses", "priced", PROMPT)
        self.assertEqual((code, answer["status"], answer["error"]["kind"]), (1, "failed", "server_error"))
        answer, code = self.ask("responses", "priced", "-p", "stream=false", PROMPT)
        self.assertEqual((code, answer["text"]), (0, ANSWER))

    def test_errors_keep_their_kind(self):
        for wire, model, code, kind in [
            ("messages", "limited", 6, "rate_limited"), ("messages", "overflow", 1, "context_length"),
            ("messages", "slow-limited", 6, "rate_limited"), ("messages", "up-refuses-key", 4, "auth"),
            ("responses", "up-refuses-key", 4, "auth"), ("gemini", "limited", 6, "rate_limited"),
            ("gemini", "overflow", 1, "context_length"), ("gemini", "up-refuses-key", 4, "auth"),
        ]:
            with self.subTest(wire=wire, model=model):
                answer, got = self.ask(wire, model, PROMPT)
                self.assertEqual((got, answer["error"]["kind"]), (code, kind), answer)

    def test_an_error_after_half_an_answer_is_8_and_keeps_the_half(self):
        for model in ["up-breaks-off", "up-fails-late"]:
            answer, code = self.ask("gemini", model, PROMPT)
            self.assertEqual((code, answer["status"], answer["text"]), (8, "truncated", "Half an answer"), answer)


class Models(Case):
    def offered(self):
        config = f'gateway = "litellm"\n[gateway.litellm]\nbase_url = "{PROXY.base_url}"\n'
        outcome = llm("models", "-o", "json", config=config)
        self.assert_exit(outcome, 0)
        models = outcome.json()
        return {model["id"]: model for model in (models["models"] if isinstance(models, dict) else models)}

    def test_all_models_of_the_gateway_are_listed(self):
        self.assertLessEqual({"priced", "cheap", "unpriced", "limited", "flaky"}, set(self.offered()))

    def test_prices_are_those_of_the_gateways_list(self):
        models = self.offered()
        # Dollars per million tokens.
        self.assertAlmostEqual(models["priced"]["price"]["input"], 2.0)
        self.assertAlmostEqual(models["priced"]["price"]["output"], 10.0)
        self.assertAlmostEqual(models["cheap"]["price"]["output"], 0.6)

    def test_a_model_without_a_price_is_not_free(self):
        self.assertIsNone(self.offered()["unpriced"]["price"])


def main():
    global LLM, PROXY
    LLM = os.path.abspath(sys.argv.pop(1))
    venv = Path(sys.argv.pop(1)).resolve()
    with Proxy(venv, LLM) as PROXY:
        unittest.main(exit=False, verbosity=2).result.wasSuccessful() or sys.exit(1)


if __name__ == "__main__":
    main()
