"""An S3 server of a test's own, and proof that its conditional puts let one of many through."""
import contextlib
import http.client
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import threading
import time

BUCKET = "warehouse"
SIGNED = ("AWS4-HMAC-SHA256 Credential=key/20261125/us-east-1/s3/aws4_request, "
          "SignedHeaders=host, Signature=none")
START = "import sys; from moto.server import main; main(['-H', '127.0.0.1', '-p', sys.argv[1]])"


class Bucket:
    """The bucket over plain HTTP; the server checks no signature."""

    def __init__(self, port, process):
        self.port, self.process = port, process

    def pause(self, is_paused):
        """Stops the server where it is, or lets it go on."""
        self.process.send_signal(signal.SIGSTOP if is_paused else signal.SIGCONT)

    def ask(self, method, path, body=b"", headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request(method, f"/{BUCKET}{path}", body, {"Authorization": SIGNED, **(headers or {})})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()

    def keys(self, prefix):
        found, token = [], ""
        while True:
            text = self.ask("GET", f"?list-type=2&prefix={prefix}{token}")[2].decode()
            found += re.findall(r"<Key>(.*?)</Key>", text)
            after = re.search(r"<NextContinuationToken>(.*?)</NextContinuationToken>", text)
            if not after:
                return found
            token = f"&continuation-token={after.group(1)}"

    def race(self, key, headers, writers=8):
        """The answers to as many puts of one key at the same instant."""
        answers, gate = [], threading.Barrier(writers)

        def put(number):
            gate.wait()
            answers.append(self.ask("PUT", key, f"{number}".encode() * 20_000, headers)[0])
        threads = [threading.Thread(target=put, args=(number,)) for number in range(writers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return sorted(answers)

    def is_fair(self, rounds=40):
        """Whether exactly one of eight conditional puts wins, each time, new or replaced."""
        one = [200] + [412] * 7
        for turn in range(rounds):
            if self.race(f"/race/new-{turn}", {"If-None-Match": "*"}) != one:
                return False
            tag = self.ask("PUT", f"/race/old-{turn}", b"old")[1]["ETag"]
            if self.race(f"/race/old-{turn}", {"If-Match": tag}) != one:
                return False
        return True


@contextlib.contextmanager
def serving(folder):
    """The server's bucket and the environment that a client of it needs."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with open(pathlib.Path(folder) / "s3.log", "w") as log:
        process = subprocess.Popen([sys.executable, "-c", START, str(port)], stdout=log, stderr=log)
    try:
        bucket = Bucket(port, process)
        for _ in range(300):
            try:
                if bucket.ask("PUT", "")[0] == 200:
                    break
            except OSError:
                time.sleep(0.1)
        else:
            raise SystemExit("the S3 server did not start: " + open(log.name).read()[-2000:])
        yield bucket, {
            **os.environ,
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}", "AWS_ALLOW_HTTP": "true",
            "AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "canary-s3-secret", "NO_PROXY": "127.0.0.1",
        }
    finally:
        process.kill()
        process.wait()
