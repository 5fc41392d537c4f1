"""Two network namespaces joined by the wire, and what is measured over it.

A Lab makes the namespaces. In them, for one measurement each: `lab.line(...)` is the wire with its
impairments, `lab.calmd(...)` a daemon on it, `lab.kernel(...)` a sender on the kernel's TCP. Both
servers behave alike: they write READY and a newline, wait for a byte, and then send what stands in
the lab's file, once or for ever; a Receiver asks them to begin, and counts.

Everything ends with its `with` block. Needs root.
"""

import contextlib
import ctypes
import json
import os
import random
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
SERVER, CLIENT = "10.77.0.1", "10.77.0.2"  # the wire's own addresses
PORT = 5000
READY = b"READY\n"
START_SECONDS = 30
CLONE_NEWNET = 0x40000000


class Failed(Exception):
    """Something did not do what it must; the text says what."""


def wait_for(seconds, condition, what):
    """Polls until the condition gives something true, which it returns."""
    deadline = time.monotonic() + seconds
    while not (result := condition()):
        if time.monotonic() > deadline:
            raise Failed(f"not within {seconds} s: {what}")
        time.sleep(0.01)
    return result


def run(*command):
    """Runs a command that must succeed; its output."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Failed(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout


@contextlib.contextmanager
def process(command, log, **settings):
    """A process with its output in the file LOG, ended with SIGTERM at the end of the block."""
    with open(log, "wb") as output:
        running = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                                   **settings)
    try:
        yield running
    finally:
        running.terminate()
        try:
            running.wait(20)
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait()


def read_file(path):
    """What stands in a file, as text."""
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


class Receiver:
    """A client of one server: counts what comes after READY."""

    def __init__(self, lab, port):
        self.socket = lab.connect(port)
        self.count = 0
        self.ended = False
        self._wait_ready()

    def _wait_ready(self):
        text = b""
        self.socket.settimeout(START_SECONDS)
        while not text.endswith(READY):
            try:
                data = self.socket.recv(4096)
            except TimeoutError:
                data = b""
            if not data:
                raise Failed(f"no READY came, but {text!r}")
            text += data
        self.socket.setblocking(False)

    def begin(self):
        """Asks the server to send."""
        self.socket.send(b"\n")

    def read(self):
        """Takes in what has arrived."""
        try:
            data = self.socket.recv(1 << 18)
        except BlockingIOError:
            return
        self.count += len(data)
        self.ended = not data

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()


def receive(receivers, seconds, most=None):
    """Reads for so many seconds, or until all have MOST bytes or have ended; the seconds it took."""
    with selectors.DefaultSelector() as selector:
        for receiver in receivers:
            selector.register(receiver.socket, selectors.EVENT_READ, receiver)
        begin = now = time.monotonic()
        for receiver in receivers:
            receiver.begin()
        while selector.get_map() and now < begin + seconds:
            for key, _ in selector.select(begin + seconds - now):
                key.data.read()
                if key.data.ended or (most is not None and key.data.count >= most):
                    selector.unregister(key.fileobj)
            now = time.monotonic()
        return now - begin


class Lab:
    """See the top. SIZE is how many bytes the servers send, unless they send for ever."""

    def __init__(self, build, size, forever=False):
        self.build = build
        self.size = size
        self.forever = forever
        self.namespaces = [f"calmd-wire-{os.getpid()}-{side}" for side in "sc"]
        self.stack = contextlib.ExitStack()
        self.counters = None
        for program in ("tests/wire/wire", "daemon/calmd"):
            if not os.access(os.path.join(build, program), os.X_OK):
                raise Failed(f"{program} is not built in {build}")

    def __enter__(self):
        # Not private: a session runs as somebody else, and reads the file.
        self.scratch = self.stack.enter_context(tempfile.TemporaryDirectory(prefix="calmd-wire."))
        os.chmod(self.scratch, 0o755)
        self.file = os.path.join(self.scratch, "bytes")
        alphabet = bytes(range(32, 127))  # what telnet passes on as it is
        with open(self.file, "wb") as file:
            block = bytes(random.Random(1).choices(alphabet, k=65536))
            left = self.size
            while left > 0:
                file.write(block[:left])
                left -= len(block)
        for name in self.namespaces:
            run("ip", "netns", "add", name)
            self.stack.callback(subprocess.run, ["ip", "netns", "del", name], check=False)
            run("ip", "-n", name, "link", "set", "lo", "up")
            # What one measurement has learned of the path is not for the next.
            run("ip", "netns", "exec", name, "sysctl", "-q", "net.ipv4.tcp_no_metrics_save=1")
        return self

    def __exit__(self, *_):
        self.stack.close()

    @contextlib.contextmanager
    def line(self, *options):
        """The wire; its counters are in self.counters afterwards. A is the server's side."""
        log = os.path.join(self.scratch, "wire.log")
        command = [os.path.join(self.build, "tests/wire/wire"), *map(str, options), *self.namespaces]
        with process(command, log) as wire:
            wait_for(10, lambda: "wire ready" in read_file(log) or wire.poll() is not None, "the wire")
            if wire.poll() is not None:
                raise Failed(read_file(log))
            yield
        self.counters = json.loads(read_file(log).splitlines()[-1])

    def connect(self, port):
        """A connection from the client's namespace, when there is somebody who takes it."""
        with self.inside(self.namespaces[1]):
            client = socket.socket()
        client.settimeout(START_SECONDS)
        client.connect((SERVER, port))
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return client

    @contextlib.contextmanager
    def inside(self, namespace):
        """What is opened in the block belongs to the namespace."""
        libc = ctypes.CDLL(None, use_errno=True)
        with open("/proc/self/ns/net", encoding="ascii") as own, \
                open(f"/run/netns/{namespace}", encoding="ascii") as other:
            def enter(file):
                if libc.setns(file.fileno(), CLONE_NEWNET) != 0:
                    raise Failed(f"cannot enter {namespace}: {os.strerror(ctypes.get_errno())}")
            enter(other)
            try:
                yield
            finally:
                enter(own)

    @contextlib.contextmanager
    def kernel(self, algorithm, port=PORT):
        """A sender on the kernel's TCP."""
        log = os.path.join(self.scratch, f"kernel-{port}.log")
        with self.inside(self.namespaces[0]):
            listener = socket.create_server((SERVER, port))
        with listener:
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, algorithm.encode())
            command = [sys.executable, os.path.join(HERE, "sender"), str(listener.fileno()), self.file]
            with process(command + ["--forever"] * self.forever, log,
                         pass_fds=[listener.fileno()]):
                yield

    @contextlib.contextmanager
    def calmd(self, *settings, port=PORT):
        """calmd whose session sends the file."""
        directory = os.path.join(self.scratch, f"calmd-{port}")
        os.makedirs(directory, exist_ok=True)
        log = os.path.join(directory, "log")
        send = f"cat {self.file}"
        if self.forever:
            send = f"while {send}; do :; done"
        script = f"stty raw -echo; echo {READY.decode().strip()}; head -c 1 >/dev/null; {send}"
        control = f"{directory}/control"
        options = [f'listen={{"{SERVER}:{port}"}}', f"control-socket={control}",
                   f"state-dir={directory}", "quiet-time=off",
                   f'login={{"/bin/sh", "-c", "{script}"}}', *settings]
        command = ["ip", "netns", "exec", self.namespaces[0], os.path.join(self.build, "daemon/calmd"),
                   "-f", "/dev/null", *(part for option in options for part in ("-o", option))]
        with process(command, log) as daemon:
            def has_worker():
                if daemon.poll() is not None:
                    raise Failed(f"calmd ended: {read_file(log)}")
                try:
                    return self.ask(control, "status")["workers"]["idle"] > 0
                except Failed:
                    return False  # not yet

            wait_for(START_SECONDS, has_worker, "an idle worker of calmd")
            yield control

    def ask(self, control, *request):
        """What calmctl says, as Python values."""
        program = os.path.join(self.build, "daemon/calmctl")
        return json.loads(run(program, "-s", control, "--json", *request))

    @contextlib.contextmanager
    def capture(self, path):
        """What both sides see, in PATH-server.pcap and PATH-client.pcap; nothing without a path."""
        if path is None:
            yield
            return
        with contextlib.ExitStack() as stack:
            for name, side in zip(self.namespaces, ("server", "client")):
                log = os.path.join(self.scratch, f"tcpdump-{side}.log")
                stack.enter_context(process(
                    ["ip", "netns", "exec", name, "tcpdump", "-i", "wire0", "-Z", "root", "-n", "-s", "120",
                     "-B", "16384", "-w", f"{path}-{side}.pcap", "tcp"], log))
                wait_for(10, lambda log=log: "listening on" in read_file(log), "tcpdump")
            yield
            time.sleep(0.2)  # what tcpdump has not yet read from the kernel
