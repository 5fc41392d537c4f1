#!/usr/bin/python3
"""A service manager for one daemon: what systemd does for calmd.service, as far as calmd sees it.

    manager.py DIRECTORY COMMAND...

Starts COMMAND with a NOTIFY_SOCKET, keeps the descriptors that it is sent (FDSTORE=1), and starts
it again with them (LISTEN_FDS) when it was killed, failed, or DIRECTORY/restart exists (taken away
then). It ends as COMMAND did when that ended well, or failed with DIRECTORY/give-up there. It writes
DIRECTORY/supervisor (the pid), DIRECTORY/starts (how many), DIRECTORY/store (the names of what is
kept, one a line), DIRECTORY/status (the last STATUS=), DIRECTORY/alive (how many WATCHDOG=1 came), and DIRECTORY/ready once READY=1 came. A line
in DIRECTORY/options is one more argument for the next start; DIRECTORY/spoil puts something strange
into what it keeps; DIRECTORY/half loses one of two, DIRECTORY/miss
some of what waits in them.
"""

import array
import os
import select
import signal
import socket
import sys
import time


class Manager:
    def __init__(self, directory, command):
        self.directory = directory
        self.command = command
        self.store = []         # (name, descriptor)
        self.starts = 0
        self.alive = 0          # signs of life
        path = self.path("notify")
        if os.path.exists(path):
            os.unlink(path)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self.socket.bind(path)

    def path(self, name):
        return os.path.join(self.directory, name)

    def write(self, name, text):
        with open(self.path(name + ".new"), "w", encoding="utf-8") as file:
            file.write(text + "\n")
        os.rename(self.path(name + ".new"), self.path(name))

    def take(self, name):
        """Whether DIRECTORY/NAME was there; it no longer is."""
        try:
            os.unlink(self.path(name))
            return True
        except FileNotFoundError:
            return False

    def options(self):
        try:
            with open(self.path("options"), encoding="utf-8") as file:
                return file.read().splitlines()
        except FileNotFoundError:
            return []

    def exec(self):
        """In the child: the descriptors from 3 on, in order."""
        high = [os.dup2(fd, 200 + i) for i, (_, fd) in enumerate(self.store)]
        for i, fd in enumerate(high):
            os.dup2(fd, 3 + i, inheritable=True)
        os.closerange(3 + len(high), 1024)
        environment = dict(os.environ, NOTIFY_SOCKET=self.path("notify"))
        if high:
            environment.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(high)),
                               LISTEN_FDNAMES=":".join(name for name, _ in self.store))
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        os.execvpe(self.command[0], self.command + self.options(), environment)

    def start(self):
        self.take("ready")
        pid = os.fork()
        if pid == 0:
            try:
                self.exec()
            finally:
                os._exit(127)
        self.starts += 1
        self.write("supervisor", str(pid))
        self.write("starts", str(self.starts))
        return pid

    def keep(self, name, fds):
        for fd in fds:
            self.store.append((name, fd))
        self.write("store", "\n".join(name for name, _ in self.store))

    def forget(self, name):
        for kept, fd in self.store:
            if kept == name:
                os.close(fd)
        self.store = [entry for entry in self.store if entry[0] != name]
        self.write("store", "\n".join(name for name, _ in self.store))

    def receive(self):
        text, control, _, _ = self.socket.recvmsg(4096, 1024)
        fds = array.array("i")
        for _, kind, data in control:
            if kind == socket.SCM_RIGHTS:
                fds.frombytes(data)
        said = dict(line.partition("=")[::2] for line in text.decode().splitlines())
        if said.get("FDSTORE") == "1":
            assert said.get("FDPOLL") == "0"
            self.keep(said["FDNAME"], fds)
        if said.get("FDSTOREREMOVE") == "1":
            self.forget(said["FDNAME"])
        if said.get("WATCHDOG") == "1":
            self.alive += 1
            self.write("alive", str(self.alive))
        if "STATUS" in said:
            self.write("status", said["STATUS"])
        if said.get("READY") == "1":
            self.write("ready", "yes")

    def wait(self, pid):
        """Until the process has ended and all that it said was heard."""
        pidfd = os.pidfd_open(pid)
        while True:
            readable = select.select([self.socket, pidfd], [], [])[0]
            if self.socket in readable:
                self.receive()
            elif pidfd in readable:
                os.close(pidfd)
                return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    def run(self):
        while True:
            code = self.wait(self.start())
            again = self.take("restart") or code != 0
            if code > 0:
                time.sleep(0.1)     # RestartSec; after a kill tests want it at once
            if self.take("spoil"):
                socket.socket(fileno=os.dup(self.store[0][1])).send(b"something else")
            if self.take("miss"):
                with socket.socket(fileno=os.dup(dict(self.store)["lobby-out"])) as out:
                    for _ in range(3):
                        out.recv(1)
            if self.take("half"):
                self.forget(self.store[0][0])
            if not again or os.path.exists(self.path("give-up")):
                return code


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    code = Manager(sys.argv[1], sys.argv[2:]).run()
    sys.exit(code if code >= 0 else 128 - code)


if __name__ == "__main__":
    main()
