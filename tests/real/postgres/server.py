"""A PostgreSQL of one's own: Debian's, in a directory of its own, on a free loopback port, run by another user than root."""

import glob
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile


class Authority:
    """Whoever signs certificates: its own, and those of others, in files of a directory."""

    def __init__(self, dir, name):
        self.dir = dir
        self.pem = os.path.join(dir, "ca.pem")
        self.make("ca", name, "-addext", "basicConstraints=critical,CA:true", "-addext", "keyUsage=critical,keyCertSign")

    def sign(self, name, *names):
        """A certificate for NAME, with these alternative names, and its key."""
        return self.make(name, name, "-CA", self.pem, "-CAkey", os.path.join(self.dir, "ca.key"), "-addext",
                         "basicConstraints=CA:false", *(["-addext", "subjectAltName=" + ",".join(names)] if names else []))

    def make(self, file, name, *options):
        certificate, key = (os.path.join(self.dir, f"{file}.{kind}") for kind in ("pem", "key"))
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc", "-days", "30",
                        "-subj", f"/CN={name}", "-keyout", key, "-out", certificate, *options], check=True, capture_output=True)
        return certificate, key


class Postgres:
    """A server that can be stopped and started; a context manager."""

    def encrypt(self, certificate, key, authority=None):
        """Speaks TLS from now on; the authority is that of clients' certificates."""
        for source, name in ((certificate, "server.crt"), (key, "server.key"), (authority, "root.crt")):
            if source:
                path = os.path.join(self.data, name)
                shutil.copy(source, path)
                os.chmod(path, 0o600)
                if self.user:
                    os.chown(path, self.user["user"], self.user["group"])
        self.set("ssl_ca_file", "root.crt" if authority else "")
        self.set("ssl", "on")

    def set(self, name, value):
        """Changes a setting of the running server."""
        self.query(f"ALTER SYSTEM SET {name} = '{value}'")
        self.reload()

    def reload(self):
        self.run("pg_ctl", "reload", "--pgdata", self.data)

    def log(self):
        with open(os.path.join(self.dir, "log")) as file:
            return file.read()

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

    def hang(self):
        """Takes connections and says nothing any more; the function that is returned ends that."""
        with open(os.path.join(self.data, "postmaster.pid")) as file:
            parent = file.readline().strip()
        children = subprocess.run(["ps", "-o", "pid=", "--ppid", parent], check=True, capture_output=True, text=True).stdout.split()
        send = lambda number: [os.kill(int(process), number) for process in [parent, *children]]
        send(signal.SIGSTOP)
        return lambda: send(signal.SIGCONT)

    def query(self, sql, database="postgres"):
        """The rows, as texts."""
        out = subprocess.run(
            [os.path.join(self.bin, "psql"), "--no-psqlrc", "--tuples-only", "--no-align", "--set", "ON_ERROR_STOP=1",
             "--command", sql, f"host={self.dir} port={self.port} user=llm dbname={database}"],
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
