#!/usr/bin/env bats
# Sessions outlive the master: it is killed at random moments and at chosen ones, crashes by
# itself, and finds its table damaged, while clients move data whose every byte is known.

load lib

setup_file() {
	make_network
	make_crash_seed
}

# make_crash_seed: what random moments follow from; CALMD_SEED replays it.
make_crash_seed() {
	export CRASH_SEED=${CALMD_SEED:-$((EPOCHSECONDS % 1000000))}
}

# crowd OPTION...: a crowd of sessions on the running daemon (tests/crash/crowd.c says how), at
# CROWD_ADDRESS. What it printed is in the file, where the figures are looked up.
crowd() {
	local status=0
	in_client "$CALMD_BUILDDIR/tests/crash/crowd" -s "$CRASH_SEED" -p "$(calmd_pid)" \
		-f "$CALMD_BUILDDIR/tests/crash/far" "$@" "${CROWD_ADDRESS:-$SERVER4}" "$PORT" \
		>"$BATS_TEST_TMPDIR/crowd" 2>&1 || status=$?
	cat "$BATS_TEST_TMPDIR/crowd"
	sed 's/^/# /' "$BATS_TEST_TMPDIR/crowd" >&3
	return "$status"
}

# stop_after_deaths: stop_calmd after masters that were killed, and of which nothing else is in the log.
stop_after_deaths() {
	kill -TERM "$(calmd_pid)"
	wait_calmd_end 10 || return
	sed -i '/master [0-9]* was ended by signal [69]; another one takes over/d' "$CALMD_DIR/log"
	log_is_clean
}

# ids: the command that tells which connections the crowd of ten has; visitors come later.
ids() {
	echo "$CALMCTL -s $CALMD_SOCKET list | awk '\$2 == \"ESTABLISHED\" { print \$1, \$3 }' | sort -n | head -n 10"
}

# assert_no_growth EARLY LATE: what the crowd said that supervisor and master held after so many
# deaths: the same descriptors and mappings, and memory but for what buffers happen to hold just then.
assert_no_growth() {
	python3 - "$BATS_TEST_TMPDIR/crowd" "$1" "$2" <<-'END'
		import re, sys
		text = open(sys.argv[1]).read()
		held = [list(map(int, re.findall(r"(\d+) (?:desc|maps|kB)",
		        re.search(rf"^after {n} deaths: .*$", text, re.M).group())))
		        for n in sys.argv[2:]]
		for i, (early, late) in enumerate(zip(*held)):
		    slack = 0 if i % 4 < 2 else 256 + early // 20
		    assert late <= early + slack, f"number {i} has grown from {early} to {late}"
	END
}

@test "no session notices that the master is killed at random moments, and nothing grows" {
	local early=5 late=${CALMD_KILLS:-30}
	[ -z "${CALMD_LONG:-}" ] || early=10 late=${CALMD_KILLS:-1000}
	start_calmd
	crowd -k "$late" -m "$early" -m "$late" -c "$(ids)"
	assert_no_growth "$early" "$late"
	stop_after_deaths
}

@test "nor on a line that loses, doubles and reorders packets" {
	[ -n "${CALMD_LONG:-}" ] || skip "a long test"
	start_wire --delay 10 --jitter 2 --loss 2 --duplicate 1 --reorder 2 --seed "$CRASH_SEED"
	start_calmd -o "listen={\"$WIRE_SERVER4:$PORT\"}"
	CROWD_ADDRESS=$WIRE_SERVER4 crowd -k "${CALMD_KILLS:-250}" -c "$(ids)"
	stop_after_deaths
	stop_wire
}

# start_killed: calmd whose master kills itself where the plan says (tests/crash/kill_points.h).
start_killed() {
	export CALMD_KILL_POINTS=$BATS_TEST_TMPDIR/plan
	truncate -s 1M "$CALMD_KILL_POINTS"
	calmd_path() {
		echo "$CALMD_BUILDDIR/daemon/calmd-killed"
	}
	start_calmd "$@"
}

@test "no session notices at which point of its work the master dies" {
	start_killed
	start_background calls in_client python3 "$E2E/crash.py" "$CLIENT4" 5000
	CROWD_ADDRESS=$SERVER6 crowd -v 2 -a "$CALMD_KILL_POINTS" -k "1${CALMD_LONG:+0}" -c "$(ids)"
	stop_background calls
	assert_equal "calls" "$(sort -u "$BATS_FILE_TMPDIR/calls.out")" "called"
	stop_after_deaths
}

@test "a master that crashes on one connection's packets is rid of it at the third time" {
	start_killed
	run_peer <<-'END'
		from crash import *
		clients = [Client(SERVER4, PORT) for _ in range(3)]
		poisoned = Client(SERVER4, PORT)
		poisoned.send(b"poison for the master") # tests/crash/poison.h
		poisoned.assert_reset()
		for client in clients:
		    client.assert_whole()
		    client.close()
	END
	assert_equal "deaths of masters" "$(grep -c 'was ended by signal 6' "$CALMD_DIR/log")" 3
	wait_for 10 sessions_are 0
	assert_match "the log" "$(<"$CALMD_DIR/log")" 'is dropped: three masters have died'
	stop_after_deaths
}

@test "a damaged entry ends its own connection, with RST, and no other" {
	start_calmd
	ROUNDS=${CALMD_LONG:+200} run_peer "$(calmd_pid)" "$CRASH_SEED" <<-'END'
		from crash import *
		supervisor, seed = int(sys.argv[1]), int(sys.argv[2])
		identity = 10                          # words that say who the peer is
		clients = [Client(SERVER4, PORT) for _ in range(5)]
		for i in range(int(os.environ["ROUNDS"] or 8)):
		    victim = clients.pop(i % len(clients))
		    word = damage(supervisor, victim, seed + i)
		    victim.assert_reset(speak=word < identity)
		    for client in clients:
		        client.assert_whole()
		    clients.append(Client(SERVER4, PORT))
		print("rounds", i + 1)
		for client in clients:
		    client.close()
	END
	wait_for 10 sessions_are 0
	assert_match "the log" "$(<"$CALMD_DIR/log")" 'is dropped: its entry was damaged'
	stop_after_deaths
}
