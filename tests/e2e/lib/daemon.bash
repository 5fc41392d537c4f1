# calmd in the server's namespace, and calmctl to ask it. CALMD_DIR holds all that
# belongs to one daemon: control socket, state, log; a test that needs a second
# daemon sets it to another directory.
# shellcheck shell=bash

# The executable: from the build, unless CALMD_PROGRAM names another one.
calmd_path() {
	echo "${CALMD_PROGRAM:-$CALMD_BUILDDIR/daemon/calmd}"
}

# manage_calmd [COMMAND...]: for setup_file; calmd, by way of COMMAND, under manager.py, which plays systemd's part.
manage_calmd() {
	export CALMD_PROGRAM=$BATS_FILE_TMPDIR/managed
	cat >"$CALMD_PROGRAM" <<-END
		#!/bin/bash
		exec "$E2E/manager.py" "\$CALMD_DIR" ${*@Q} "$CALMD_BUILDDIR/daemon/calmd" "\$@"
	END
	chmod +x "$CALMD_PROGRAM"
}

set_calmd_dir() {
	export CALMD_DIR=${CALMD_DIR:-$BATS_FILE_TMPDIR/calmd}
	export CALMD_SOCKET=$CALMD_DIR/control CALMCTL=$CALMD_BUILDDIR/daemon/calmctl
	mkdir -p "$CALMD_DIR"
}

# The options that every test's daemon gets; those of the test come after and win. Nobody is
# banned: what tests send would do for that.
default_options() {
	printf '%s\n' -f /dev/null
	printf -- '-o\n%s\n' \
		"listen={\"$SERVER4:$PORT\", \"[$SERVER6]:$PORT\", \"127.0.0.1:$PORT\", \"[::1]:$PORT\"}" \
		"control-socket=$CALMD_SOCKET" \
		"state-dir=$CALMD_DIR/state" \
		'ban-after=0' \
		'login={"/bin/sh"}'
	# A sanitizer's report is on standard error, which only a debugging daemon leaves open.
	[ -z "${CALMD_SANITIZERS:-}" ] || printf -- '-o\n%s\n' log-level=debug
	if ! getent passwd _calmd >/dev/null || ! getent passwd _calmd-worker >/dev/null; then
		printf -- '-o\n%s\n' user=nobody worker-user=daemon
	fi
}

# launch_calmd [-o KEY=VALUE]...: starts it and does not wait.
launch_calmd() {
	local defaults
	set_calmd_dir
	mkdir -p "$CALMD_DIR/state"
	rm -f "$CALMD_DIR/pid" "$CALMD_DIR/ended"
	mapfile -t defaults < <(default_options)
	ip netns exec "$SERVER_NS" "$E2E/watch.py" run "$CALMD_DIR" \
		"$(calmd_path)" "${defaults[@]}" "$@" \
		>>"$CALMD_DIR/log" 2>&1 </dev/null 3>&- 4>&- &
	echo $! >"$CALMD_DIR/watcher"
	disown
	wait_for 5 test -e "$CALMD_DIR/pid"
}

# start_calmd [-o KEY=VALUE]...: starts it and waits until calmctl gets an answer.
start_calmd() {
	launch_calmd "$@"
	if ! wait_for "${START_SECONDS:-10}" calmd_answers_or_ended || calmd_ended; then
		show_calmd_log
		fail "calmd did not start: $(cat "$CALMD_DIR/ended" 2>/dev/null)"
	fi
}

calmd_ended() {
	[ -e "$CALMD_DIR/ended" ]
}

calmd_answers_or_ended() {
	calmd_ended || ctl status
}

calmd_pid() {
	cat "$CALMD_DIR/pid"
}

# calmd_processes: a line for each process of the daemon and of its sessions: pid and command.
calmd_processes() {
	local watcher
	[ -e "$CALMD_DIR/watcher" ] || return 0
	watcher=$(<"$CALMD_DIR/watcher")
	"$E2E/watch.py" list "$watcher"
}

# no_process_left: whether the daemon and all it ever started are gone.
no_process_left() {
	local left
	left=$(calmd_processes)
	[ -z "$left" ] || fail "processes are left: $left"
}

# wait_calmd_end SECONDS [WANTED]: until it has ended by itself or by a signal sent to it; checks
# how ("exit 0") and that no process of it is left.
wait_calmd_end() {
	wait_for "$1" calmd_ended &&
		assert_equal "end of calmd" "$(<"$CALMD_DIR/ended")" "${2:-exit 0}" &&
		wait_for 5 no_process_left
}

# stop_calmd [SECONDS]: SIGTERM; fails unless it ends with status 0 and leaves no process, and
# unless its log is clean.
stop_calmd() {
	kill -TERM "$(calmd_pid)"
	wait_calmd_end "${1:-10}" || return
	log_is_clean
}

# log_is_clean: whether no process of the daemon crashed or was found to misbehave. EXPECTED_LOG, an
# extended regular expression, names lines that a test itself has caused.
log_is_clean() {
	local bad='Sanitizer|runtime error|was ended by signal|exited with status|is ended:|system call|no longer listening|holds what cannot be'
	run ! grep -E "$bad" <(grep -vE "${EXPECTED_LOG:-^\$}" "$CALMD_DIR/log")
}

# remove_calmd: whatever is left of it, killed; its state forgotten. For teardown.
remove_calmd() {
	[ -n "${CALMD_DIR:-}" ] || set_calmd_dir
	if [ -e "$CALMD_DIR/watcher" ]; then
		kill -TERM "$(<"$CALMD_DIR/watcher")" 2>/dev/null || true
		wait_for 10 watcher_ended
		rm "$CALMD_DIR/watcher"
	fi
	rm -rf "$CALMD_DIR/state" "$CALMD_DIR/control" "$CALMD_DIR/log"
}

watcher_ended() {
	! kill -0 "$(<"$CALMD_DIR/watcher")"
}

show_calmd_log() {
	local log=${CALMD_DIR:-$BATS_FILE_TMPDIR/calmd}/log
	[ -e "$log" ] || return 0
	echo "--- the end of calmd's log:" >&2
	tail -n 60 "$log" >&2
}

# ctl ARGUMENT...: calmctl on this daemon.
ctl() {
	"$CALMCTL" -s "$CALMD_SOCKET" "$@"
}

# ctl_get PATH COMMAND...: one value of calmctl's JSON, such as: ctl_get 0.state list
ctl_get() {
	local path=$1
	shift
	ctl --json "$@" | json_get "$path"
}

# ctl_is PATH VALUE COMMAND...: whether it is VALUE; for wait_for.
ctl_is() {
	local path=$1 value=$2
	shift 2
	assert_equal "$path of $*" "$(ctl_get "$path" "$@")" "$value"
}

# connections_are N: whether calmctl lists N connections, listeners and TIME-WAIT left out.
connections_are() {
	assert_equal connections "$(connection_ids | wc -l)" "$1"
}

# connection_ids [STATE]: the ids of the connections in STATE, or of all but listeners and TIME-WAIT.
connection_ids() {
	ctl --json list | python3 -c '
import json, sys
for row in json.load(sys.stdin):
    if row["state"] == sys.argv[1] or not sys.argv[1] and row["state"] not in ("LISTEN", "TIME-WAIT"):
        print(row["id"])' "${1:-}"
}

# connection_id [STATE]: the id of the one connection there is.
connection_id() {
	local ids
	ids=$(connection_ids "$@")
	[[ $ids =~ ^[0-9]+$ ]] || fail "not one connection ${1:-}: $ids"
	echo "$ids"
}

# established_are N: whether N connections are ESTABLISHED.
established_are() {
	assert_equal "established connections" "$(connection_ids ESTABLISHED | wc -l)" "$1"
}

# sessions_are N: whether N sessions run: each has a keeper.
sessions_are() {
	assert_equal sessions "$(calmd_processes | grep -c calmd-keeper || true)" "$1"
}
