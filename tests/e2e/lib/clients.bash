# Who connects: real clients driven by steps, and the scripted peer.
# shellcheck shell=bash

# drive [--pipe] [--timeout S] COMMAND... <STEPS: an interactive client in the client's namespace;
# drive.py has the steps. The exit status is the client's, 124 when a step did not come true.
drive() {
	in_client "$E2E/drive.py" "$@"
}

# drive_local: the same in the server's namespace, for tests over loopback.
drive_local() {
	in_server "$E2E/drive.py" "$@"
}

# run_peer [ARGUMENT]... <SCRIPT: a Python script in the client's namespace, with everything of
# peer.py and ctl.py imported, segment.py as `tcp`. The addresses are SERVER4, CLIENT6, ..., PORT.
run_peer() {
	run_peer_in "$CLIENT_NS" "$@"
}

# run_peer_local: the same in the server's namespace, for tests over loopback.
run_peer_local() {
	run_peer_in "$SERVER_NS" "$@"
}

run_peer_in() {
	local namespace=$1 script
	script=$(mktemp "$BATS_TEST_TMPDIR/peer-XXXXXX.py")
	shift
	{
		printf '%s\n' 'import sys, os, time' 'from peer import *' 'from ctl import *' \
			'PORT = int(os.environ["PORT"])'
		cat
	} >"$script"
	ip netns exec "$namespace" timeout "${PEER_SECONDS:-120}" python3 "$script" "$@" 3>&- 4>&-
}

# telnet_client PROGRAM ADDRESS PORT: the command line of a real client, in the array CLIENT.
# PROGRAM: telnet (GNU), busybox, plink, curl, nc. The last two are for drive --pipe.
telnet_client() {
	local program=$1 address=$2 port=$3 bracketed=$2
	[[ $address != *:* ]] || bracketed="[$address]"
	# shellcheck disable=SC2034 # whoever called uses it
	case $program in
	telnet) CLIENT=(telnet "$address" "$port") ;;
	busybox) CLIENT=(busybox telnet "$address" "$port") ;;
	plink) CLIENT=(plink -telnet -batch -P "$port" "$address") ;;
	curl) CLIENT=(curl --silent --no-buffer "telnet://$bracketed:$port") ;;
	nc) CLIENT=(nc -N "$address" "$port") ;;
	*) fail "no such client: $program" ;;
	esac
}
