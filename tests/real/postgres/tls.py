"""TLS to the store: which connections are encrypted, which are refused, and what is said then.

    tls.py LLM_BINARY [Tls.test_…]
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from urllib.parse import quote

from chaos import CONFIG, KEY, Server, Upstream, until
from server import PASSWORD, Authority, Postgres

LLM = None
NETWORK, BAD_CONFIG = 7, 3


class Tls(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        home = Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        for name in ("ours", "other"):
            (home / name).mkdir()
        cls.home = home
        cls.authority, cls.other = (Authority(str(home / name), name) for name in ("ours", "other"))
        cls.certificate = cls.authority.sign("db", "DNS:localhost")
        cls.postgres = cls.enterClassContext(Postgres())
        cls.postgres.query("CREATE DATABASE llm")
        cls.postgres.set("log_connections", "on")
        cls.hba = Path(cls.postgres.data, "pg_hba.conf")
        cls.hba_before = cls.hba.read_text()

    def setUp(self):
        self.allow(self.hba_before)
        self.postgres.encrypt(*self.certificate)
        until("TLS", lambda: self.llm(self.url("sslmode=require"), self.authority.pem)[0] == 0)

    def allow(self, rules):
        self.hba.write_text(rules)
        self.postgres.reload()

    def url(self, query="", host="localhost"):
        return f"postgres://llm:{PASSWORD}@{host}:{self.postgres.port}/llm" + (f"?{query}" if query else "")

    def environment(self, url, ca_file=None):
        config = self.home / "llm.toml"
        store = f'ca_file = "{ca_file}"\n' if ca_file else ""
        config.write_text(CONFIG.format(url="http://127.0.0.1:9/v1") + f'[store]\nurl = "{url}"\n{store}')
        return {"PATH": os.environ["PATH"], "HOME": str(self.home), "LLM_CONFIG": str(config), "LLM_API_KEY": KEY,
                "LLM_DATA_DIR": str(self.home / "data"), "SSL_CERT_FILE": self.other.pem}

    def llm(self, url, ca_file=None):
        """What a command that reads the store does: its exit code, and its stderr."""
        done = subprocess.run([LLM, "usage", "-o", "json"], env=self.environment(url, ca_file), stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=120)
        self.assertNotIn(PASSWORD, done.stdout + done.stderr)
        return done.returncode, done.stderr

    def works(self, url, ca_file=None):
        """Whether the connection was encrypted."""
        before = len(self.postgres.log())
        code, error = self.llm(url, ca_file)
        self.assertEqual(code, 0, error)
        made = re.findall(r"connection authorized: user=llm .*application_name=llm(.*)", self.postgres.log()[before:])
        encrypted = {"SSL enabled" in connection for connection in made}
        self.assertEqual(len(encrypted), 1, made)
        return encrypted.pop()

    def refused(self, code, words, url, ca_file=None):
        before = len(self.postgres.log())
        found, error = self.llm(url, ca_file)
        self.assertEqual(found, code, error)
        self.assertTrue(error.startswith("error: "), error)
        for word in words:
            self.assertIn(word, error)
        self.assertNotIn("connection authorized: user=llm database=llm application_name=llm", self.postgres.log()[before:])

    def test_connections_are_encrypted_by_whoever_can_be_trusted(self):
        ours = self.authority.pem
        root = "sslrootcert=" + quote(ours, safe="")
        for query, ca_file in (("sslmode=require", ours), ("sslmode=verify-full", ours), ("", ours), ("sslmode=prefer", ours),
                               (root, None), (f"sslmode=verify-full&{root}", None), (f"sslmode=require&{root}", self.other.pem),
                               # The password proves that nobody stands between.
                               ("sslmode=require&channel_binding=require", ours)):
            with self.subTest(query):
                self.assertTrue(self.works(self.url(query), ca_file))
        # A path of the config begins beside it.
        self.assertTrue(self.works(self.url("sslmode=require"), "ours/ca.pem"))
        # Any name will do.
        self.assertTrue(self.works(self.url("sslmode=verify-ca", "127.0.0.1"), ours))
        # The system's authorities are those of SSL_CERT_FILE.
        self.postgres.encrypt(*self.other.sign("system", "DNS:localhost"))
        until("the certificate", lambda: self.llm(self.url("sslmode=require"))[0] == 0)
        self.assertTrue(self.works(self.url("sslmode=require&sslrootcert=system"), ours))

    def test_a_certificate_that_proves_nothing_is_refused(self):
        for query in ("sslmode=require", "sslmode=verify-full", "sslmode=prefer", ""):
            with self.subTest(query):
                words = ("localhost/llm cannot be used", "caused by: ", "UnknownIssuer", "hint: ", "ca_file of [store]")
                # The authorities of the system, and a wrong one.
                self.refused(NETWORK, words, self.url(query))
                self.refused(NETWORK, words, self.url(query), self.other.pem)
        self.refused(NETWORK, ("UnknownIssuer", "hint: "), self.url("sslmode=verify-ca"), self.other.pem)
        for query in ("sslmode=require", "sslmode=verify-full", ""):
            with self.subTest(query):
                self.refused(NETWORK, ("not valid for name", "localhost", "hint: ", "verify-ca"),
                             self.url(query, "127.0.0.1"), self.authority.pem)

    def test_a_database_without_tls_is_refused_where_tls_is_asked_for(self):
        self.postgres.set("ssl", "off")
        until("no TLS", lambda: self.postgres.query("SHOW ssl") == ["off"])
        ours = self.authority.pem
        for query, ca_file in (("sslmode=require", ours), ("sslmode=verify-ca", ours), ("sslmode=verify-full", None), ("", ours)):
            with self.subTest(query):
                self.refused(NETWORK, ("does not support TLS", "hint: `ssl = on`"), self.url(query), ca_file)
        self.assertFalse(self.works(self.url()))
        self.assertFalse(self.works(self.url("sslmode=prefer"), ours))

    def test_tls_can_be_forbidden(self):
        self.assertFalse(self.works(self.url("sslmode=disable"), self.authority.pem))
        # What is in a socket leaves no machine.
        socket = quote(self.postgres.dir, safe="")
        self.assertFalse(self.works(self.url("sslmode=verify-full", socket), self.authority.pem))
        self.allow("local all all scram-sha-256\nhostssl all all all scram-sha-256\n")
        until("the rule", lambda: self.llm(self.url("sslmode=disable"))[0] != 0)
        self.refused(BAD_CONFIG, ("cannot be used", "caused by: ", "no encryption"), self.url("sslmode=disable"))
        self.assertTrue(self.works(self.url("sslmode=prefer"), self.authority.pem))

    def test_a_database_may_ask_for_a_certificate(self):
        self.postgres.encrypt(*self.certificate, self.authority.pem)
        self.allow("local all all scram-sha-256\nhostssl all all all scram-sha-256 clientcert=verify-full\n")
        ours = self.authority.pem
        until("the rule", lambda: self.llm(self.url("sslmode=require"), ours)[0] != 0)
        self.refused(BAD_CONFIG, ("client certificate",), self.url("sslmode=require"), ours)
        certificate, key = self.authority.sign("llm")
        query = f"sslmode=require&sslcert={quote(certificate, safe='')}&sslkey={quote(key, safe='')}"
        self.assertTrue(self.works(self.url(query), ours))

    def test_mistakes_in_the_address_are_told_without_the_password(self):
        ours = self.authority.pem
        for query, words, ca_file in (
            ("sslmode=allow", ("sslmode", "hint: known are disable"), None),
            ("sslmode=verify-ca", ("needs the certificate of an authority",), None),
            ("sslmode=require&sslrootcert=/nonexistent/ca.pem", ("/nonexistent/ca.pem", "caused by: "), None),
            ("sslmode=require", ("ca.key", "no certificate"), ours.replace(".pem", ".key")),
            ("sslcert=/x", ("sslkey",), ours),
        ):
            with self.subTest(query):
                self.refused(BAD_CONFIG, words, self.url(query), ca_file)

    def test_a_server_keeps_encrypted_connections(self):
        upstream = Upstream()
        self.addCleanup(upstream.server_close)
        self.addCleanup(upstream.shutdown)
        store = self.url("sslmode=verify-full&sslrootcert=" + quote(self.authority.pem, safe=""))
        server = Server(self.home, "serve", upstream.url, store)
        self.addCleanup(server.errors.close)
        self.addCleanup(server.kill)
        ssl = ("SELECT count(*), bool_and(ssl), min(version) FROM pg_stat_activity JOIN pg_stat_ssl USING (pid) "
               "WHERE application_name = 'llm'")
        server.llm("serve", "key", "new", "bot")
        server.llm("ask", "-m", "m", "hi")
        until("connections", lambda: int(self.postgres.query(ssl)[0].split("|")[0]) > 0)
        count, encrypted, version = self.postgres.query(ssl)[0].split("|")
        self.assertEqual((encrypted, version), ("t", "TLSv1.3"), count)
        self.assertEqual(json.loads(server.llm("usage", "-o", "json"))["total"]["calls"], 1)


if __name__ == "__main__":
    import chaos

    LLM = chaos.LLM = os.path.abspath(sys.argv.pop(1))
    unittest.main(verbosity=2)
