# What every end-to-end test is built on; a test file begins with `load lib`.
# README.md in this folder says what there is. The parts: lib/network.bash (the
# namespaces), lib/daemon.bash (calmd and calmctl), lib/observe.bash (packets and
# processes), lib/clients.bash (who connects), lib/transfer.bash (many bytes), lib/accounts.bash
# (logins with passwords).
# shellcheck shell=bash source-path=SCRIPTDIR

bats_require_minimum_version 1.5.0

E2E=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export CALMD_SRCDIR=${CALMD_SRCDIR:-$(cd "$E2E/../.." && pwd)}
export CALMD_BUILDDIR=${CALMD_BUILDDIR:-$CALMD_SRCDIR}
export E2E PYTHONPATH=$E2E PYTHONDONTWRITEBYTECODE=1

# The time in milliseconds.
now_ms() {
	echo $((${EPOCHREALTIME/[.,]/} / 1000))
}

# wait_for SECONDS COMMAND...: until COMMAND succeeds; fails, and says so, when it doesn't in time.
wait_for() {
	local deadline=$(($(now_ms) + $1 * 1000)) seconds=$1
	shift
	until "$@" >/dev/null 2>&1; do
		if (($(now_ms) > deadline)); then
			echo "not within $seconds s: $*" >&2
			"$@" >&2 || true
			return 1
		fi
		sleep 0.02
	done
}

# fail TEXT...: ends the test.
fail() {
	echo "$*" >&2
	return 1
}

# assert_equal WHAT HAVE WANT
assert_equal() {
	[ "$2" = "$3" ] || fail "$1: have '$2', want '$3'"
}

# assert_match WHAT TEXT REGEX
assert_match() {
	[[ $2 =~ $3 ]] || fail "$1: '$2' does not match '$3'"
}

# start_background NAME COMMAND...: runs it with output to $BATS_FILE_TMPDIR/NAME.out until
# stop_background or the end of the file. Bats itself would wait for whoever holds its descriptors.
start_background() {
	local name=$1
	shift
	# Here, so that nobody who waits for a line in it finds that of the one before.
	: >"$BATS_FILE_TMPDIR/$name.out"
	# Not through the functions: the process to end later must be the command itself.
	case $1 in
	in_server) set -- ip netns exec "$SERVER_NS" "${@:2}" ;;
	in_client) set -- ip netns exec "$CLIENT_NS" "${@:2}" ;;
	esac
	"$@" >"$BATS_FILE_TMPDIR/$name.out" 2>&1 </dev/null 3>&- 4>&- &
	echo $! >"$BATS_FILE_TMPDIR/$name.background"
	disown
}

# stop_background NAME [SIGNAL]: ends it and waits until it has.
stop_background() {
	local file=$BATS_FILE_TMPDIR/$1.background pid
	[ -e "$file" ] || return 0
	pid=$(<"$file")
	kill "-${2:-TERM}" "$pid" 2>/dev/null || true
	if ! wait_for 10 background_ended "$1"; then
		kill -KILL "$pid" 2>/dev/null || true
	fi
	rm "$file"
}

background_ended() {
	! kill -0 "$(<"$BATS_FILE_TMPDIR/$1.background")"
}

stop_all_background() {
	local file
	for file in "$BATS_FILE_TMPDIR"/*.background; do
		[ -e "$file" ] || continue
		file=${file##*/}
		stop_background "${file%.background}"
	done
}

. "$E2E/lib/network.bash"
. "$E2E/lib/accounts.bash"
. "$E2E/lib/daemon.bash"
. "$E2E/lib/observe.bash"
. "$E2E/lib/clients.bash"
. "$E2E/lib/transfer.bash"

# What most files want; one that wants something else defines its own after `load lib`.

setup_file() {
	make_network
}

teardown_file() {
	remove_calmd
	stop_all_background
	remove_network
}

teardown() {
	show_failure
	remove_calmd
}

# show_failure: for a teardown; what a test that failed leaves to look at.
show_failure() {
	[ -z "${BATS_TEST_COMPLETED:-}" ] || return 0
	if [ -n "${output:-}" ]; then
		printf -- '--- the end of what was last run printed:\n%s\n' "$(tail -n 40 <<<"$output")" >&2
	fi
	show_calmd_log
}
