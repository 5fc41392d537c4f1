#!/usr/bin/env bats
# calmd reaches every goal of the bench against GNU telnetd and against a pty
# alone. Long, and only meaningful on a machine that does nothing else.

setup_file() {
	export BENCH=${CALMD_SRCDIR:-$BATS_TEST_DIRNAME/../..}/tests/bench/run
	export RESULT=$BATS_FILE_TMPDIR/result.json
	[ -x /usr/sbin/telnetd ] || return 0
	"$BENCH" --json "$RESULT" >"$BATS_FILE_TMPDIR/table" 3>&- 4>&-
	sed 's/^/# /' "$BATS_FILE_TMPDIR/table" >&3
}

# met ROW: shows the row, fails unless its goals are met.
met() {
	[ -x /usr/sbin/telnetd ] || skip "GNU telnetd is not installed: ./bootstrap packages bench"
	jq --arg row "$1" '.rows[] | select(.name == $row)' "$RESULT"
	[ "$(jq --arg row "$1" '.rows[] | select(.name == $row) | .met' "$RESULT")" = true ]
}

@test "a keystroke across two CPUs takes no longer than with GNU telnetd, p50" {
	met "keystroke p50, two CPUs"
}

@test "a keystroke across two CPUs takes no longer than with GNU telnetd, p99" {
	met "keystroke p99, two CPUs"
}

@test "a keystroke on one CPU takes at most 1.6 times as long as with GNU telnetd, p50" {
	met "keystroke p50, one CPU"
}

@test "output is at least GNU telnetd's, and 0.9 of a pty alone" {
	met "output"
}

@test "output of a raw terminal is at least GNU telnetd's, and 0.9 of a pty alone" {
	met "output, raw terminal"
}

@test "input is at least GNU telnetd's" {
	met "input"
}

@test "sessions one by one are set up at least 10 times as fast as GNU telnetd's" {
	met "sessions, one by one"
}

@test "sessions 16 at once are set up at least 1.5 times as fast as GNU telnetd's" {
	met "sessions, 16 at once"
}

@test "an idle session takes no more memory than GNU telnetd's" {
	met "memory of an idle session"
}
