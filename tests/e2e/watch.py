#!/usr/bin/python3
"""Runs a daemon so that nothing it starts, however often it forks, can get lost.

    watch.py run DIRECTORY COMMAND...   writes DIRECTORY/pid, and DIRECTORY/ended at its end
    watch.py list PID                   prints every descendant of the process PID

Orphans become children of the one who runs the daemon (PR_SET_CHILD_SUBREAPER), so its
descendants are all that the daemon ever started. It ends when the last of them has; SIGTERM to
it kills them all. DIRECTORY/ended says "exit N" or "signal N".
"""

import ctypes
import os
import signal
import sys

PR_SET_CHILD_SUBREAPER = 36


def read_file(path):
    try:
        with open(path, "rb") as file:
            return file.read().decode(errors="replace")
    except OSError:
        return ""


def read_parents():
    """The parent of every process, zombies left out."""
    parents = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            # The name in parentheses may hold anything; the state comes after the last one.
            rest = read_file(f"/proc/{name}/stat").rpartition(")")[2].split()
            if len(rest) > 1 and rest[0] not in "ZX":
                parents[int(name)] = int(rest[1])
    return parents


def descendants(root):
    parents = read_parents()
    found = {root}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return sorted(found - {root})


def write_whole(path, text):
    with open(path + ".new", "w", encoding="ascii") as file:
        file.write(text + "\n")
    os.rename(path + ".new", path)


def kill_all(*_):
    while pids := descendants(os.getpid()):
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        try:
            os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            break
    sys.exit(0)


def run(directory, command):
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        sys.exit("watch.py: cannot become a subreaper")
    daemon = os.fork()
    if daemon == 0:
        try:
            os.execvp(command[0], command)
        except OSError as error:
            print(f"watch.py: {command[0]}: {error.strerror}", file=sys.stderr)
            os._exit(127)
    signal.signal(signal.SIGTERM, kill_all)
    write_whole(f"{directory}/pid", str(daemon))
    while True:
        try:
            pid, status = os.wait()
        except ChildProcessError:
            return
        if pid == daemon:
            code = os.waitstatus_to_exitcode(status)
            write_whole(f"{directory}/ended", f"exit {code}" if code >= 0 else f"signal {-code}")


def main():
    if sys.argv[1:2] == ["list"] and len(sys.argv) == 3:
        for pid in descendants(int(sys.argv[2])):
            command = read_file(f"/proc/{pid}/cmdline").replace("\0", " ").strip()
            print(pid, command or f"[{read_file(f'/proc/{pid}/comm').strip()}]")
    elif sys.argv[1:2] == ["run"] and len(sys.argv) > 3:
        run(sys.argv[2], sys.argv[3:])
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
