#!/usr/bin/env bats
# A configuration that is read again while sessions run (calmctl reload, SIGHUP). Needs root.

load lib

# configure LINE...: the file that start_reloadable's daemon reads.
configure() {
	printf '%s\n' "$@" >"$BATS_TEST_TMPDIR/calmd.conf"
}

# start_reloadable LINE...: calmd with a file of these lines.
start_reloadable() {
	configure "$@"
	start_calmd -f "$BATS_TEST_TMPDIR/calmd.conf"
}

# logged PATTERN: whether a line of calmd's log says so.
logged() {
	grep -qE "$1" "$CALMD_DIR/log"
}

@test "what cannot change while running is named, to the caller and in the log" {
	start_reloadable
	configure 'user = nobody' 'state-dir = /tmp'
	run -0 ctl reload
	assert_match "user" "$output" 'user: "nobody" needs a restart; stays "'
	wait_for 5 logged 'reload: user: "nobody" needs a restart; stays "'
	stop_calmd
}

@test "an error in the file changes nothing and names file, line and key" {
	start_reloadable
	configure 'backlog = 5' 'max-connections = many'
	run -1 ctl reload
	assert_equal "lines" "${#lines[@]}" 1
	assert_match "message" "$output" 'calmd\.conf:2: max-connections: must be a number, is "many"'
	wait_for 5 logged 'nothing is changed: .*calmd\.conf:2: max-connections: '
	rm "$BATS_TEST_TMPDIR/calmd.conf"
	run -1 ctl reload
	assert_match "message" "$output" 'calmd\.conf: No such file or directory'
	stop_calmd
}
