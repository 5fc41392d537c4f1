#!/usr/bin/env bats
# The processes: what each may do, what a dead one costs, and how all of them end. Needs root.

load lib

# pids_of ROLE: supervisor, master, worker, opener or keeper.
pids_of() {
	case $1 in
	supervisor) calmd_pid ;;
	master) ctl_get master_pid status ;;
	*) calmd_processes | sed -n "s/^\([0-9]*\) calmd-$1.*/\1/p" ;;
	esac
}

# proc_field PID NAME: a line of /proc/PID/status.
proc_field() {
	sed -n "s/^$2:[[:space:]]*//p" "/proc/$1/status"
}

# open_sessions NUMBER: so many clients that stay, named session-1 and so on.
open_sessions() {
	local i
	for i in $(seq "$1"); do
		start_background "session-$i" in_client nc -d "$SERVER4" "$PORT"
		wait_for 10 grep -q '# ' "$BATS_FILE_TMPDIR/session-$i.out"
	done
	wait_for 5 established_are "$1"
	wait_for 5 sessions_are "$1" # a keeper has its title a moment after its shell's prompt
}

@test "every process says what it is" {
	start_calmd
	open_sessions 1
	run -0 calmd_processes
	for name in calmd-opener calmd-worker calmd-keeper; do
		assert_match processes "$output" " $name"
	done
	[[ "$(tr '\0' ' ' <"/proc/$(pids_of master)/cmdline")" == *master* ]]
	stop_calmd
}

@test "master and workers have users of their own, an empty root and no capability" {
	start_calmd
	open_sessions 1
	local master worker pid root field
	master=$(pids_of master)
	worker=$(pids_of worker | head -n 1)
	[ "$(proc_field "$master" Uid)" != "$(proc_field "$worker" Uid)" ]
	for pid in "$master" $(pids_of worker); do
		echo "$pid: $(tr '\0' ' ' <"/proc/$pid/cmdline") $(proc_field "$pid" Uid)"
		assert_match "user ids" "$(proc_field "$pid" Uid)" $'^([1-9][0-9]*)\t\\1\t\\1\t\\1$' ||
			[ "$(proc_field "$pid" Uid | tr '\t' '\n' | sort -u | wc -l)" -eq 1 ]
		[ "$(proc_field "$pid" Uid | cut -f 1)" -ne 0 ]
		[ "$(proc_field "$pid" Gid | cut -f 1)" -ne 0 ]
		assert_equal "supplementary groups" "$(proc_field "$pid" Groups | tr -d ' ')" ""
		for field in CapInh CapPrm CapEff CapBnd CapAmb; do
			assert_equal "$field of $pid" "$(proc_field "$pid" $field)" 0000000000000000
		done
		assert_equal "no new privileges" "$(proc_field "$pid" NoNewPrivs)" 1
		assert_equal "what is in its root" "$(ls -A "/proc/$pid/root/")" ""
		assert_equal "what is in its directory" "$(ls -A "/proc/$pid/cwd/")" ""
		[ "$(stat -L -c %i "/proc/$pid/root")" != "$(stat -c %i /)" ]
	done
	stop_calmd
}

@test "no process of another role has a raw socket, and a worker only what it needs" {
	start_calmd
	open_sessions 1
	local pid raw
	raw=$(in_server awk 'FNR > 1 { print $10 }' /proc/net/raw /proc/net/raw6)
	[ "$(wc -w <<<"$raw")" -ge 6 ] # two lanes and one for ICMP, each for IPv4 and IPv6
	for pid in $(pids_of worker) $(pids_of opener) $(pids_of keeper) \
		$(calmd_processes | sed -n 's/^\([0-9]*\) \/bin\/sh.*/\1/p'); do
		run ls -l "/proc/$pid/fd"
		for socket in $raw; do
			[[ $output != *"socket:[$socket]"* ]] || fail "$pid has a raw socket: $output"
		done
	done
	for pid in $(pids_of worker); do
		[ "$(find "/proc/$pid/fd" -mindepth 1 | wc -l)" -le 12 ]
	done
	stop_calmd
}

@test "a session has its terminal, standard descriptors and TERM, and nothing of calmd's" {
	start_calmd
	run -0 drive telnet "$SERVER4" "$PORT" <<-'END'
		expect # $
		send env | sort; ls -l /proc/$$/fd; ps -o pid=,pgid=,sid=,tpgid= -p $$; exit\n
		wait
	END
	output=$(tr -d '\r' <<<"$output")
	# PWD is the shell's own.
	assert_equal environment "$(grep -E '^[A-Z_]+=' <<<"$output" | cut -d = -f 1 | xargs)" "PWD TERM"
	assert_equal descriptors "$(grep -c ' -> ' <<<"$output")" "$(grep -c ' -> /dev/\(pts/[0-9]*\|tty\)$' <<<"$output")"
	grep -Eq '^ *([0-9]+) +\1 +\1 +[0-9]+$' <<<"$output" || fail "it does not lead its session"
	stop_calmd
}

@test "a dead worker costs its own session only, and is replaced" {
	start_calmd -o min-spare-workers=2 -o max-spare-workers=2
	open_sessions 3
	capture_start killed server
	local id worker victim
	id=$(connection_ids ESTABLISHED | sed -n 2p)
	worker=$(calmd_processes | sed -n "s/^\([0-9]*\) calmd-worker: connection $id\$/\1/p")
	[ -n "$worker" ]
	kill -KILL "$worker"
	wait_for 5 established_are 2
	wait_for 10 sessions_are 2
	wait_for 5 ctl_is workers.idle 2 status
	# The client whose session it was is told.
	wait_for 5 background_ended session-2
	run ! background_ended session-1
	run ! background_ended session-3
	capture_stop killed
	assert_equal "ends that the client saw" "$(count_segments killed --from "$SERVER4.$PORT" --with R)" 1
	# The others, and new ones, go on.
	run_peer <<-'END'
		from telnet import *
		with Telnet(SERVER4, PORT) as client:
		    client.read_until(rb"# $")
		    assert client.run("echo works") == "works\n"
	END
	assert_match log "$(<"$CALMD_DIR/log")" "worker $worker was ended by signal 9"
	kill -TERM "$(calmd_pid)"
	wait_calmd_end 10
}

@test "dead idle workers are replaced" {
	start_calmd -o min-spare-workers=3 -o max-spare-workers=3
	wait_for 5 ctl_is workers.idle 3 status
	local before
	before=$(pids_of worker)
	# shellcheck disable=SC2086
	kill -KILL $before
	wait_for 10 three_others "$before"
	wait_for 5 ctl_is workers.idle 3 status
	kill -TERM "$(calmd_pid)"
	wait_calmd_end 10
}

# three_others PIDS: whether three workers are there, none of PIDS.
three_others() {
	local now
	now=$(pids_of worker)
	[ "$(wc -l <<<"$now")" -eq 3 ] && ! grep -qxF "$1" <<<"$now"
}

@test "a dead session ends its connection with FIN" {
	start_calmd
	for signal in KILL HUP TERM; do
		capture_start dead server
		open_sessions 1
		pkill "-$signal" -P "$(pids_of keeper)" || fail "no session under $(pids_of keeper)"
		if [ "$signal" = TERM ]; then # an interactive shell ignores it
			pkill -KILL -P "$(pids_of keeper)"
		fi
		wait_for 5 background_ended session-1
		wait_for 5 sessions_are 0
		capture_stop dead
		assert_equal "FINs of the server" "$(count_segments dead --with F --from "$SERVER4.$PORT")" 1
		assert_equal RSTs "$(count_segments dead --with R)" 0
		wait_for 5 connections_are 0
	done
	stop_calmd
}

@test "a dead keeper or a dead opener costs little: the connection ends, and new ones work" {
	start_calmd
	open_sessions 2
	kill -KILL "$(pids_of keeper | head -n 1)"
	wait_for 10 established_are 1
	local opener idle
	opener=$(pids_of opener)
	idle=$(idle_workers)
	kill -KILL "$opener"
	wait_for 10 grep -q 'the opener was ended' "$CALMD_DIR/log"
	# Idle workers know that opener only, and go with it. Who comes then waits for the next one.
	wait_for 10 none_is_left "$idle"
	start_background meanwhile in_client nc -d "$SERVER4" "$PORT"
	wait_for 10 new_opener "$opener"
	wait_for 10 grep -q '# ' "$BATS_FILE_TMPDIR/meanwhile.out"
	run_peer <<-'END'
		from telnet import *
		with Telnet(SERVER4, PORT, timeout=15) as client:
		    client.read_until(rb"# $")
		    assert client.run("echo works") == "works\n"
	END
	kill -TERM "$(calmd_pid)"
	wait_calmd_end 15
}

idle_workers() {
	calmd_processes | sed -n 's/^\([0-9]*\) calmd-worker: idle.*/\1/p'
}

# none_is_left PIDS
none_is_left() {
	local pid
	for pid in $1; do
		[ ! -e "/proc/$pid" ] || return 1
	done
}

new_opener() {
	local now
	now=$(pids_of opener)
	[ -n "$now" ] && [ "$now" != "$1" ]
}

@test "a client that vanishes by RST leaves no process behind" {
	start_calmd
	run_peer <<-'END'
		for src, dst in ((CLIENT4, SERVER4), (CLIENT6, SERVER6)):
		    peer = Peer(src, dst, 4000, PORT)
		    peer.connect()
		    peer.read_until(b"# ")
		    peer.send("PA", b"sleep 1000\n")
		    peer.read_until(b"sleep 1000\r\n")
		    peer.abort()
	END
	wait_for 10 sessions_are 0
	wait_for 10 no_sleep_left
	stop_calmd
}

no_sleep_left() {
	! calmd_processes | grep 'sleep 1000'
}

@test "SIGTERM ends everything in order: output, then FIN, and no process is left" {
	start_calmd
	capture_start end server
	open_sessions 3
	start_background telnet in_client "$E2E/drive.py" telnet "$SERVER6" "$PORT"
	wait_for 5 established_are 4
	stop_calmd
	for name in session-1 session-2 session-3; do
		wait_for 5 background_ended "$name"
	done
	capture_stop end
	assert_equal "FINs of the server" "$(segments end --with F --from "$SERVER4.$PORT" | awk '{ print $4 }' | sort -u | wc -l)" 3
	assert_equal "FINs over IPv6" "$(segments end --with F --from "$SERVER6.$PORT" | awk '{ print $4 }' | sort -u | wc -l)" 1
	assert_equal "RSTs from calmd" "$(segments end --with R --from "$SERVER4.$PORT" | wc -l)" 0
	[ ! -e "$CALMD_SOCKET" ]
}

@test "SIGTERM with nobody there, and SIGINT, end it at once" {
	start_calmd
	stop_calmd 3
	start_calmd
	kill -INT "$(calmd_pid)"
	wait_calmd_end 3
	log_is_clean
}

@test "SIGTERM also ends sessions that ignore hang-up" {
	start_calmd -o 'login={"/bin/sh", "-c", "trap : HUP TERM INT; echo deaf; while :; do sleep 0.1; done"}'
	start_background deaf in_client nc -d "$SERVER4" "$PORT"
	wait_for 10 grep -q deaf "$BATS_FILE_TMPDIR/deaf.out"
	kill -TERM "$(calmd_pid)"
	wait_calmd_end 20
	wait_for 5 background_ended deaf
}

@test "spare workers are kept between the minimum and the maximum" {
	start_calmd -o min-spare-workers=2 -o max-spare-workers=6
	wait_for 5 ctl_is workers.idle 2 status
	run_peer <<-'END'
		from telnet import *
		clients = []
		for _ in range(12):
		    clients.append(Telnet(SERVER4, PORT))
		    assert ctl("status")["workers"]["idle"] <= 6
		for client in clients:
		    client.read_until(rb"# $")
		wait_until(lambda: 2 <= ctl("status")["workers"]["idle"] <= 6, what="2 to 6 idle")
		assert ctl("status")["workers"]["busy"] == 12
	END
	wait_for 5 ctl_is workers.busy 0 status
	[ "$(ctl_get workers.idle status)" -ge 2 ]
	[ "$(ctl_get workers.idle status)" -le 6 ]
	stop_calmd
}

@test "a worker serves one connection: the next gets another process" {
	start_calmd -o min-spare-workers=1 -o max-spare-workers=1
	local first second
	open_sessions 1
	first=$(calmd_processes | grep 'calmd-worker: connection')
	stop_background session-1
	wait_for 5 connections_are 0
	open_sessions 1
	second=$(calmd_processes | grep 'calmd-worker: connection')
	[ "${first%% *}" != "${second%% *}" ]
	stop_calmd
}

@test "when the supervisor is killed, no process goes on without it" {
	start_calmd
	open_sessions 1
	kill -KILL "$(calmd_pid)"
	wait_calmd_end 15 'signal 9'
}
