"""Starts LiteLLM's proxy on a free loopback port, and stops it."""

import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import upstream

HERE = Path(__file__).parent
KEY = "sk-master-of-these-tests"
# Nothing of it goes out to the network.
ENVIRONMENT = {
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LITELLM_TELEMETRY": "False",
    "HF_HUB_OFFLINE": "1",
    "NO_DOCS": "True",
    "NO_PROXY": "*",
    "MASTER_KEY": KEY,
}
START_LIMIT = 120  # seconds


class Proxy:
    """LiteLLM's proxy with the upstream that it asks; a context manager."""

    def __init__(self, venv: Path, llm: str):
        self.venv, self.llm = venv, llm

    def __enter__(self):
        self.upstream, upstream_url = upstream.start()
        self.demo = subprocess.Popen([self.llm, "demo-gateway"], text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        demo_v1 = self.demo.stdout.readline().strip()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.root = f"http://127.0.0.1:{port}"
        self.base_url = f"{self.root}/v1"
        self.log_path = self.venv / "proxy.log"
        self.log = self.log_path.open("wb")
        # LiteLLM offers no way to listen on port 0 and say which one it got.
        self.process = subprocess.Popen(
            [self.venv / "bin/litellm", "--config", HERE / "config.yaml", "--host", "127.0.0.1", "--port", str(port),
             "--num_workers", "1"],
            env={**os.environ, **ENVIRONMENT, "UPSTREAM_URL": upstream_url,
                 "DEMO_V1": demo_v1, "DEMO_ROOT": demo_v1.removesuffix("/v1")},
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=subprocess.STDOUT, start_new_session=True,
        )
        try:
            self.wait_until_healthy()
        except BaseException:
            self.__exit__()
            raise
        return self

    def wait_until_healthy(self):
        until = time.monotonic() + START_LIMIT
        while True:
            if self.process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"LiteLLM did not start:\n{self.log_path.read_text(errors='replace')[-4000:]}")
            try:
                with urllib.request.urlopen(f"{self.root}/health/liveliness", timeout=5):
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.1)

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()
        self.demo.communicate()
        self.upstream.shutdown()
        self.upstream.server_close()
