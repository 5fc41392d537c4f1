#!/usr/bin/env bats
# Both ways with the kernel's TCP over a line that reorders 5 %, doubles 1 % and damages 0.1 %, with
# each option of the kernel's switched off in its turn: every byte arrives, unchanged and in order.
# 2 MB each way; `make check-long` sends 50 MB. Needs root.

load lib

LINE=(--seed 9 --reorder 5 --duplicate 1 --corrupt 0.1 --delay 1)

setup_file() {
	make_network
	if [ -n "${CALMD_LONG:-}" ]; then
		export BYTES=50000000 PEER_SECONDS=600
	else
		export BYTES=2000000 PEER_SECONDS=120
	fi
	head -c "$BYTES" /dev/urandom >"$BATS_FILE_TMPDIR/bytes"
}

teardown() {
	show_failure
	remove_calmd
	stop_background wire
}

# kernel_has TIMESTAMPS SACK SCALING: which options the client's kernel offers, 0 or 1.
kernel_has() {
	in_client sysctl -q "net.ipv4.tcp_timestamps=$1" "net.ipv4.tcp_sack=$2" \
		"net.ipv4.tcp_window_scaling=$3"
}

# both_ways 4|6 TIMESTAMPS SACK SCALING
both_ways() {
	local address=WIRE_SERVER$1 on=(false true)
	shift
	kernel_has "$@"
	start_wire "${LINE[@]}"
	address=${!address}
	start_calmd -o "listen={\"$WIRE_SERVER4:$PORT\", \"[$WIRE_SERVER6]:$PORT\"}"
	run -0 negotiated "$address"
	assert_equal "options of the connection" "$output" "${on[$1]} ${on[$2]} ${on[$3]}"
	run -0 receive "$address" "$BYTES"
	echo "# $output" >&3
	run -0 send "$address" "$BYTES"
	echo "# $output" >&3
	stop_wire
	for direction in a_to_b b_to_a; do
		for what in reordered duplicated corrupted; do
			[ "$(wire_counter "$direction" $what)" -gt 0 ]
		done
	done
	stop_calmd
}

# negotiated ADDRESS: what a connection has of timestamps, SACK and window scaling.
negotiated() {
	run_peer "$1" <<-'END'
		import json
		from telnet import *
		with Telnet(sys.argv[1], PORT) as client:
		    client.read_until(rb"# $")
		    row, = [row for row in ctl("list") if row["state"] == "ESTABLISHED"]
		    shown = ctl("show", row["id"])
		    print(*(json.dumps(shown[key]) for key in ("timestamps", "sack", "window_scaling")))
		    client.type("exit\r")
		    client.read_all()
	END
}

@test "bytes both ways with all options (IPv4)" {
	both_ways 4 1 1 1
}

@test "bytes both ways with all options (IPv6)" {
	both_ways 6 1 1 1
}

@test "bytes both ways without timestamps (IPv4)" {
	both_ways 4 0 1 1
}

@test "bytes both ways without timestamps (IPv6)" {
	both_ways 6 0 1 1
}

@test "bytes both ways without SACK (IPv4)" {
	both_ways 4 1 0 1
}

@test "bytes both ways without SACK (IPv6)" {
	both_ways 6 1 0 1
}

@test "bytes both ways without window scaling (IPv4)" {
	both_ways 4 1 1 0
}

@test "bytes both ways without window scaling (IPv6)" {
	both_ways 6 1 1 0
}

@test "bytes both ways without any option (IPv4)" {
	both_ways 4 0 0 0
}

@test "bytes both ways without any option (IPv6)" {
	both_ways 6 0 0 0
}
