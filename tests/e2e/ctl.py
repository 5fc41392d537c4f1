"""calmctl for Python tests: asks the daemon that the environment names (CALMCTL, CALMD_SOCKET)."""

import ipaddress
import json
import os
import subprocess
import time
from datetime import datetime, timezone


def ctl(*arguments):
    """What `calmctl --json ARGUMENTS` prints, as Python values; fails when calmctl does."""
    command = [os.environ["CALMCTL"], "-s", os.environ["CALMD_SOCKET"], "--json", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(command)}: exit {done.returncode}: {done.stderr.strip()}")
    return json.loads(done.stdout) if done.stdout.strip() else None


def is_peer(text, address, port):
    """Whether TEXT, as calmctl writes addresses, is ADDRESS and PORT."""
    host, _, service = (text or "").rpartition(":")  # a listener has no peer
    return (service == str(port)
            and ipaddress.ip_address(host.strip("[]")) == ipaddress.ip_address(address))


def connection(peer):
    """The row of `calmctl list` for the connection with PEER (a peer.Peer); None without one."""
    rows = [row for row in ctl("list") if is_peer(row["peer"], peer.src, peer.sport)]
    assert len(rows) <= 1, f"more than one connection: {rows}"
    return rows[0] if rows else None


def wait_until(condition, timeout=5.0, what="the condition"):
    """Calls CONDITION until it gives something true, which is returned."""
    deadline = time.monotonic() + timeout
    while not (result := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come true within {timeout} s")
        time.sleep(0.02)
    return result


def wait_state(peer, state, timeout=5.0):
    """Waits until calmctl shows the connection with PEER in STATE; "CLOSED" also means gone."""
    last = None

    def reached():
        nonlocal last
        last = connection(peer)
        if last is None:
            return state == "CLOSED"
        return last["state"] == state and last

    try:
        return wait_until(reached, timeout)
    except AssertionError:
        raise AssertionError(f"wanted state {state} within {timeout} s; last seen: {last}") from None


def show(peer):
    """What `calmctl show` says about the connection with PEER."""
    return ctl("show", connection(peer)["id"])


def listener(address, port):
    """What `calmctl show` says about the listener on ADDRESS and PORT."""
    rows = [row for row in ctl("list")
            if row["state"] == "LISTEN" and is_peer(row["local"], address, port)]
    assert len(rows) == 1, rows
    return ctl("show", rows[0]["id"])


def history(peer):
    """The states of the connection with PEER, as `calmctl show` tells them, oldest first.

    Checks what it says of the times, too: they rise, and agree with each other and the clock.
    """
    shown = show(peer)
    entries = shown["history"]
    assert entries[-1]["state"] == shown["state"], shown
    times = [datetime.fromisoformat(entry["time"]) for entry in entries]
    for i, entry in enumerate(entries):
        passed = (times[i] - times[0]).total_seconds()
        assert abs(entry["after_us"] / 1e6 - passed) < 0.002, entries
        assert i == 0 or entry["after_us"] >= entries[i - 1]["after_us"], entries
    ago = (datetime.now(timezone.utc) - times[-1]).total_seconds()
    assert -0.01 < ago < 60, f"{ago} s ago: {entries}"
    return [entry["state"] for entry in entries]


def calmctl(*arguments):
    """Starts calmctl and does not wait; the Popen of it, with pipes."""
    return subprocess.Popen([os.environ["CALMCTL"], "-s", os.environ["CALMD_SOCKET"],
                             *map(str, arguments)],
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
