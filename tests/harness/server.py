"""A server of a test's own, with roles that log in, and how it ended."""
import contextlib
import os
import re
import subprocess
import sys


class Server:
    """A server that runs: its process, where it listens, and what went wrong so far."""

    def __init__(self, process, ready):
        self.process, self.pid = process, process.pid
        host, port = re.search(r"postgres=(\S+):(\d+)", ready).groups()
        self.address, self.failures = (host, int(port)), []
        self.http = re.search(r"http=(\S+)", ready).group(1)


def prepare(binary, environment, roles, password):
    """Adds roles to the store that `environment` names."""
    for role in roles:
        subprocess.run([binary, "role", "add", role], input=password + "\n", text=True,
                       env=environment, check=True, stdout=subprocess.DEVNULL)


@contextlib.contextmanager
def serving(binary, environment, folder):
    """Serves; at the end the server has to stop by itself when told to, and its log is shown if
    something failed."""
    with open(folder + "/log", "w") as log:
        process = subprocess.Popen([binary, "serve"], env=environment, stderr=log,
                                   stdout=subprocess.PIPE, text=True)
    try:
        server = Server(process, process.stdout.readline())
        yield server
        if process.poll() is not None:
            server.failures.append("the server ended")
    finally:
        process.terminate()
        code = process.wait(60)
    if code != 0:
        server.failures.append(f"the server ended with {code}")
    if server.failures:
        print(open(folder + "/log").read()[-4000:], file=sys.stderr)


def verdict(name, failures):
    """Says how it went; the exit code."""
    print("FAILED: " + ", ".join(failures) if failures else f"{name} ok")
    return 1 if failures else 0


def resident(pid):
    """Memory of a process (bytes)."""
    with open(f"/proc/{pid}/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
