#!/usr/bin/env bats
# Bytes through a session, many of them, over a line that loses and reorders: each arrives, unchanged
# and in order. `make check-long` sends all 100 MB and 20 MB. Needs root.

load lib

# The line: 1 % lost, 2 % out of order, and half a millisecond long.
LINE=(--seed 7 --loss 1 --reorder 2 --reorder-gap 3 --delay 0.5)

setup_file() {
	make_network
	if [ -n "${CALMD_LONG:-}" ]; then
		export OUTPUT_BYTES=100000000 INPUT_BYTES=20000000
	else
		export OUTPUT_BYTES=10000000 INPUT_BYTES=4000000
	fi
	head -c "$OUTPUT_BYTES" /dev/urandom >"$BATS_FILE_TMPDIR/bytes"
}

teardown() {
	show_failure
	remove_calmd
	stop_background wire
}

start_over_wire() {
	start_wire "${LINE[@]}"
	start_calmd -o "listen={\"$WIRE_SERVER4:$PORT\", \"[$WIRE_SERVER6]:$PORT\"}" "$@"
}

# line_was_bad: whether the wire did what it was asked to.
line_was_bad() {
	stop_wire
	for direction in a_to_b b_to_a; do
		[ "$(wire_counter "$direction" lost)" -gt 0 ]
		[ "$(wire_counter "$direction" reordered)" -gt 0 ]
	done
}

@test "output arrives complete and unchanged over a line that loses and reorders (IPv4)" {
	start_over_wire
	run -0 receive "$WIRE_SERVER4" "$OUTPUT_BYTES"
	echo "# $output" >&3
	line_was_bad
	stop_calmd
}

@test "input arrives complete and unchanged over a line that loses and reorders (IPv4)" {
	start_over_wire
	run -0 send "$WIRE_SERVER4" "$INPUT_BYTES"
	echo "# $output" >&3
	line_was_bad
	stop_calmd
}

@test "output and input over that line with IPv6" {
	start_over_wire
	run -0 receive "$WIRE_SERVER6" $((OUTPUT_BYTES / 10))
	run -0 send "$WIRE_SERVER6" $((INPUT_BYTES / 10))
	line_was_bad
	stop_calmd
}

@test "output and input over a line that also doubles, damages and delays" {
	LINE=(--seed 8 --loss 1 --reorder 2 --duplicate 1 --corrupt 1 --delay 3 --jitter 2)
	start_over_wire
	run -0 receive "$WIRE_SERVER4" $((OUTPUT_BYTES / 10))
	run -0 send "$WIRE_SERVER6" $((INPUT_BYTES / 10))
	[ "$(ctl_get inBadChecksum stats)" -gt 0 ]
	line_was_bad
	stop_calmd
}

@test "output goes on over a path that swallows large packets without a word" {
	LINE=(--delay 2 --direction a-to-b --largest 1400)
	start_over_wire
	run -0 receive "$WIRE_SERVER4" $((OUTPUT_BYTES / 4))
	echo "# $output" >&3
	run -0 receive "$WIRE_SERVER6" $((OUTPUT_BYTES / 10))
	assert_equal "black holes" "$(ctl_get pathMtuBlackHoles stats)" 2
	stop_wire
	[ "$(wire_counter a_to_b oversized)" -gt 10 ]
	stop_calmd
}

@test "output and input over loopback and veth, where nothing is lost" {
	start_calmd
	run -0 receive "$SERVER4" "$OUTPUT_BYTES"
	run -0 receive "$SERVER6" $((OUTPUT_BYTES / 10))
	run -0 send "$SERVER4" "$INPUT_BYTES"
	run -0 send "$SERVER6" $((INPUT_BYTES / 10))
	CLIENT_NS=$SERVER_NS
	run -0 receive 127.0.0.1 $((OUTPUT_BYTES / 10))
	run -0 send ::1 $((INPUT_BYTES / 10))
	stop_calmd
}
