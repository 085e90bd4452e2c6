"""aichat as a client of `llm serve` before the demo gateway, with its clients for three wire formats: what it shows must be what the
models say, and what it is told where they say nothing.

Run by `tests/real/run` as: tests.py LLM_BINARY AICHAT_BINARY
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
import types
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "sdks"))
from servers import CALL, IMAGE_URL, LONG, PATIENCE, PROMPT, SHORT, THOUGHT, Client, all_pass, images, png

AICHAT = None
CLIENTS = {"openai-compatible": "v1", "openai": "v1", "claude": "v1", "gemini": "v1beta"}
MODELS = """
      - { name: demo/quick, max_input_tokens: 100000, max_output_tokens: 30000, supports_vision: true, supports_function_calling: true }
      - { name: demo/thinker }
      - { name: demo/down }
      - { name: demo/none }
"""


class Aichat(Client):
    """The tests of one of its clients."""

    CLIENT = None

    def setUp(self):
        self.home = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.use(self.at.key)

    def use(self, key):
        """Takes this key from now on."""
        root = f"{self.at.root}/{CLIENTS[self.CLIENT]}"
        (self.home / "config.yaml").write_text(
            f"save: false\nfunction_calling: true\nclients:\n  - type: {self.CLIENT}\n    name: it\n    api_base: {root}\n"
            f"    api_key: {key}\n    models:{MODELS}")

    def start(self, model, *arguments):
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.home), "AICHAT_CONFIG_DIR": str(self.home)}
        return subprocess.Popen([AICHAT, "-m", f"it:{model}", *arguments], env=environment, text=True, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def aichat(self, model, *arguments):
        """Its exit code, stdout and stderr."""
        process = self.start(model, *arguments)
        out, error = process.communicate(timeout=PATIENCE)
        return process.returncode, out.strip(), error

    def says(self, expected, *arguments, model="demo/quick"):
        for form in ((), ("-S",)):
            code, out, error = self.aichat(model, *form, *arguments)
            self.assertEqual((code, out), (0, expected), error)

    def fails(self, model, *words):
        for form in ((), ("-S",)):
            code, out, error = self.aichat(model, *form, PROMPT)
            self.assertEqual((code, out), (1, ""), error)
            for word in words:
                self.assertIn(word, error)
            if not form:
                # A client that does not know the shape of an error shows all of it.
                self.assertNotIn("Invalid response data", error)

    def test_answers_streamed_and_whole(self):
        self.says(SHORT, PROMPT)
        self.says(SHORT, "--prompt", "be brief", PROMPT)
        for form in ((), ("-S",)):
            code, out, error = self.aichat("demo/thinker", *form, PROMPT)
            self.assertEqual(code, 0, error)
            self.assertIn(THOUGHT, out)
            self.assertTrue(out.endswith(f"In short: {SHORT}"), out)

    def test_files(self):
        (self.home / "image.png").write_bytes(png())
        for form in ((), ("-S",)):
            code, _, error = self.aichat("demo/quick", *form, "-f", str(self.home / "image.png"), "--", "what is it?")
            self.assertEqual(code, 0, error)
            self.assertEqual(images(self.at.api, self.at.recorder.last), [IMAGE_URL])
        (self.home / "note.txt").write_text("a purring word")
        code, _, error = self.aichat("demo/quick", "-f", str(self.home / "note.txt"), "--", "Summarize:")
        self.assertEqual(code, 0, error)
        self.assertIn("a purring word", str(self.at.recorder.last))

    def test_a_tool_is_called_and_its_result_answered(self):
        functions = self.home / "functions"
        (functions / "bin").mkdir(parents=True)
        (functions / "functions.json").write_text(
            '[{"name": "get_weather", "description": "the weather", "parameters": {"type": "object", "properties":'
            ' {"city": {"type": "string"}, "days": {"type": "integer"}}, "required": ["city", "days"]}}]')
        tool = functions / "bin" / "get_weather"
        tool.write_text('#!/bin/sh\necho "$1" > "$AICHAT_CONFIG_DIR/arguments"\necho \'{"said": "it rains"}\' > "$LLM_OUTPUT"\n')
        tool.chmod(0o755)
        (self.home / "roles").mkdir()
        (self.home / "roles" / "forecaster.md").write_text("---\nuse_tools: get_weather\n---\n")
        for form in ((), ("-S",)):
            code, out, error = self.aichat("demo/quick", "-r", "forecaster", *form, CALL)
            self.assertEqual(code, 0, error)
            self.assertIn("rains", out)
            self.assertEqual((self.home / "arguments").read_text().strip(), '{"city":"city","days":1}')
            (self.home / "arguments").unlink()

    def test_failures(self):
        self.fails("demo/none", "the demo gateway has no model `demo/none`")
        self.fails("demo/down", "demo/down is overloaded")
        name = f"gone-{self.CLIENT}"
        self.use(self.at.serve.new_key(name))
        self.wait_until_it_ends_with(0)
        self.at.serve.run("--quiet", "serve", "key", "revoke", name)
        self.wait_until_it_ends_with(1)
        self.fails("demo/quick", "the key is not known here, or has ended")

    def wait_until_it_ends_with(self, code):
        """Servers know of a change of keys within a second."""
        end = time.monotonic() + PATIENCE
        while self.aichat("demo/quick", PROMPT)[0] != code:
            self.assertLess(time.monotonic(), end, "the server does not know of the change")

    def test_a_reader_that_leaves_stops_the_gateway(self):
        process = self.start("demo/quick", LONG)
        self.assertEqual(process.stdout.read(4), "Word")
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=PATIENCE)
        self.assertNotEqual(process.returncode, 0)
        self.assert_stopped()


if __name__ == "__main__":
    llm, AICHAT = sys.argv[1], os.path.abspath(sys.argv[2])
    module = types.SimpleNamespace(**{
        name: type(name, (Aichat,), {"CLIENT": name, "FORMAT": name}) for name in CLIENTS})
    sys.exit(not all_pass(llm, module, ["openai-chat", "openai-responses", "anthropic", "gemini"]))
