#!/usr/bin/env bats
# A flood of SYNs from made-up addresses: an open session goes on, and memory stays bounded. Needs root.

load lib

FLOOD=100000

# flooded ADDRESS: a session types and measures while the flood of ADDRESS' family goes on, and a
# new client gets in, during the flood and after it.
flooded() {
	run_peer "$1" "$FLOOD" "$CALMD_BUILDDIR/tests/e2e/synflood" <<-'END'
		import subprocess
		import threading
		from telnet import *
		address, count, synflood = sys.argv[1:]

		def memory():
		    """Bytes that the master has of its own and in the shared table."""
		    with open(f"/proc/{ctl('status')['master_pid']}/status") as file:
		        lines = dict(line.split(":", 1) for line in file)
		    return 1024 * sum(int(lines[name].split()[0]) for name in ("RssAnon", "RssShmem"))

		def keystroke(client, number):
		    """Types one character and waits for its echo; the milliseconds that took."""
		    key = chr(ord("a") + number % 26).encode()
		    begin = time.monotonic()
		    client.send(key)
		    client.read_until(key)
		    return (time.monotonic() - begin) * 1000

		client = Telnet(address, PORT)
		client.read_until(rb"# $")
		calm = sorted(keystroke(client, n) for n in range(50))
		client.send(b"\x15")                              # the line is killed
		peak = before = memory()
		flood = subprocess.Popen([synflood, "-n", count, address, str(PORT)], stdout=subprocess.PIPE)
		under, came = [], []

		def come():
		    """One that comes amid the flood: its SYN may have to be sent again."""
		    begin = time.monotonic()
		    with socket.create_connection((address, PORT), timeout=20):
		        came.append((flood.poll() is None, time.monotonic() - begin))

		newcomer = threading.Timer(0.1, come)
		newcomer.start()
		while flood.poll() is None:
		    under += [keystroke(client, n) for n in range(20)]
		    client.send(b"\x15")
		    peak = max(peak, memory())
		assert flood.returncode == 0
		newcomer.join()
		under.sort()
		peak = max(peak, memory())
		stats = ctl("stats")
		print(flood.stdout.read().decode().strip())
		print(f"keystrokes calm: median {calm[len(calm) // 2]:.2f} ms, worst {calm[-1]:.2f} ms")
		print(f"during the flood: {len(under)}, median {under[len(under) // 2]:.2f} ms, "
		      f"p99 {under[len(under) * 99 // 100]:.2f} ms, worst {under[-1]:.2f} ms")
		answered = stats["tcpPassiveOpens"] + stats["synCookiesSent"]
		print(f"master: {before} bytes before, {peak} at most; {answered} SYNs answered, "
		      f"{stats['synCookiesSent']} by cookies, half-open now {ctl('status')['half_open']}")
		assert came, "nobody new got in"
		print(f"a new client was connected within {came[0][1]:.2f} s, "
		      f"{'during' if came[0][0] else 'after'} the flood")
		assert len(under) >= 20
		assert under[-1] < 500, "a keystroke waited"
		assert under[len(under) // 2] < 50
		# a sanitizer has an eighth more for each page, and keeps what was freed for a while
		limit = 16 if os.environ.get("CALMD_SANITIZERS") else 8
		assert peak - before < limit << 20, "memory grew"
		assert answered > int(count) // 10, "the flood did not arrive"
		assert ctl("status")["half_open"] <= 1024
		assert client.run("echo still here").endswith("still here\n")
		late = Telnet(address, PORT)                      # somebody new, too
		late.read_until(rb"# $", timeout=15)
		late.close()
		client.type("exit\r")
		client.read_all()
		assert not client.reset
	END
}

@test "an open session goes on undisturbed through 100,000 SYNs, and memory stays bounded (IPv4)" {
	start_calmd -o log-level=info
	run -0 flooded "$SERVER4"
	sed 's/^/# /' <<<"$output" >&3
	stop_calmd
}

@test "an open session goes on undisturbed through 100,000 SYNs, and memory stays bounded (IPv6)" {
	start_calmd -o log-level=info
	run -0 flooded "$SERVER6"
	sed 's/^/# /' <<<"$output" >&3
	stop_calmd
}

@test "the log stays short, and half-open entries are as many as half-open says" {
	FLOOD=3000
	start_calmd -o log-level=info -o half-open=256
	run -0 flooded "$SERVER4"
	[ "$(wc -l <"$CALMD_DIR/log")" -lt 50 ]
	[ "$(ctl_get half_open status)" -le 256 ]
	stop_calmd
}
