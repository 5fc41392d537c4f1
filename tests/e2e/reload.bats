#!/usr/bin/env bats
# A configuration that is read again while sessions run (calmctl reload, SIGHUP), and calmctl drain
# and resume. Needs root.

load lib

# What the tests themselves cause.
EXPECTED_LOG='master [0-9]+ was ended by signal'

# Everything that is reloaded stands in a file; what the command line says could not change.
default_options() {
	printf '%s\n' -f "$CONF" -o "control-socket=$CALMD_SOCKET" -o "state-dir=$CALMD_DIR/state"
	if ! getent passwd _calmd >/dev/null || ! getent passwd _calmd-worker >/dev/null; then
		printf '%s\n' -o user=nobody -o worker-user=daemon
	fi
}

setup() {
	export CONF=$BATS_TEST_TMPDIR/calmd.conf
}

# configure [LISTEN] LINE...: what the daemon reads. LISTEN: endpoints, each in quotes.
configure() {
	local listen="\"$SERVER4:23\", \"[$SERVER6]:23\""
	case $1 in '"'*) listen=$1 && shift ;; esac
	printf '%s\n' "listen = {$listen}" 'login = {"/bin/sh"}' 'min-spare-workers = 2' \
		'max-spare-workers = 3' 'msl = 1s' "$@" >"$CONF"
}

# logged PATTERN: whether a line of calmd's log says so.
logged() {
	grep -qE "$1" "$CALMD_DIR/log"
}

# port_is_free PORT: whether another program can listen there.
port_is_free() {
	in_server python3 -c 'import socket, sys; socket.create_server((sys.argv[1], int(sys.argv[2])))' \
		"$SERVER4" "$1" 2>/dev/null
}

# The beginning of each script: what writes the configuration, and a client with a prompt.
PRELUDE='
import os
from telnet import *

def configure(listen, *lines):
    text = open(os.environ["CONF"]).read().split("\n")
    text[0] = "listen = {" + ", ".join(f"\"{l}\"" for l in listen) + "}"
    with open(os.environ["CONF"], "w") as out:
        out.write("\n".join(text) + "\n".join(lines) + "\n")

def login(port=23, address=SERVER4):
    client = Telnet(address, port)
    client.read_until(rb"# $")
    return client

def echoes(client, text):
    return client.run("echo " + text).strip() == text

def refused(port, address=SERVER4):
    try:
        Telnet(address, port)
    except ConnectionRefusedError:
        return True
    return False
'

# script: run_peer with the prelude.
script() {
	{
		echo "$PRELUDE"
		cat
	} | run_peer
}

@test "limits, spare workers and the log level change at once" {
	configure 'max-connections = 40'
	start_calmd
	wait_for 5 ctl_is workers.idle 2 status
	configure 'max-connections = 1' 'busy = reset' 'min-spare-workers = 5' 'max-spare-workers = 6' \
		'log-level = debug'
	run -0 ctl reload
	assert_equal "notes" "$output" ""
	assert_equal "limit" "$(ctl_get limits.max_connections status)" 1
	logged 'reload: max-connections: 1, was 40'
	wait_for 5 ctl_is workers.idle 5 status
	script <<-'END'
		one = login()
		assert refused(23)
	END
	wait_for 5 logged 'LISTEN to SYN-RECEIVED'
	wait_for 5 connections_are 0
	configure 'min-spare-workers = 1' 'max-spare-workers = 1' 'max-connections = 43' 'backlog = 60' \
		'half-open = 2000'
	run -0 ctl reload
	assert_match "note" "$output" '^half-open: 2000 needs a restart; stays 1024'$'\n''max-connections: 43 needs a restart; stays 1$'
	wait_for 5 ctl_is workers.idle 1 status
	assert_equal "limit" "$(ctl_get limits.backlog status)" 60
	stop_calmd
}

@test "what cannot change while running is named, by SIGHUP in the log alone" {
	configure
	start_calmd
	configure 'user = nobody' 'backlog = 5'
	kill -HUP "$(calmd_pid)"
	wait_for 5 ctl_is limits.backlog 5 status
	wait_for 5 logged 'reload: user: "nobody" needs a restart; stays "'
	configure 'user = nobody' 'backlog = 6' 'quiet-time = off'
	run -0 ctl reload
	assert_match "note" "$output" '^user: "nobody" needs a restart; stays ".*"'$'\n''quiet-time: off needs a restart; stays auto$'
	assert_equal "limit" "$(ctl_get limits.backlog status)" 6
	stop_calmd
}

@test "an error changes nothing and names file, line and key" {
	configure
	start_calmd
	configure 'backlog = 5' 'max-connections = many'
	run -1 ctl reload
	assert_equal "lines" "${#lines[@]}" 1
	assert_match "message" "$output" 'calmd\.conf:7: max-connections: must be a number, is "many"'
	wait_for 5 logged 'nothing is changed: .*calmd\.conf:7: max-connections: '
	configure 'backlog = 5' 'control-group = no-such-group'
	run -1 ctl reload
	assert_match "message" "$output" 'control-group: .*no-such-group'
	start_background other in_server python3 -c 'import socket; s = socket.create_server(("10.76.0.1", 2300)); print("ready", flush=True); s.accept()'
	wait_for 5 grep -q ready "$BATS_FILE_TMPDIR/other.out"
	configure "\"$SERVER4:2301\", \"$SERVER4:2300\"" 'backlog = 5'
	run -1 ctl reload
	assert_match "message" "$output" 'listen 10\.76\.0\.1:2300: Address already in use'
	port_is_free 2301
	stop_background other
	rm "$CONF"
	run -1 ctl reload
	assert_match "message" "$output" 'calmd\.conf: No such file or directory'
	assert_equal "limit" "$(ctl_get limits.backlog status)" 64
	script <<-'END'
		# clients that ask and do not wait for the answer do no harm
		import socket
		for i in range(20):
		    asking = socket.socket(socket.AF_UNIX)
		    asking.connect(os.environ["CALMD_SOCKET"])
		    asking.sendall(b'{"command":"reload"}\n')
		    asking.close()
		login()
	END
	stop_calmd
}

@test "listeners come and go, and sessions on one that goes, go on" {
	configure
	start_calmd
	capture_start listeners
	script <<-'END'
		import signal
		old = login()
		configure([f"{SERVER4}:2323"], "login = {\"/bin/sh\", \"-c\", \"echo another; exec /bin/sh\"}",
		          "receive-buffer = 1m")
		assert ctl("reload")["notes"] == []
		new = Telnet(SERVER4, 2323)
		assert b"another" in new.read_until(rb"# $")
		scale = {c["local"]: ctl("show", c["id"])["rcv_wscale"] for c in ctl("list") if c["state"] == "ESTABLISHED"}
		assert scale == {f"{SERVER4}:23": 3, f"{SERVER4}:2323": 5}, scale
		id = next(c["id"] for c in ctl("list") if c["local"] == f"{SERVER4}:2323" and c["state"] == "ESTABLISHED")
		wait_until(lambda: ctl("show", id)["rcv_wnd"] > 1 << 19, what="a worker with a larger buffer")
		assert echoes(old, "alive")
		assert refused(23)
		assert [c["local"] for c in ctl("list") if c["state"] == "LISTEN"] == [f"{SERVER4}:2323"]

		# a new master knows of both
		takeovers = ctl("status")["takeovers"]
		os.kill(ctl("status")["master_pid"], signal.SIGKILL)
		assert echoes(old, "still alive")
		wait_until(lambda: ctl("status")["takeovers"] == takeovers + 1)
		assert refused(23)

		# so does another supervisor
		ctl("upgrade")
		assert echoes(old, "alive as ever")
		assert refused(23)

		# wider and narrower than a guard that is there
		configure([f"0.0.0.0:23", f"0.0.0.0:2323"])
		assert ctl("reload")["notes"] == []
		assert echoes(new, "wide")
		assert echoes(login(), "again")
		configure([f"{SERVER4}:2323"])
		assert ctl("reload")["notes"] == []
		assert echoes(new, "narrow")
		assert echoes(old, "last")
		old.type("exit\r")
		old.read_all()
		old.close()
	END
	wait_for 10 logged 'nobody is left on 0\.0\.0\.0:23: the port is free'
	port_is_free 23
	run ! port_is_free 2323
	capture_stop listeners
	assert_equal "resets of open connections" "$(segments listeners --from "$SERVER4" --flags R | wc -l)" 0
	stop_calmd
}

@test "drain lets sessions go on and nobody in, until resume" {
	configure 'busy = reset'
	start_calmd
	run -0 ctl drain
	run -0 ctl drain
	run -0 ctl resume
	start_background one in_client nc -d "$SERVER4" 23
	wait_for 10 grep -q '# ' "$BATS_FILE_TMPDIR/one.out"
	run -0 ctl drain
	assert_equal "output" "$output" ""
	assert_equal "draining" "$(ctl_get draining status)" true
	assert_equal "sessions" "$(ctl_get sessions status)" 1
	run -0 ctl status
	assert_match "status" "$output" 'draining +1 sessions left'
	capture_start drain
	start_background two in_client nc -d "$SERVER4" 23
	wait_for 5 stats_say notAccepting
	kill -KILL "$(ctl_get master_pid status)"
	wait_for 10 ctl_is takeovers 1 status
	assert_equal "draining" "$(ctl_get draining status)" true
	wait_for 10 stats_say notAccepting
	run -0 ctl upgrade
	assert_equal "draining" "$(ctl_get draining status)" true
	established_are 1
	run -0 ctl resume
	assert_equal "draining" "$(ctl_get draining status)" false
	wait_for 15 grep -q '# ' "$BATS_FILE_TMPDIR/two.out"
	capture_stop drain
	assert_equal "SYN-ACKs" "$(count_segments drain --from "$SERVER4" --flags SA)" 1
	[ "$(count_segments drain --to "$SERVER4" --flags S)" -ge 3 ]
	assert_equal "clients" "$(ctl_get sessions status)" 2
	logged 'draining: no new connections are taken'
	logged 'new connections are taken again'
	stop_background one
	stop_background two
	stop_calmd
}

# stats_say COUNTER: whether it is above zero.
stats_say() {
	[ "$(ctl_get "$1" stats)" -gt 0 ]
}
