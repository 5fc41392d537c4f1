#!/usr/bin/env bats
# What calmd makes of a line, beside the kernel's TCP: the short form shows that it works and is not
# far off; with CALMD_LONG set (`make check-long`) it is the whole table, and what must be reached.
# Long, and only meaningful on a machine that does nothing else. Needs root.

bats_require_minimum_version 1.5.0

setup_file() {
	[ -z "${CALMD_SANITIZERS:-}" ] || return 0
	export WIRE=${CALMD_SRCDIR:-$BATS_TEST_DIRNAME/../..}/tests/wire
	export RESULT=$BATS_FILE_TMPDIR/result.json
	local quick=()
	if [ -z "${CALMD_LONG:-}" ]; then
		# what is far from the network's limit, so that neither a busy machine nor a
		# sanitizer decides
		quick=(--rounds 1 --rtt 20 --loss 0,1 --bytes 4000000
			--contestants kernel-bbr,calmd-reno,calmd-cubic,calmd-bbr)
	fi
	"$WIRE/table" "${quick[@]}" --json "$RESULT" >"$BATS_FILE_TMPDIR/table" 3>&- 4>&-
	sed 's/^/# /' "$BATS_FILE_TMPDIR/table" >&3
}

setup() {
	[ -z "${CALMD_SANITIZERS:-}" ] || skip "speed is measured without sanitizers"
}

@test "every transfer over a line without loss is complete, and near the rate of the line" {
	# 4 MB take 0.32 s at least, 20 MB 1.6 s; nobody needs six times as long.
	jq -e '.bytes as $bytes | [.cells[] | select(.loss_percent == 0) | .runs[][] |
		.bytes >= $bytes and .seconds < 6 * $bytes / 12.5e6 + 1] | length > 0 and all' "$RESULT"
}

@test "a line that loses a segment in a hundred is survived" {
	jq -e '.bytes as $bytes | [.cells[] | select(.loss_percent == 1) | .runs[][] |
		.bytes >= 1e6 and .wire.a_to_b.lost > 0] | length > 0 and all' "$RESULT"
}

@test "two sessions share a line, and one shares it with the kernel's TCP" {
	local seconds=60
	[ -n "${CALMD_LONG:-}" ] || seconds=8
	"$WIRE/fairness" --seconds $seconds --json "$BATS_TEST_TMPDIR/shares" 3>&- 4>&- |
		sed 's/^/# /' >&3
	if [ -n "${CALMD_LONG:-}" ]; then
		jq -e 'length == 2 and all(.met)' "$BATS_TEST_TMPDIR/shares"
	else
		# So short a time is not for shares: nobody starves, and the line is used.
		jq -e 'length == 2 and all(.shares | min > 0.05)' "$BATS_TEST_TMPDIR/shares"
		jq -e 'all(.bytes * 8 / .seconds > 20e6)' "$BATS_TEST_TMPDIR/shares"
	fi
}

@test "with its default calmd takes no longer than the kernel's better one, in every cell" {
	[ -n "${CALMD_LONG:-}" ] || skip "make check-long measures the whole table"
	jq '.cells[] | select(.met != true) | {rtt_ms, loss_percent, seconds}' "$RESULT"
	jq -e '[.cells[].met] | length == 8 and all' "$RESULT"
}
