#!/usr/bin/env bats
# calmctl: what it shows, what it does, and how it ends. Needs root.

load lib

# open_session: a client that stays, and the id of its connection in ID.
open_session() {
	start_background "${1:-session}" in_client nc -d "$SERVER4" "$PORT"
	wait_for 10 grep -q '# ' "$BATS_FILE_TMPDIR/${1:-session}.out"
	wait_for 5 established_are "${2:-1}"
	ID=$(connection_ids ESTABLISHED | tail -n 1)
}

# keys_are WANTED: whether the JSON object on stdin has these keys, among others.
keys_are() {
	python3 -c '
import json, sys
missing = set(sys.argv[1:]) - set(json.load(sys.stdin))
assert not missing, f"missing: {missing}"' "$@"
}

@test "status tells version, processes, workers, limits and quiet time" {
	start_calmd
	wait_for 5 ctl_is workers.idle 8 status
	run -0 ctl status
	assert_match text "$output" '^calmd [0-9.]+, up [0-9]+ s \(supervisor [0-9]+, master [0-9]+\)'
	assert_match text "$output" 'workers +8 idle, 0 busy'
	assert_match text "$output" 'connections +0 of 250'
	ctl --json status | keys_are version supervisor_pid master_pid uptime_s quiet workers queue \
		connections limits
	ctl --json status | json_get quiet | keys_are left_s reason
	ctl --json status | json_get workers | keys_are idle busy
	assert_equal supervisor "$(ctl_get supervisor_pid status)" "$(calmd_pid)"
	assert_match master "$(calmd_processes)" "(^|"$'\n'")$(ctl_get master_pid status) "
	stop_calmd
}

@test "list has a row for each listener and each connection" {
	start_calmd
	run -0 ctl list
	assert_match header "${lines[0]}" '^ *ID +STATE +PEER +LOCAL +USER +SINCE +RTT +CWND +SND-Q +RCV-Q$'
	assert_equal listeners "$(grep -c ' LISTEN ' <<<"$output")" 4
	assert_equal lines "${#lines[@]}" 5
	open_session
	run -0 ctl list
	assert_match row "$output" "$ID +ESTABLISHED +$CLIENT4:[0-9]+ +$SERVER4:$PORT "
	ctl --json list | json_get 4 | keys_are id state peer local user since rtt_us cwnd snd_queue \
		rcv_queue
	stop_background session
	wait_for 5 connections_are 0
	stop_calmd
}

@test "show tells the states so far with their times, and every variable" {
	start_calmd
	open_session
	run -0 ctl show "$ID"
	assert_match title "${lines[0]}" "^Connection $ID: ESTABLISHED$"
	assert_match history "$output" '20[0-9-]+T[0-9:.]+Z +\+0\.000000 s +LISTEN'
	assert_match history "$output" '\+0\.[0-9]{6} s +LISTEN -> SYN-RECEIVED'
	assert_match history "$output" '\+0\.[0-9]{6} s +SYN-RECEIVED -> ESTABLISHED'
	for word in snd_una snd_nxt rcv_nxt cwnd ssthresh RTO retransmission 'segments in'; do
		assert_match "text" "$output" "$word"
	done
	ctl --json show "$ID" | keys_are id state history iss irs snd_una snd_nxt snd_wnd rcv_nxt rcv_wnd \
		send_mss cwnd srtt_us rttvar_us rto_us timers counters
	assert_equal "segments sent again" "$(ctl_get counters.segs_retransmitted show "$ID")" 0
	stop_calmd
}

@test "close ends a connection with FIN" {
	start_calmd
	capture_start close server
	open_session
	run -0 ctl close "$ID"
	assert_equal output "$output" ""
	wait_for 5 background_ended session
	wait_for 5 sessions_are 0
	capture_stop close
	assert_equal "FINs from the server" "$(count_segments close --with F --from "$SERVER4.$PORT")" 1
	assert_equal RSTs "$(count_segments close --with R)" 0
	wait_for 5 connections_are 0
	stop_calmd
}

@test "abort ends a connection with RST" {
	start_calmd
	capture_start abort server
	open_session
	run -0 ctl --json abort "$ID"
	assert_equal output "$output" null
	wait_for 5 background_ended session
	wait_for 5 sessions_are 0
	capture_stop abort
	assert_equal FINs "$(count_segments abort --with F)" 0
	assert_equal "RSTs from the server" "$(count_segments abort --with R --from "$SERVER4.$PORT")" 1
	wait_for 5 connections_are 0
	stop_calmd
}

@test "stats counts, as text and as JSON" {
	start_calmd
	before=$(ctl_get tcpPassiveOpens stats)
	open_session
	assert_equal "passive opens" "$(ctl_get tcpPassiveOpens stats)" $((before + 1))
	run -0 ctl stats
	assert_match text "$output" "tcpPassiveOpens +$((before + 1)) "
	ctl --json stats | keys_are tcpInSegs tcpOutSegs tcpRetransSegs tcpAttemptFails tcpEstabResets \
		tcpInErrs tcpOutRsts tcpActiveOpens
	stop_calmd
}

@test "call opens a connection to a waiting client, who gets a session" {
	start_calmd
	for client in "$CLIENT4:4023" "[$CLIENT6]:4023"; do
		called_client_gets_a_session "$client"
	done
	stop_calmd
}

# called_client_gets_a_session ENDPOINT
called_client_gets_a_session() {
	local address=${1%:*}
	address=${address#[} address=${address%]}
	printf 'id -u; exit\n' >"$BATS_TEST_TMPDIR/input"
	# shellcheck disable=SC2016
	start_background called in_client sh -c 'exec nc -N -l "$1" 4023 <"$2"' sh "$address" "$BATS_TEST_TMPDIR/input"
	wait_for 5 in_client sh -c 'ss -Hltn "sport = 4023" | grep -q .'
	run -0 ctl call "$1"
	assert_match text "$output" '^connection [0-9]+ is established$'
	wait_for 10 background_ended called
	# the echo of what was typed ahead may come before or after the prompt
	assert_match "what the client saw" "$(<"$BATS_FILE_TMPDIR/called.out")" $'(# |\n)0\r'
	wait_for 5 sessions_are 0
}

@test "call to a port where nobody listens is refused, with one line and status 1" {
	start_calmd
	run -1 --separate-stderr ctl call "$CLIENT4:4999"
	assert_equal stdout "$output" ""
	assert_match stderr "$stderr" '^calmctl: .*(refused|reset)'
	wait_for 5 connections_are 0
	stop_calmd
}

@test "call from a port of one's choice" {
	start_calmd
	printf 'exit\n' >"$BATS_TEST_TMPDIR/input"
	# shellcheck disable=SC2016
	start_background called in_client sh -c 'exec nc -nv -N -l "$1" 4023 <"$2"' sh "$CLIENT4" "$BATS_TEST_TMPDIR/input"
	wait_for 5 in_client sh -c 'ss -Hltn "sport = 4023" | grep -q .'
	run -0 ctl --json call -p 5555 "$CLIENT4:4023"
	json_get id <<<"$output"
	wait_for 10 background_ended called
	assert_match "who called" "$(<"$BATS_FILE_TMPDIR/called.out")" "$SERVER4 5555"
	stop_calmd
}

@test "status 1 and one line for what is refused" {
	start_calmd
	for command in "show 99999" "close 99999" "abort 99999" "close $(connection_ids LISTEN | head -n 1)"; do
		# shellcheck disable=SC2086
		run -1 --separate-stderr ctl $command
		assert_equal "stdout of $command" "$output" ""
		assert_match "stderr of $command" "$stderr" '^calmctl: [^'$'\n'']+$'
	done
	stop_calmd
	run -1 --separate-stderr ctl status
	assert_match "without a daemon" "$stderr" '^calmctl: [^'$'\n'']+$'
}

@test "status 2 for what is not a command" {
	set_calmd_dir
	for command in "" "no-such-command" "show" "show abc" "show 1 2" "call" "call 127.0.0.1:99999" \
		"call [::1]:0" "status 1" "--no-such-option"; do
		# shellcheck disable=SC2086
		run -2 --separate-stderr ctl $command
		assert_equal "stdout of '$command'" "$output" ""
		assert_match "stderr of '$command'" "$stderr" '^calmctl: '
	done
}

@test "users other than root may neither look nor act, unless they are in a group that may" {
	chmod 755 "$BATS_RUN_TMPDIR" "$BATS_FILE_TMPDIR"
	start_calmd -o control-read-group=adm -o control-group=operator
	run -1 as_member nogroup status
	run -0 as_member adm status
	run -1 as_member adm close 99999
	assert_match "to one who may look" "$output" 'you may look, but not act'
	run -1 as_member operator close 99999
	assert_match "to one who may act" "$output" 'no such connection'
	stop_calmd
}

# as_member GROUP ARGUMENT...: calmctl as nobody, in GROUP by a supplementary membership.
as_member() {
	local group=$1
	shift
	setpriv --reuid=65534 --regid=65534 --groups="$(getent group "$group" | cut -d : -f 3)" \
		"$CALMCTL" -s "$CALMD_SOCKET" "$@"
}
