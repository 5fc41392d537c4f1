#!/usr/bin/env bats
# Another version takes over while sessions run (calmctl upgrade, SIGUSR2), or is refused and
# nothing has happened. Needs root.

load lib

# What the tests themselves cause.
EXPECTED_LOG='the check of the new program was ended by signal 9'

# The tree that the daemon is started from: what is put there is the next version.
TREE=$BATS_FILE_TMPDIR/tree

# put PROGRAM: now it is the one on disk, as a package's upgrade does it.
put() {
	cp "$1" "$TREE/daemon/calmd.new"
	mv -f "$TREE/daemon/calmd.new" "$TREE/daemon/calmd"
}

# start_upgradable OPTION...: calmd from the tree.
start_upgradable() {
	rm -rf "$TREE"
	mkdir -p "$TREE/daemon"
	ln -s "$CALMD_BUILDDIR/shell" "$TREE/shell"
	put "$CALMD_BUILDDIR/daemon/calmd"
	export CALMD_PROGRAM=$TREE/daemon/calmd
	start_calmd "$@"
}

next() {
	echo "$CALMD_BUILDDIR/tests/e2e/calmd-next"
}

logged() {
	grep -qE "$1" "$CALMD_DIR/log"
}

# serves: whether somebody who comes gets a session.
serves() {
	run_peer <<-'END'
		from telnet import *
		with Telnet(SERVER4, PORT) as client:
		    client.read_until(rb"# $")
		    assert client.run("echo fresh") == "fresh\n"
	END
}

# what_runs: the processes that an upgrade would replace.
what_runs() {
	ctl --json status | jq -c '[.version, .upgrades, .supervisor_pid, .master_pid]'
	calmd_processes | grep -E 'calmd-(opener|worker)'
}

# refused REGEX: whether an upgrade is, for that reason, and costs nothing.
refused() {
	local before
	before=$(what_runs)
	run -1 ctl upgrade
	assert_match "reason" "$output" "$1"
	logged "no upgrade: .*$1"
	assert_equal "what runs" "$(what_runs)" "$before"
}

@test "sessions go on and lose nothing while one version after the other takes over" {
	start_upgradable -o min-spare-workers=3 -o max-spare-workers=3
	local rounds=3
	[ -z "${CALMD_LONG:-}" ] || rounds=10
	run_peer "$TREE/daemon/calmd" "$rounds" "$(next)" "$CALMD_BUILDDIR/daemon/calmd" <<-'END'
		import shutil, socket
		from echoes import *
		program, rounds, versions = sys.argv[1], int(sys.argv[2]), sys.argv[3:]

		def put(path):
		    shutil.copy(path, program + ".new")
		    os.rename(program + ".new", program)

		def descriptors():
		    return len(os.listdir(f"/proc/{before['supervisor_pid']}/fd"))

		def settled():
		    return ctl("status")["workers"] == {"busy": 5, "idle": 3}

		idle = Telnet(SERVER6, PORT)
		idle.read_until(rb"# $")
		shell = idle.run("mine=yes; echo $$")
		with socket.create_server((CLIENT4, 5000)) as listener:
		    caller = calmctl("call", f"{CLIENT4}:5000")
		    called = Telnet(SERVER4, PORT, connection=listener.accept()[0])
		    assert caller.wait(10) == 0
		called.read_until(rb"# $")
		before = ctl("status")
		held = None
		with Echoes(SERVER4, PORT, count=3) as echoes:
		    for n in range(1, rounds + 1):
		        put(versions[(n - 1) % 2])
		        echoes.moved(65536)
		        begin = time.monotonic()
		        asking = calmctl("upgrade")
		        with Comers(SERVER4, PORT), Comers(SERVER6, PORT) as comers:
		            out, err = asking.communicate(timeout=60)
		            assert asking.returncode == 0, err
		            took = time.monotonic() - begin
		            served = comers.served
		            wait_until(lambda: comers.failure or comers.served >= served + 2, 30, "comers")
		        now = ctl("status")
		        assert now["version"] == ("9.9.9" if n % 2 else before["version"]), now
		        assert now["version"] in out, out
		        assert now["upgrades"] == n, now
		        assert now["supervisor_pid"] == before["supervisor_pid"], now
		        assert now["master_pid"] != before["master_pid"], now
		        assert now["uptime_s"] >= before["uptime_s"], now
		        echoes.moved(65536)
		        assert called.run("echo $((n += 1))") == f"{n}\n"
		        wait_until(settled, 20, "the usual workers")
		        if held: # the first start may have had others, from whoever started it
		            wait_until(lambda: descriptors() <= held, 20, f"{held} descriptors")
		        held = descriptors()
		        print(f"upgrade {n} took {took:.2f} s, {held} descriptors", flush=True)
		assert idle.run("echo $$ $mine") == shell.strip() + " yes\n"
	END
	echo "$output"
	stop_calmd
}

@test "SIGUSR2 upgrades, too; a quiet time goes on, and no signal is lost" {
	start_upgradable -o quiet-time=300
	local quiet
	quiet=$(quiet_seconds)
	put "$(next)"
	kill -USR2 "$(calmd_pid)"
	wait_for 20 ctl_is version 9.9.9 status
	ctl_is upgrades 1 status
	assert_equal "name" "$(cat "/proc/$(calmd_pid)/comm")" calmd
	[ "$(quiet_seconds)" -gt 200 ]
	[ "$(quiet_seconds)" -le "$quiet" ]
	put "$CALMD_BUILDDIR/daemon/calmd"
	# Signals all the while, so that some come when the new program is not ready for them yet: it
	# would die of them.
	run_peer "$(calmd_pid)" <<-'END'
		import signal
		pid = int(sys.argv[1])
		running = f"/proc/{pid}/exe"
		deadline = time.monotonic() + 30
		assert os.readlink(running).endswith("(deleted)")
		os.kill(pid, signal.SIGUSR2)
		replaced = None
		while not replaced or time.monotonic() < replaced + 0.1:
		    os.kill(pid, signal.SIGHUP)
		    time.sleep(0.0002)
		    assert time.monotonic() < deadline
		    if not replaced and not os.readlink(running).endswith("(deleted)"):
		        replaced = time.monotonic()
	END
	wait_for 20 ctl_is upgrades 2 status
	stop_calmd
}

# quiet_seconds: how long the quiet time still lasts.
quiet_seconds() {
	ctl_get quiet.left_s status
}

@test "a session that begins while its opener is replaced begins" {
	start_upgradable
	put "$(next)"
	# A worker asks for its session once the client has answered, or has not for a second.
	run_peer <<-'END'
		from telnet import *
		clients = [Telnet(SERVER4, PORT, quiet=True) for _ in range(3)]
		wait_until(lambda: ctl("status")["workers"]["busy"] == 3, what="workers")
		asking = calmctl("upgrade")
		assert asking.wait(60) == 0, asking.stderr.read()
		for client in clients:
		    client.read_until(rb"# $")
		    client.type("exit\r")
		    client.read_all()
		    assert not client.reset
	END
	wait_for 10 workers_are_new
	stop_calmd
}

# workers_are_new: whether nobody is left of those that were there before the upgrade.
workers_are_new() {
	local openers
	openers=$(calmd_processes | grep -c calmd-opener)
	assert_equal "openers" "$openers" 1
}

@test "a version that cannot go on is refused: another table, a wrong configuration, no program" {
	local file=$BATS_TEST_TMPDIR/calmd.conf
	printf 'ttl = 64\n' >"$file"
	start_upgradable -f "$file"
	put "$CALMD_BUILDDIR/tests/e2e/calmd-other-table"
	refused 'entries in the connection table of the running calmd have version [0-9]+, this one has [0-9]+'
	put "$(next)"
	printf 'ttl = 64\nbacklog = many\n' >"$file"
	refused 'calmd\.conf:2: backlog: '
	printf 'ttl = 64\nbacklog = 10\n' >"$file"
	chmod a-x "$TREE/daemon/calmd"
	refused 'calmd: Permission denied'
	rm "$TREE/daemon/calmd"
	refused 'calmd: No such file or directory'
	head -c 4096 /dev/urandom >"$TREE/daemon/calmd"
	chmod +x "$TREE/daemon/calmd"
	refused 'calmd: Exec format error'
	put /bin/true
	refused 'is not a calmd'
	# One that fails at the last moment: what was to live through the exec is for nobody else.
	put "$CALMD_BUILDDIR/tests/e2e/calmd-unfit"
	refused 'calmd: Permission denied'
	logged 'upgrading to calmd 9\.9\.6'
	serves
	wait_for 10 ctl_is workers.busy 0 status
	for worker in $(calmd_processes | sed -n 's/^\([0-9]*\) calmd-worker.*/\1/p'); do
		[ "$(find "/proc/$worker/fd" -mindepth 1 | wc -l)" -le 12 ] || fail "$(ls -l "/proc/$worker/fd")"
	done
	put "$(next)"
	run -0 ctl upgrade
	assert_match "answer" "$output" '^calmd 9\.9\.9 runs'
	ctl_is version 9.9.9 status
	stop_calmd
}

@test "what was reloaded or drained stays so under another version" {
	local file=$BATS_TEST_TMPDIR/calmd.conf
	printf 'backlog = 22\n' >"$file"
	start_upgradable -f "$file"
	put "$(next)"
	printf 'backlog = 21\nttl = 63\n' >"$file"
	ctl reload
	ctl drain
	printf 'backlog = 20\n' >"$file"
	run -0 ctl upgrade
	ctl_is version 9.9.9 status
	ctl_is draining true status
	ctl_is limits.backlog 21 status
	ctl resume
	serves
	ctl reload
	ctl_is limits.backlog 20 status
	stop_calmd
}

# checkers_are NUMBER: whether so many processes check a new program.
checkers_are() {
	assert_equal "checks" "$(calmd_processes | grep -c -e --role=check || true)" "$1"
}

@test "one upgrade at a time, and a check that hangs keeps nobody waiting" {
	start_upgradable
	put "$CALMD_BUILDDIR/tests/e2e/calmd-hangs"
	start_background first "$CALMCTL" -s "$CALMD_SOCKET" upgrade
	wait_for 10 checkers_are 1
	serves
	run -1 ctl upgrade
	assert_match "reason" "$output" 'an upgrade is under way already'
	if [ -z "${CALMD_LONG:-}" ]; then
		kill -KILL "$(calmd_processes | sed -n 's/^\([0-9]*\) .*--role=check.*/\1/p')"
	fi
	wait_for 30 background_ended first
	assert_match "reason" "$(<"$BATS_FILE_TMPDIR/first.out")" 'did not end in time|was ended by signal 9'
	wait_for 5 checkers_are 0
	# What is under way ends with the daemon.
	start_background second "$CALMCTL" -s "$CALMD_SOCKET" upgrade
	wait_for 10 checkers_are 1
	stop_calmd
}
