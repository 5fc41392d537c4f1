#!/usr/bin/env bats
# What calmd says to its configuration: one clear line and status 1 for a wrong one. Needs root.

load lib

# refused LINE_PATTERN: whether the calmd that was just run wrote one line, and that says so.
refused() {
	assert_equal "lines" "${#lines[@]}" 1
	assert_match "message" "$output" "$1"
}

# run_calmd ARGUMENT...: in the server's namespace, expected to end by itself with status 1.
run_calmd() {
	run -1 in_server timeout 10 "$(calmd_path)" "$@"
}

# config_file LINE...: a configuration of these lines; its path.
config_file() {
	printf '%s\n' "$@" >"$BATS_TEST_TMPDIR/calmd.conf"
	echo "$BATS_TEST_TMPDIR/calmd.conf"
}

@test "an unknown key is one line that names file, line and key, and status 1" {
	run_calmd -f "$(config_file '# a comment' 'backlog = 5' 'no-such-key = 1')"
	refused 'calmd\.conf:3: no-such-key: unknown key'
	run_calmd -f /dev/null -o no-such-key=1
	refused '-o no-such-key: unknown key'
}

@test "a value of the wrong type is one line that names file, line and key, and status 1" {
	run_calmd -f "$(config_file '' 'max-connections = many')"
	refused 'calmd\.conf:2: max-connections: .*number'
	run_calmd -f "$(config_file 'keepalive = {"2h"}')"
	refused 'calmd\.conf:1: '
	run_calmd -f "$(config_file 'busy = perhaps')"
	refused 'calmd\.conf:1: busy: '
	run_calmd -f /dev/null -o msl=soon
	refused '-o msl: '
}

@test "an impossible value is one line that names file, line and key, and status 1" {
	run_calmd -f "$(config_file 'max-connections = 0')"
	refused 'calmd\.conf:1: max-connections: '
	run_calmd -f "$(config_file 'listen = {"10.76.0.1:99999"}')"
	refused 'calmd\.conf:1: listen: '
	run_calmd -f "$(config_file 'listen = {}')"
	refused 'calmd\.conf:1: listen: '
	run_calmd -f "$(config_file 'min-spare-workers = 9' 'max-spare-workers = 8')"
	refused 'calmd\.conf:1: min-spare-workers: must not be above max-spare-workers'
	run_calmd -f "$(config_file 'user = nobody-of-that-name')"
	refused 'user: .*nobody-of-that-name'
	run_calmd -f /dev/null -o user=daemon -o worker-user=daemon
	refused 'worker-user: must be another user'
}

@test "a configuration that does not parse, or is not there, is one line and status 1" {
	run_calmd -f "$(config_file 'listen = {"10.76.0.1:23"')"
	refused 'calmd\.conf'
	run_calmd -f /no/such/file
	refused '/no/such/file: No such file or directory'
}

@test "a port in use is one line that names it, and status 1" {
	start_background other in_server nc -l "$SERVER4" 2323
	wait_for 5 in_server sh -c 'ss -Hltn "sport = 2323" | grep -q .'
	launch_calmd -o "listen={\"$SERVER4:2323\"}"
	wait_calmd_end 5 'exit 1'
	run cat "$CALMD_DIR/log"
	refused "listen $SERVER4:2323: Address already in use"
	stop_background other
}

@test "a second calmd on the same port is one line that names it, and status 1" {
	start_calmd
	run_calmd -f /dev/null -o "listen={\"[$SERVER6]:$PORT\"}" -o "state-dir=$BATS_TEST_TMPDIR" \
		-o "control-socket=$BATS_TEST_TMPDIR/control" -o user=nobody -o worker-user=daemon
	refused "listen \[$SERVER6\]:$PORT: Address already in use"
	run -0 ctl status
	stop_calmd
}

@test "a second calmd with the same control socket is one line that names it, and status 1" {
	start_calmd
	run_calmd -f /dev/null -o "listen={\"$SERVER4:2323\"}" -o "state-dir=$BATS_TEST_TMPDIR" \
		-o "control-socket=$CALMD_SOCKET" -o user=nobody -o worker-user=daemon
	refused "control-socket: $CALMD_SOCKET: calmd is already running"
	run -0 ctl status
	stop_calmd
}

@test "-n checks the configuration and starts nothing" {
	run -0 "$(calmd_path)" -n -f "$(config_file 'backlog = 5')"
	assert_equal "what it says" "$output" "configuration is valid"
	run -1 "$(calmd_path)" -n -f "$(config_file 'backlog = -5')"
	refused 'calmd\.conf:1: backlog: '
}

@test "-T prints the effective configuration, which -o has the last word in" {
	local file
	file=$(config_file 'backlog = 5' 'msl = 20s' 'busy = reset')
	run -0 "$(calmd_path)" -T -f "$file" -o backlog=7
	assert_match "backlog" "$output" '(^|'$'\n'')backlog *= *"?7'
	assert_match "busy" "$output" '(^|'$'\n'')busy *= *"?reset'
	assert_match "msl" "$output" '(^|'$'\n'')msl *= *"?20s'
	# It is a configuration, and says the same again.
	echo "$output" >"$BATS_TEST_TMPDIR/printed"
	run -0 "$(calmd_path)" -T -f "$BATS_TEST_TMPDIR/printed"
	assert_equal "printed again" "$output" "$(<"$BATS_TEST_TMPDIR/printed")"
}

@test "the configuration that comes with calmd is valid" {
	run -0 "$(calmd_path)" -n -f "$CALMD_SRCDIR/etc/calmd.conf"
}

@test "an unknown option is status 2 and the usage" {
	run -2 "$(calmd_path)" --no-such-option
	assert_match usage "$output" 'usage: calmd'
}

@test "what -o sets is what the daemon does" {
	start_calmd -o max-connections=3 -o backlog=2 -o max-connections-per-source=1
	ctl_is limits.max_connections 3 status
	ctl_is limits.backlog 2 status
	ctl_is limits.max_connections_per_source 1 status
	stop_calmd
}
