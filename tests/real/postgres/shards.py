"""The shards of a batch, on machines that share one PostgreSQL: one of them is killed, and goes on.

    shards.py LLM_BINARY [Shards.test_…]
"""

import io
import json
import os
import subprocess
import sys
import tempfile
import threading
import unittest
from pathlib import Path

from chaos import CONFIG, COST, KEY, PATIENCE, Handler, Upstream, until
from server import PASSWORD, Postgres

LLM = None
ROWS = 30
TEMPLATE = "secret words about {{ n }}"
# The row that the gateway refuses, and the first that it does not answer before it is told to.
REFUSED, HELD = 3, 15


class Gateway(Upstream):
    def __init__(self):
        super().__init__()
        self.RequestHandlerClass = Held
        self.released = threading.Event()
        self.held = 0


class Held(Handler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        row = int(json.loads(body)["messages"][-1]["content"].rsplit(" ", 1)[1])
        if row == REFUSED:
            refusal = json.dumps({"error": {"message": "no", "type": "invalid_request_error"}}).encode()
            self.send_response(400)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(refusal)))
            self.end_headers()
            self.wfile.write(refusal)
            return
        if row % 3 == 2 and row >= HELD and not self.server.released.is_set():
            self.server.held += 1
            self.server.released.wait(PATIENCE)
        self.rfile = io.BytesIO(body)
        super().do_POST()


class Machine:
    """A home of its own, with its own copy of the data set."""

    def __init__(self, home, name, url, store):
        self.dir = Path(home, name)
        self.dir.mkdir()
        (self.dir / "llm.toml").write_text(CONFIG.format(url=url))
        (self.dir / "rows.jsonl").write_text("".join(json.dumps({"n": n + 1}) + "\n" for n in range(ROWS)))
        self.environment = {"PATH": os.environ["PATH"], "HOME": str(self.dir), "LLM_CONFIG": str(self.dir / "llm.toml"),
                            "LLM_API_KEY": KEY, "LLM_DATA_DIR": str(self.dir / "data"), "LLM_STORE_URL": store}

    def start(self, *arguments):
        return subprocess.Popen([LLM, *arguments], env=self.environment, cwd=self.dir, text=True, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def llm(self, *arguments):
        process = self.start(*arguments)
        out, error = process.communicate(timeout=PATIENCE)
        assert PASSWORD not in out + error and KEY not in out + error
        return process.returncode, out, error

    def shard(self, number, out, *further):
        return ["batch", "rows.jsonl", TEMPLATE, "-m", "m", "--shard", f"{number}/3", "--out", out, "--concurrency", "2", *further]

    def jobs(self):
        code, out, error = self.llm("batch", "list", "-o", "json")
        assert code == 0, error
        return json.loads(out)


class Shards(unittest.TestCase):
    def setUp(self):
        self.postgres = self.enterContext(Postgres())
        self.postgres.query("CREATE DATABASE llm")
        home = self.enterContext(tempfile.TemporaryDirectory())
        self.gateway = Gateway()
        self.addCleanup(self.gateway.server_close)
        self.addCleanup(self.gateway.shutdown)
        self.addCleanup(self.gateway.released.set)
        self.machines = [Machine(home, f"m{n}", self.gateway.url, f"{self.postgres.url}/llm") for n in range(4)]

    def standing(self):
        """The one job, as a machine sees it that has done nothing."""
        jobs = self.machines[3].jobs()
        self.assertLessEqual(len(jobs), 1, "the shards are one job")
        return jobs[0] if jobs else {"shards": []}

    def states(self):
        return [shard["state"] for shard in self.standing()["shards"]]

    def begin(self):
        """Three machines do a shard each; the second one is killed in the middle."""
        first, second, third, _ = self.machines
        running = [first.start(*first.shard(1, "1.jsonl")), third.start(*third.shard(3, "3.jsonl"))]
        killed = second.start(*second.shard(2, "2.jsonl"))
        self.addCleanup(killed.communicate)
        self.addCleanup(killed.kill)
        for process, code in zip(running, (0, 8)):
            _, error = process.communicate(timeout=PATIENCE)
            self.assertEqual(process.returncode, code, error)
            self.assertNotIn("does not know", error)
        # Rows 2, 5, 8 … before the first that is held.
        answered = len(range(2, HELD, 3))
        until("the held rows", lambda: self.gateway.held == 2)
        until("the progress of the second shard", lambda: [
            (s["state"], s["ok"]) for s in self.standing()["shards"] if s["shard"] == 2] == [("running", answered)])
        job = self.standing()
        self.assertEqual((job["state"], job["ok"], job["failed"], job["total"]), ("running", 19 + answered, 1, ROWS))
        self.assertEqual((job["shard_count"], job["input"], job["models"]), (3, "rows.jsonl", ["m"]))
        killed.kill()
        killed.wait()
        return job

    def test_the_shards_of_a_batch_are_one_job_on_every_machine(self):
        first, second, _, fourth = self.machines
        began = self.begin()
        until("the silence of the second shard", lambda: self.states() == ["finished", "silent", "finished"])
        self.assertEqual(self.standing()["state"], "silent")
        code, text, error = fourth.llm("batch", "status")
        self.assertEqual(code, 0, error)
        self.assertIn("3 of 3 shards of rows.jsonl", text)
        self.assertIn("silent", text)
        # Its own machine knows it for sure.
        self.assertIn("killed", second.llm("batch", "status", began["id"])[1])

        self.gateway.released.set()
        code, _, error = second.llm(*second.shard(2, "2.jsonl", "--resume"))
        self.assertEqual(code, 0, error)
        job = self.standing()
        self.assertEqual((job["id"], job["state"], job["ok"], job["failed"], job["truncated"], job["total"]),
                         (began["id"], "finished", ROWS - 1, 1, 0, ROWS))
        self.assertEqual([shard["id"] for shard in job["shards"]], [shard["id"] for shard in began["shards"]])
        self.assertEqual([shard["ok"] for shard in job["shards"]], [10, 10, 9])
        self.assertAlmostEqual(job["cost_usd"], (ROWS - 1) * COST / 10**12, 12)
        self.assertEqual(json.loads(fourth.llm("batch", "status", job["id"][-8:], "-o", "json")[1]), job)
        # The outputs say the same.
        lines = [json.loads(line) for n in range(3) for line in (self.machines[n].dir / f"{n + 1}.jsonl").read_text().splitlines()]
        self.assertEqual(sorted(line["row"] for line in lines), list(range(1, ROWS + 1)))
        self.assertEqual({line["job"] for line in lines}, {shard["id"] for shard in job["shards"]})
        # A machine that did a shard has it in the job, with its output, and nowhere else.
        here, = first.jobs()
        outputs = [shard["output"] for shard in here["shards"]]
        self.assertEqual(outputs, [str((first.dir / "1.jsonl").resolve()), None, None])

        # The same batch once more is another job.
        code, _, error = first.llm(*first.shard(1, "again.jsonl"))
        self.assertEqual(code, 0, error)
        again, before = fourth.jobs()
        self.assertEqual(before, job)
        self.assertEqual((again["state"], again["ok"], again["total"], len(again["shards"])), ("stopped", 10, None, 1))

        kept = "\n".join(self.postgres.query("SELECT row_to_json(j) FROM llm.batch_jobs AS j", "llm")
                         + self.postgres.query("SELECT row_to_json(s) FROM llm.batch_shards AS s", "llm"))
        for secret in ("secret words", KEY, str(first.dir)):
            self.assertNotIn(secret, kept)
        code, _, error = fourth.llm("log", "purge", "--all")
        self.assertEqual(code, 0, error)
        self.assertEqual(fourth.jobs(), [])

    def test_a_database_that_is_lost_costs_a_shard_nothing(self):
        self.gateway.released.set()
        first, second, _, fourth = self.machines
        self.assertEqual(first.llm(*first.shard(1, "1.jsonl"))[0], 0)
        self.postgres.stop("immediate")
        code, _, error = second.llm(*second.shard(2, "2.jsonl"))
        self.assertEqual(code, 0, error)
        self.assertEqual(error.count("does not know how this shard stands"), 1, error)
        self.assertEqual(len((second.dir / "2.jsonl").read_text().splitlines()), 10)
        code, out, error = second.llm("batch", "list", "-o", "json")
        self.assertEqual((code, [job["state"] for job in json.loads(out)]), (0, ["finished"]), error)
        self.assertIn("only batches of this machine are shown", error)
        self.postgres.start()
        # What the database lacks is there as soon as the batch is taken up again.
        self.assertEqual([shard["shard"] for shard in self.standing()["shards"]], [1])
        code, _, error = second.llm(*second.shard(2, "2.jsonl", "--resume"))
        self.assertEqual(code, 0, error)
        self.assertIn("this is shard 2 of 3 of batch", error)
        self.assertEqual(self.states(), ["finished", "finished"])
        self.assertEqual(self.standing()["ok"], 20)


if __name__ == "__main__":
    LLM = os.path.abspath(sys.argv.pop(1))
    unittest.main(verbosity=2)
