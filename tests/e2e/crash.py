"""Sessions that a daemon's deaths must not touch, but for the one that is meant.

For scripts of crash.bats: six clients, each in a shell of its own, and ways to let the master die.
"""

import os
import signal
import socket
import subprocess
import sys
import time

from ctl import ctl, is_peer, wait_until
from telnet import Telnet


class Client(Telnet):
    """A session in a shell, which is known by its pid."""

    def __init__(self, address, port):
        super().__init__(address, port, timeout=30.0)
        self.read_until(rb"# $")
        self.shell = self.run("echo $$").strip()
        own, own_port = self.socket.getsockname()[:2]
        self.id = next(row["id"] for row in ctl("list") if is_peer(row["peer"], own, own_port))

    def assert_whole(self):
        """The same shell answers."""
        assert self.run("echo $$").strip() == self.shell, "another shell answers"

    def assert_reset(self, speak=False):
        """Its connection is reset; with SPEAK, when it has typed something."""
        try:
            if speak:
                self.send(b"x")
            while self.fill(30.0):
                pass
        except ConnectionResetError:
            self.reset = True
        assert self.reset, "its session ended, but not with RST"


def master_pid():
    """The pid of the master that serves; waits for one."""
    return wait_until(lambda: ask("master_pid"), 30.0, "a master")


def ask(key):
    """A value of `calmctl status`; None while no master answers."""
    try:
        return ctl("status")[key]
    except (AssertionError, subprocess.TimeoutExpired):
        return None


def kill_master():
    """SIGKILL; returns when another one answers."""
    dead = master_pid()
    os.kill(dead, signal.SIGKILL)
    wait_until(lambda: ask("master_pid") not in (None, dead), 30.0, "another master")


def damage(supervisor, client, seed):
    """Stops the master, damages the client's entry, kills the master. Returns the word's number."""
    dead = master_pid()
    tool = os.environ["CALMD_BUILDDIR"] + "/tests/crash/damage"
    os.kill(dead, signal.SIGSTOP)
    said = subprocess.run([tool, str(supervisor), str(client.id), str(seed)], check=True,
                          capture_output=True, text=True).stdout
    os.kill(dead, signal.SIGKILL)
    wait_until(lambda: ask("master_pid") not in (None, dead), 30.0, "another master")
    return int(said.split()[0])


def serve_calls(address, port):
    """
    Has the daemon call ADDRESS, again and again, and logs out at once; whoever is called gets
    its prompt and an orderly end. Calls that a death has cut off before they were
    established are no loss; calmctl says so. Between two calls it is told to reload.
    """
    server = socket.create_server((address, port))
    server.settimeout(0.5)
    while True:
        command = [os.environ["CALMCTL"], "-s", os.environ["CALMD_SOCKET"]]
        for what in ["reload"], ["call", f"{address}:{port}"]:
            subprocess.run(command + what, capture_output=True, timeout=30, check=False)
        try:
            called = server.accept()[0]
        except TimeoutError:
            continue
        called.settimeout(30)
        called.shutdown(socket.SHUT_WR)
        said = b""
        while more := called.recv(4096):
            said += more
        called.close()
        print("called" if b"# " in said else f"no prompt: {said}", flush=True)


if __name__ == "__main__":
    serve_calls(sys.argv[1], int(sys.argv[2]))
