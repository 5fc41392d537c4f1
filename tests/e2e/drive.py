#!/usr/bin/python3
"""Types into an interactive program and waits for what it shows.

    drive.py [--pipe] [--timeout SECONDS] COMMAND... <STEPS

Steps, one a line, each with the time-out (10 s) for itself:

    expect REGEX     wait until REGEX matches what came since the last match
    send TEXT        type TEXT; \\n \\r \\t \\\\ \\xHH mean what they mean in Python
    resize ROWS COLUMNS
    eof              close the input (with --pipe); type the end-of-file character (without)
    wait             wait until the program ends by itself (done after the last step anyway)
    kill             end it with SIGTERM

The program gets a terminal of 24 rows and 80 columns, or with --pipe two pipes. What it writes is
copied to stdout. Exit status: the program's own; 124 when a step did not come true in time.
"""

import argparse
import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time


class Driver:
    def __init__(self, command, with_pipe, timeout):
        self.timeout = timeout
        self.with_pipe = with_pipe
        self.output = b""
        self.status = None
        if with_pipe:
            self._start_on_pipes(command)
        else:
            self.pid, self.reader = pty.fork()
            self.writer = self.reader
            if self.pid == 0:
                self._execute(command)
            self.resize("24", "80")
        os.set_blocking(self.reader, False)

    @staticmethod
    def _execute(command):
        try:
            os.execvp(command[0], command)
        except OSError as error:
            os.write(2, f"drive.py: {command[0]}: {error.strerror}\n".encode())
            os._exit(127)

    def _start_on_pipes(self, command):
        child_in, self.writer = os.pipe()
        self.reader, child_out = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.dup2(child_in, 0)
            os.dup2(child_out, 1)
            os.dup2(child_out, 2)
            self._execute(command)
        os.close(child_in)
        os.close(child_out)

    def read_some(self, seconds):
        """Takes in what there is, waiting for it; False at the end of the output."""
        select.select([self.reader], [], [], max(0, seconds))
        try:
            data = os.read(self.reader, 65536)
        except BlockingIOError:
            return True
        except OSError:  # EIO: the last user of the terminal is gone
            data = b""
        self.output += data
        os.write(1, data)
        return bool(data)

    def expect(self, text):
        pattern = re.compile(text.encode(), re.MULTILINE)
        deadline = time.monotonic() + self.timeout
        alive = True
        while (match := pattern.search(self.output)) is None:
            if not alive or time.monotonic() > deadline:
                why = "the program ended" if not alive else f"{self.timeout} s passed"
                self.fail(f"expect {text}: {why}; since the last match: {self.output[-2000:]!r}")
            alive = self.read_some(deadline - time.monotonic())
        self.output = self.output[match.end():]

    def send(self, text):
        data = text.encode("latin-1", "backslashreplace").decode("unicode_escape").encode("latin-1")
        while data:
            select.select([], [self.writer], [], self.timeout)
            data = data[os.write(self.writer, data):]

    def resize(self, *size):
        rows, columns = map(int, " ".join(size).split())
        fcntl.ioctl(self.writer, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def eof(self, _=""):
        if self.with_pipe:
            os.close(self.writer)
        else:
            os.write(self.writer, b"\x04")

    def kill(self, _=""):
        os.kill(self.pid, signal.SIGTERM)

    def wait(self, _=""):
        if self.status is not None:
            return
        deadline = time.monotonic() + self.timeout
        alive = True
        while os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            if time.monotonic() > deadline:
                self.fail(f"wait: the program still ran after {self.timeout} s")
            if alive:
                alive = self.read_some(min(0.05, deadline - time.monotonic()))
            else:
                time.sleep(0.02)
        while alive and select.select([self.reader], [], [], 0)[0]:
            alive = self.read_some(0)
        self.status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def fail(self, text):
        print(f"\ndrive.py: {text}", file=sys.stderr)
        os.kill(self.pid, signal.SIGKILL)
        sys.exit(124)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--pipe", action="store_true")
    parser.add_argument("--timeout", type=float, default=10)
    parser.add_argument("command", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    steps = [line.rstrip("\n") for line in sys.stdin if line.strip() and line[0] != "#"]
    driver = Driver(options.command, options.pipe, options.timeout)
    for step in steps:
        verb, _, rest = step.partition(" ")
        if verb not in ("expect", "send", "resize", "eof", "wait", "kill"):
            driver.fail(f"no such step: {step}")
        getattr(driver, verb)(rest)
    driver.wait()
    sys.exit(driver.status if driver.status >= 0 else 128 - driver.status)


if __name__ == "__main__":
    main()
