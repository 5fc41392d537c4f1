"""Logins over telnet, and what utmp and wtmp say of them, for tests of sessions.

ROOT is where the daemon's own /run and /var/log are seen (private_root in lib/accounts.bash).
"""

import os
import signal
import struct
import subprocess

from ctl import ctl, is_peer, wait_until
from telnet import *

ROOT = os.environ.get("PRIVATE_ROOT", "")
LONG = bool(os.environ.get("CALMD_LONG"))
ENTRY = struct.Struct("hi32s4s32s256shhiii16s20s")  # struct utmp of glibc
USER_PROCESS, DEAD_PROCESS = 7, 8
TIMEOUT = 20


def login(address, name="tester", password="correct horse", **options):
    """A client at its shell's prompt."""
    client = Telnet(address, int(os.environ["PORT"]), timeout=TIMEOUT, **options)
    client.read_until(rb"login: $")
    client.type(name + "\r")
    client.read_until(rb"Password: $")
    client.type(password + "\r")
    client.read_until(rb"[$#] $")
    return client


def command(client, line):
    """What LINE prints in the shell."""
    client.type(line + "; echo e''nd\r")
    client.read_until(rb"\n")
    output = client.read_until(rb"end\r\n")[:-5]
    client.read_until(rb"[$#] $")
    return output.decode().replace("\r\n", "\n")


def command_bytes(*codes):
    """A telnet command."""
    return bytes((IAC, *codes))


def row(client):
    """calmctl's row of its connection."""
    address, port = client.socket.getsockname()[:2]
    rows = [r for r in ctl("list") if is_peer(r["peer"], address, port)]
    return rows[0] if rows else None


def shown(client):
    return ctl("show", row(client)["id"])


def entries(path):
    """(type, pid, line, user, host, address) of each entry."""
    with open(ROOT + path, "rb") as file:
        data = file.read()
    found = []
    for kind, pid, line, _, user, host, _, _, _, _, _, address, _ in ENTRY.iter_unpack(data):
        line, user, host = (x.split(b"\0")[0].decode() for x in (line, user, host))
        found.append((kind, pid, line, user, host, address))
    return found


def who():
    """(user, line, host) of each that who(1) prints, and that stands in utmp as there: of those
    who(1) leaves out whose process is gone."""
    text = subprocess.run(["who", ROOT + "/run/utmp"], capture_output=True, text=True,
                          env={"LC_ALL": "C"}, check=True).stdout
    seen = [(f[0], f[1], f[-1].strip("()")) for f in map(str.split, text.splitlines())]
    there = [(e[3], e[2], e[4]) for e in entries("/run/utmp") if e[0] not in (0, DEAD_PROCESS)]
    return sorted(set(seen + there))


def last():
    """What last(1) says, a line each, the newest first."""
    text = subprocess.run(["last", "-w", "-f", ROOT + "/var/log/wtmp"], capture_output=True,
                          text=True, env={"LC_ALL": "C"}, check=True).stdout
    return [line for line in text.splitlines() if " pts/" in line]


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return [int(child) for child in file.read().split()]


def title(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read().rstrip(b"\0").decode().replace("\0", " ")
    except OSError:
        return ""


def processes(prefix):
    """Pids whose title begins with PREFIX, among those of this daemon."""
    found, todo = [], [int(os.environ["CALMD_PID"])]
    while todo:
        pid = todo.pop()
        try:
            todo += children(pid)
        except OSError:
            continue
        if title(pid).startswith(prefix):
            found.append(pid)
    return found


def process(prefix):
    """The one of them; the kernel may leave some out of its list while others end."""
    return wait_until(lambda: processes(prefix), what=prefix)[0]


def worker_of(client):
    return process(f"calmd-worker: connection {row(client)['id']}")


def keeper_of(line):
    return process(f"calmd-keeper: {line}")


def kill(pid):
    os.kill(pid, signal.SIGKILL)


def alive(pid):
    return os.path.exists(f"/proc/{pid}")
