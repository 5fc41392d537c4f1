"""The servers that are measured: starting, pinning, weighing and ending them.

This runs as the first process of a PID namespace: every process in it but this one and the client is
the server's, wherever it has forked to, and what is left over is ours to reap.
"""

import os
import pwd
import signal
import socket
import subprocess
import time

ADDRESS, PORT = "127.0.0.1", 2323
TELNETD = "/usr/sbin/telnetd"
START_SECONDS = 10
END_SECONDS = 10


class Failed(Exception):
    """A server or the client did not do what it must; the text says what."""


def wait_for(seconds, condition, what):
    """Polls until the condition gives something true, which it returns."""
    deadline = time.monotonic() + seconds
    while not (result := condition()):
        if time.monotonic() > deadline:
            raise Failed(f"not within {seconds} s: {what}")
        time.sleep(0.02)
    return result


def read_process(pid, name):
    """A file of /proc/PID, or "" when the process has gone meanwhile."""
    try:
        with open(f"/proc/{pid}/{name}", encoding="utf-8", errors="replace") as file:
            return file.read()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def busy_share(seconds):
    """The share of all CPUs' time that somebody uses during so many seconds, in percent."""
    def times():
        with open("/proc/stat", encoding="ascii") as file:
            fields = [int(field) for field in file.readline().split()[1:9]]
        return sum(fields), fields[3] + fields[4]

    all_before, idle_before = times()
    time.sleep(seconds)
    all_after, idle_after = times()
    return 100 - 100 * (idle_after - idle_before) / max(1, all_after - all_before)


def process_state(pid):
    """The letter of ps(1): Z is a zombie, "" has gone."""
    return read_process(pid, "stat").rpartition(")")[2].strip()[:1]


def executable(pid):
    """What a process runs, or ""."""
    try:
        return os.readlink(f"/proc/{pid}/exe")
    except OSError:
        return ""


def processes(besides=()):
    """The PIDs of all living processes of this namespace but this one and those in `besides`."""
    pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    return [pid for pid in pids if pid != os.getpid() and pid not in besides and
            process_state(pid) not in ("Z", "")]


def reap_strays(tracked):
    """Takes in whatever has died and was left to us, except the children that subprocess waits for."""
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) not in tracked and process_state(int(name)) == "Z":
            try:
                os.waitpid(int(name), os.WNOHANG)
            except ChildProcessError:
                pass  # a zombie of somebody else, who will wait for it


def pss_kb(pid):
    """Proportional memory of a process."""
    for line in read_process(pid, "smaps_rollup").splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    return 0


class Pty:
    """No server: the client runs the shell on a pty itself."""

    name = "pty"
    target = "pty"

    def start(self):
        """Nothing to start."""

    def stop(self):
        """Nothing to end."""

    def pin(self, cpus):
        """The shell starts where the client is."""


class Server:
    """What GNU telnetd and calmd have in common. A subclass gives name and command()."""

    name = ""
    target = f"{ADDRESS}:{PORT}"

    def __init__(self, scratch):
        self.scratch = scratch
        self.main = None
        self.log_path = os.path.join(scratch, f"{self.name}.log")

    def command(self):
        """The command line of the server's main process."""
        raise NotImplementedError

    def start(self):
        """Returns when connections are accepted."""
        with open(self.log_path, "ab") as log:
            self.main = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=log,
                                         stderr=log, cwd="/")
        try:
            wait_for(START_SECONDS, self.answers, f"a connection to {self.name}")
        except Failed as failure:
            raise Failed(f"{failure}\n{self.log_tail()}") from None
        wait_for(END_SECONDS, lambda: not self.sessions(), f"the end of {self.name}'s first session")

    def answers(self):
        """Whether the server sends something to a client."""
        if self.main.poll() is not None:
            raise Failed(f"{self.name} ended with {self.main.returncode}")
        try:
            with socket.create_connection((ADDRESS, PORT), timeout=1) as probe:
                return probe.recv(1)
        except OSError:
            return b""

    def log_tail(self):
        """The last that the server has said."""
        with open(self.log_path, encoding="utf-8", errors="replace") as log:
            return "".join(log.readlines()[-20:])

    def stop(self):
        """Ends the server as its administrator would; what stays is killed, and is an error."""
        if self.main is None:
            return
        self.main.send_signal(signal.SIGTERM)
        try:
            wait_for(END_SECONDS, self.has_gone, f"the end of {self.name}")
        except Failed as failure:
            left = {pid: read_process(pid, "cmdline").replace("\0", " ") for pid in processes()}
            for pid in left:
                os.kill(pid, signal.SIGKILL)
            raise Failed(f"{failure}; left: {left}\n{self.log_tail()}") from None
        finally:
            self.main = None

    def has_gone(self):
        """Whether no process of the server is left."""
        self.main.poll()
        reap_strays({self.main.pid})
        return not processes()

    def sessions(self):
        """The PIDs of the shells that run."""
        shell = os.path.realpath("/bin/sh")
        return [pid for pid in processes() if executable(pid) == shell]

    def pin(self, cpus):
        """Puts every process of the server on these CPUs; those to come inherit it."""
        def stray():
            return [pid for pid in processes() if affinity(pid) not in (None, set(cpus))]

        def pinned():
            for pid in stray():
                try:
                    os.sched_setaffinity(pid, cpus)
                except ProcessLookupError:
                    pass
            return not stray()

        wait_for(5, pinned, f"all of {self.name} on CPUs {cpus}")

    def weigh(self, besides):
        """Proportional memory of all of the server but the shells, in kB, once it is at rest."""
        seen = []

        def at_rest():
            reap_strays({self.main.pid, *besides})
            shells = set(self.sessions())
            pids = [pid for pid in processes(besides) if pid not in shells]
            seen.append((sorted(pids), sum(pss_kb(pid) for pid in pids)))
            time.sleep(0.1)
            latest = seen[-4:]
            # What others on this machine map of the same libraries moves the sum a little.
            slack = seen[-1][1] / 100
            return len(latest) == 4 and all(pids == seen[-1][0] and abs(kb - seen[-1][1]) <= slack
                                            for pids, kb in latest)

        wait_for(20, at_rest, f"{self.name} at rest")
        return sum(kb for _, kb in seen[-4:]) / 4


def affinity(pid):
    """The CPUs of a process, or None when it has gone."""
    try:
        return os.sched_getaffinity(pid)
    except ProcessLookupError:
        return None


class Gnu(Server):
    """Debian's inetutils-telnetd, started per connection as inetd does it."""

    name = "gnu"

    def __init__(self, scratch, superserver):
        super().__init__(scratch)
        self.superserver = superserver

    def command(self):
        return [self.superserver, ADDRESS, str(PORT), TELNETD, "-h", "-E", "/bin/sh"]


def has_user(name):
    """Whether the system has a user of that name."""
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


class Calmd(Server):
    """calmd with its defaults, but for where it listens and what it runs."""

    name = "calmd"

    def __init__(self, scratch, calmd, options):
        super().__init__(scratch)
        self.calmd = calmd
        self.options = options

    def command(self):
        state = os.path.join(self.scratch, "state")
        os.makedirs(state, exist_ok=True)
        settings = [
            f'listen={{"{ADDRESS}:{PORT}"}}',
            f"control-socket={self.scratch}/control",
            f"state-dir={state}",
            'login={"/bin/sh"}',
            "quiet-time=off",
        ]
        if not (has_user("_calmd") and has_user("_calmd-worker")):
            settings += ["user=nobody", "worker-user=daemon"]
        options = [part for setting in settings + self.options for part in ("-o", setting)]
        return [self.calmd, "-f", "/dev/null", *options]
