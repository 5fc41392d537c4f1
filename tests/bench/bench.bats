#!/usr/bin/env bats
# The bench works: in its quick form it measures every row for everything that is
# installed. What the figures must be is for goals.bats, on a machine at rest.

setup_file() {
	[ -z "${CALMD_SANITIZERS:-}" ] || return 0
	export BENCH=${CALMD_SRCDIR:-$BATS_TEST_DIRNAME/../..}/tests/bench/run
	"$BENCH" --quick --json "$BATS_FILE_TMPDIR/result.json" >"$BATS_FILE_TMPDIR/table" 3>&- 4>&-
}

# value ROW SERVER: what the quick run measured.
value() {
	jq -r --arg row "$1" --arg server "$2" '.rows[] | select(.name == $row) | .[$server]' \
		"$BATS_FILE_TMPDIR/result.json"
}

setup() {
	[ -z "${CALMD_SANITIZERS:-}" ] || skip "speed is measured without sanitizers"
}

@test "the table has a line for every row, with its goal" {
	local row
	while read -r row; do
		grep -F "$row" "$BATS_FILE_TMPDIR/table"
	done < <(jq -r '.rows[].name' "$BATS_FILE_TMPDIR/result.json")
	[ "$(jq '.rows | length' "$BATS_FILE_TMPDIR/result.json")" -ge 12 ]
	grep -E '^output  .*>= 1 GNU, >= 0.9 pty' "$BATS_FILE_TMPDIR/table"
}

@test "every row has a figure for calmd, and for GNU telnetd where it is installed" {
	local server row figure servers=(calmd)
	[ ! -x /usr/sbin/telnetd ] || servers+=(gnu)
	for server in "${servers[@]}"; do
		while read -r row; do
			figure=$(value "$row" "$server")
			echo "$server, $row: $figure"
			[ "$(jq -n "$figure > 0")" = true ]
		done < <(jq -r '.rows[].name' "$BATS_FILE_TMPDIR/result.json")
	done
}

@test "a pty alone has a figure for keystrokes, output, input and sessions" {
	local row figure
	for row in "keystroke p50, one CPU" output input "sessions, one by one"; do
		figure=$(value "$row" pty)
		echo "$row: $figure"
		[ "$(jq -n "$figure > 0")" = true ]
	done
}

@test "an unknown measurement is refused" {
	run "$BENCH" --only nonsense
	[ "$status" -eq 1 ]
	[[ $output == *"no such measurement: nonsense"* ]]
}
