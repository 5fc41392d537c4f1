#!/usr/bin/env bats
# Limits of single sources, bans that they earn and bans by hand. Needs root.

load lib

EXPECTED_LOG='master [0-9]+ was ended by signal 9'

# Beside its usual addresses the client has these, which the server reaches by its default route.
setup_file() {
	make_network
	add_clients
	ip -n "$CLIENT_NS" address add fd79::1/128 dev lo nodad
}

# The prelude of every script here.
prelude() {
	cat <<-'END'
		import socket
		from telnet import *
		def raw(source, timeout=10):
		    family = socket.AF_INET6 if ":" in source else socket.AF_INET
		    return socket.create_connection((SERVER6 if ":" in source else SERVER4, PORT), timeout, (source, 0))
		def connect(source):
		    client = Telnet(None, None, connection=raw(source))
		    client.read_until(rb"# $")
		    return client
		def refused(source):
		    try:
		        raw(source).recv(1)
		    except ConnectionError:
		        return True
		    return False
		def unanswered(source):
		    try:
		        raw(source, 0.4).close()
		    except TimeoutError:
		        return True
		    return False
		def source(address):
		    return next((row for row in ctl("list", "--sources") if row["address"] == address), None)
	END
}

# with_sources [OPTION]... <SCRIPT: a calmd with these options and SCRIPT behind the prelude.
with_sources() {
	start_calmd "$@"
	{
		prelude
		cat
	} >"$BATS_TEST_TMPDIR/script"
	run_peer <"$BATS_TEST_TMPDIR/script"
}

@test "a source over its limit a minute is refused, and others are not" {
	with_sources -o connections-per-minute-per-source=3 -o busy=reset <<-'END'
		clients = [connect("10.78.0.1") for _ in range(3)]
		assert refused("10.78.0.1")
		assert clients[0].run("echo here") == "here\n"
		clients.append(connect("10.78.0.2"))
		clients += [connect("fd78::1"), connect("fd78::2"), connect("fd78::1")]
		assert refused("fd78::2")          # the whole /64 is one source
		clients.append(connect("fd79::1"))
		one, net = source("10.78.0.1"), source("fd78::/64")
		for row in one, net:
		    assert (row["connections"], row["per_minute"], row["refused"]) == (3, 3, 1), row
		    assert row["banned"] is False and row["banned_by"] is None and row["banned_until"] is None
		assert source("10.78.0.2")["refused"] == 0
		assert ctl("stats")["limitRate"] == 2
	END
	grep -q '10.78.0.1:[0-9]* is refused: connections-per-minute-per-source' "$CALMD_DIR/log"
	run -0 ctl list --sources
	assert_match "the list" "$output" 'ADDRESS +CONNS +/MIN +REFUSED .*BANNED'
	assert_match "the list" "$output" 'fd78::/64 +[0-9]+ +3 +1 +0 '
	stop_calmd
}

@test "who goes on over its limits is banned, costs nothing then, and is back when that is over" {
	with_sources -o connections-per-minute-per-source=60 -o max-connections-per-source=2 -o busy=message \
		-o ban-after=5 -o ban-time=3s -o ban-exempt=10.78.0.2 <<-'END'
		for address in ("10.78.0.1", "10.78.0.2"):
		    sessions = [connect(address) for _ in range(2)]
		    for _ in range(20):
		        if source(address)["banned"]:
		            break
		        told = raw(address)
		        assert b"Too many connections" in told.recv(1000)
		        told.close()
		    if address == "10.78.0.1":
		        mine = sessions
		row = source("10.78.0.1")
		assert row["banned"] and row["banned_by"] == "calmd" and row["banned_until"], row
		assert not source("10.78.0.2")["banned"]           # exempt
		open_before = ctl("status")["half_open"]
		assert unanswered("10.78.0.1")
		assert ctl("status")["half_open"] == open_before
		assert source("10.78.0.1")["dropped"] > 0
		assert mine[0].run("echo on") == "on\n"              # what there is goes on
		for client in mine:
		    client.type("exit\r")
		    client.read_all()
		wait_until(lambda: not source("10.78.0.1")["banned"], what="the end of the ban")
		connect("10.78.0.1")
	END
	grep -q '10.78.0.1 is banned for 3 s: it goes on over its limits' "$CALMD_DIR/log"
	stop_calmd
}

@test "what only an attack sends counts against its source" {
	with_sources -o ban-after=3 -o ban-time=5m <<-'END'
		IS = b"\xff\xfb\x27\xff\xfa\x27\x00\x00USER\x01-f root\xff\xf0"
		PRELOAD = b"\xff\xfb\x27\xff\xfa\x27\x00\x03LD_PRELOAD\x01/tmp/x.so\xff\xf0"
		ENDLESS = b"\xff\xfa\x27" + b"x" * 5000
		for address, row in (("10.78.0.1", "10.78.0.1"), ("fd78::1", "fd78::/64")):
		    for attack in (IS + PRELOAD, ENDLESS):         # several in one connection count once
		        want = (source(row) or {"signatures": 0})["signatures"] + 1
		        client = raw(address)
		        client.sendall(attack)
		        wait_until(lambda: (source(row) or {"signatures": 0})["signatures"] == want, what="the report")
		        client.close()
		    assert source(row)["banned"], source(row)
		    assert unanswered(address)
		ordinary = connect("10.78.0.3")
		assert ordinary.run("echo fine") == "fine\n"
		assert source("10.78.0.3")["signatures"] == 0
		# Nor is it a login that failed when somebody leaves in order; but when login itself fails.
		ordinary.type("exit\r")
		ordinary.read_all()
		failing = connect("10.78.0.3")
		failing.type("exit 1\r")
		failing.read_all()
		wait_until(lambda: source("10.78.0.3")["failed_logins"] == 1, what="the failure")
	END
	grep -q 'has sent a user name that login would take for an option' "$CALMD_DIR/log"
	grep -q 'has sent a variable that changes what programs load' "$CALMD_DIR/log"
	grep -q 'has sent a subnegotiation that does not end' "$CALMD_DIR/log"
	grep -q 'fd78::/64 is banned for 300 s' "$CALMD_DIR/log"
	stop_calmd
}

@test "bans by hand hold for whom and as long as was said, over masters and versions" {
	with_sources <<-'END'
		import os, signal, subprocess
		def calmctl_fails(*arguments):
		    done = subprocess.run([os.environ["CALMCTL"], "-s", os.environ["CALMD_SOCKET"], *arguments],
		                          capture_output=True, text=True)
		    assert done.returncode != 0 and len(done.stderr.splitlines()) == 1, done
		    return done.returncode, done.stderr
		mine = connect("10.78.0.1")
		done = ctl("ban", "10.78.0.77/24")
		assert done == {"address": "10.78.0.0/24", "banned_until": None, "connections": 1}, done
		ctl("ban", "fd78::2", "1h")
		ctl("ban", "fd79::1", "1s")
		assert unanswered("10.78.0.1") and unanswered("10.78.0.2") and unanswered("fd78::2")
		connect("fd78::1")                                  # as narrow as was said
		rows = {row["address"]: row for row in ctl("list", "--sources") if row["banned"]}
		assert rows["10.78.0.0/24"]["banned_by"] == "operator"
		assert rows["10.78.0.0/24"]["banned_until"] is None
		assert rows["fd78::2"]["banned_until"] is not None

		master = ctl("status")["master_pid"]
		os.kill(master, signal.SIGKILL)
		wait_until(lambda: ctl("status")["master_pid"] != master, what="another master")
		assert unanswered("10.78.0.2")
		ctl("upgrade")
		assert unanswered("10.78.0.2") and unanswered("fd78::2")
		assert mine.run("echo on") == "on\n"
		wait_until(lambda: not source("fd79::1"), what="the end of a ban")
		connect("fd79::1")

		assert calmctl_fails("unban", "10.78.0.1") == (
		    1, "calmctl: 10.78.0.1 is not banned by itself, but within 10.78.0.0/24\n")
		assert calmctl_fails("unban", "10.99.0.1") == (1, "calmctl: 10.99.0.1 is not banned\n")
		assert ctl("unban", "10.78.0.0/24") == {"lifted": 1}
		connect("10.78.0.2")
		for wrong in (["ban", "10.78.0.1/33"], ["ban", "here"], ["unban", "fd78::/129"], ["ban", ""]):
		    assert calmctl_fails(*wrong)[0] == 1
		for wrong in (["ban"], ["unban"], ["ban", "10.0.0.1", "soon"], ["ban", "10.0.0.1", "0"],
		              ["list", "--source"]):
		    assert calmctl_fails(*wrong)[0] == 2
	END
	grep -q '10.78.0.0/24 is banned by hand until it is lifted' "$CALMD_DIR/log"
	stop_calmd
}

@test "made-up addresses leave no entry, and ban nobody" {
	start_calmd -o ban-after=1 -o connections-per-minute-per-source=1 -o max-connections-per-source=1 \
		-o half-open=16 -o syn-cookies=off
	in_client "$CALMD_BUILDDIR/tests/e2e/synflood" -n 3000 "$SERVER4" "$PORT"
	in_client "$CALMD_BUILDDIR/tests/e2e/synflood" -n 3000 "$SERVER6" "$PORT"
	wait_for 5 flooded 6000
	assert_equal sources "$(ctl --json list --sources | tr -d ' \n')" '[]'
	stop_calmd
}

flooded() {
	[ "$(ctl_get tcpPassiveOpens stats)" -ge "$(($1 * 9 / 10))" ]
}
