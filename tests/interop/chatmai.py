"""Drives the `chatmai` binary as an outsider would: its commands, its API, a signed webhook."""

import base64
import contextlib
import hashlib
import hmac
import http.client
import json
import os
import pathlib
import shutil
import signal
import ssl
import subprocess
import time
import urllib.parse

PATIENCE = 60


class House:
    """One data directory, and everything that processes on it have said on stderr."""

    def __init__(self, binary, directory, environment):
        self.binary = binary
        self.directory = pathlib.Path(directory)
        self.environment = {
            "PATH": os.environ["PATH"],
            "CHATMAI__LISTEN__INGEST": "127.0.0.1:0",
            "CHATMAI__LISTEN__API": "127.0.0.1:0",
            "CHATMAI__LISTEN__OPERATIONS": "127.0.0.1:0",
            **environment,
        }
        self.said = []

    def run(self, *arguments, stdin=None):
        """A command with `--json`: its object."""
        done = subprocess.run(
            [self.binary, *map(str, arguments), "--data-dir", self.directory, "--json"],
            env=self.environment,
            cwd=self.directory.parent,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        self.said.append(done.stderr)
        if done.returncode != 0:
            raise AssertionError(f"chatmai {' '.join(map(str, arguments[:2]))} ended with {done.returncode}: {done.stderr}")
        return json.loads(done.stdout.splitlines()[-1])

    def copy(self, directory):
        """The same data elsewhere."""
        shutil.copytree(self.directory, directory, ignore=lambda _, names: [n for n in names if n.endswith(".sock")])
        return House(self.binary, directory, self.environment)

    def data_files(self, workspace, table):
        return sorted(self.directory.glob(f"store/w/{workspace}/{table}/*/*/*.parquet"))

    @contextlib.contextmanager
    def up(self):
        """A running `chatmai up`; ends it with SIGTERM, which must be graceful."""
        words = self.directory.parent / f"{self.directory.name}.stderr"
        endpoints = self.directory / "endpoints.json"
        endpoints.unlink(missing_ok=True)
        with open(words, "wb") as stderr:
            process = subprocess.Popen(
                [self.binary, "up", "--data-dir", self.directory],
                env=self.environment,
                cwd=self.directory.parent,
                stdout=stderr,
                stderr=stderr,
            )
        try:
            wait(lambda: endpoints.exists() or process.poll() is not None, "endpoints.json")
            if process.poll() is not None:
                raise AssertionError(f"chatmai up ended with {process.returncode}: {words.read_text()}")
            yield Api(json.loads(endpoints.read_text()))
            process.send_signal(signal.SIGTERM)
            code = process.wait(timeout=PATIENCE)
            if code != 0:
                raise AssertionError(f"chatmai up ended with {code} after SIGTERM: {words.read_text()}")
        finally:
            process.kill()
            process.wait()
            self.said.append(words.read_text())


class Api:
    """The listeners of a running process."""

    def __init__(self, endpoints):
        self.endpoints = endpoints
        self.tls = ssl.create_default_context(cafile=endpoints["ca_certificate"])
        self.tls.minimum_version = ssl.TLSVersion.TLSv1_3

    def request(self, listener, method, path, body=None, headers=()):
        url = urllib.parse.urlsplit(self.endpoints[listener])
        connection = http.client.HTTPSConnection(url.hostname, url.port, context=self.tls, timeout=PATIENCE)
        try:
            connection.request(method, path, body=body, headers=dict(headers))
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def get(self, key, path):
        status, body = self.request("api", "GET", path, headers={"Authorization": f"Bearer {key}"})
        return status, json.loads(body)

    def events(self, key):
        """Every event of a workspace, page by page; or the first error as (status, problem)."""
        items, after = [], ""
        while True:
            status, page = self.get(key, f"/v1/events?limit=1000{after}")
            if status != 200:
                return status, page
            if not page["items"]:
                return 200, items
            items += page["items"]
            after = "&after=" + urllib.parse.quote(page["next_cursor"], safe="")

    def line_webhook(self, path, secret, body):
        signature = base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()
        headers = {"Content-Type": "application/json", "x-line-signature": signature}
        status, _ = self.request("ingest", "POST", path, body, headers)
        return status


def wait(condition, what):
    """Polls until the condition holds."""
    until = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > until:
            raise AssertionError(f"{what}: not within {PATIENCE} s")
        time.sleep(0.05)
