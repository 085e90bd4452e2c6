"""A PostgreSQL of one's own: Debian's, in a directory of its own, on a free loopback port, run by another user than root."""

import glob
import os
import pwd
import shutil
import socket
import subprocess
import tempfile


class Postgres:
    """A server that can be stopped and started; a context manager."""

    def __enter__(self):
        found = sorted(glob.glob("/usr/lib/postgresql/*/bin/postgres"), key=lambda path: int(path.split("/")[4]))
        self.bin = os.path.dirname(found[-1] if found else shutil.which("postgres") or exit("there is no PostgreSQL"))
        self.dir = tempfile.mkdtemp(prefix="llm-postgres-")
        self.user = {}
        if os.geteuid() == 0:
            # PostgreSQL does not run as root.
            account = pwd.getpwnam("nobody")
            os.chown(self.dir, account.pw_uid, account.pw_gid)
            self.user = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
        password = os.path.join(self.dir, "password")
        with open(password, "w") as file:
            file.write(PASSWORD)
        os.chmod(password, 0o644)
        self.run("initdb", "--pgdata", self.data, "--username", "llm", "--auth", "scram-sha-256", "--pwfile", password,
                 "--encoding", "UTF8", "--locale", "C")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"postgres://llm:{PASSWORD}@127.0.0.1:{self.port}"
        self.start()
        return self

    @property
    def data(self):
        return os.path.join(self.dir, "data")

    def run(self, program, *arguments):
        subprocess.run([os.path.join(self.bin, program), *arguments], check=True, stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, cwd=self.dir, env={"PATH": os.environ["PATH"], "LC_ALL": "C"}, **self.user)

    def start(self):
        options = f"-c listen_addresses=127.0.0.1 -c port={self.port} -c unix_socket_directories={self.dir} -c max_connections=50"
        self.run("pg_ctl", "start", "--wait", "--timeout", "120", "--pgdata", self.data,
                 "--log", os.path.join(self.dir, "log"), "--options", options)

    def stop(self, mode="fast"):
        self.run("pg_ctl", "stop", "--wait", "--timeout", "120", "--pgdata", self.data, "--mode", mode)

    def query(self, sql, database="postgres"):
        """The rows, as texts."""
        out = subprocess.run(
            [os.path.join(self.bin, "psql"), "--no-psqlrc", "--tuples-only", "--no-align", "--set", "ON_ERROR_STOP=1",
             "--command", sql, f"host=127.0.0.1 port={self.port} user=llm dbname={database}"],
            check=True, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            env={"PATH": os.environ["PATH"], "PGPASSWORD": PASSWORD})
        return out.stdout.splitlines()

    def __exit__(self, *_):
        try:
            self.stop("immediate")
        finally:
            shutil.rmtree(self.dir, ignore_errors=True)


# A canary: it is in no answer, error, log or file but the config.
PASSWORD = "pw-CANARY-5d1b7c90"
