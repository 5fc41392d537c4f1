#!/usr/bin/env bats
# The log: what is said of each connection, as JSON and in the journal, how much of it a stranger can
# cause, and what never stands there. Needs root.

load lib

# A login that asks for a password, echoes nothing of it, and gives a shell.
ASKS='login={"/bin/sh", "-c", "stty -echo; printf \"Password: \"; read -r word; stty echo; exec /bin/sh"}'

# records FILTER: those of the log that jq's FILTER selects, one a line.
records() {
	jq -c "select($1)" "$CALMD_DIR/log"
}

# count_records N FILTER: whether there are N.
count_records() {
	assert_equal "records of $2" "$(records "$2" | wc -l)" "$1"
}

some_records() {
	[ "$(records "$1" | wc -l)" -gt 0 ]
}

# one_record FILTER: the only one, when it is there.
one_record() {
	wait_for 10 count_records 1 "$1"
	records "$1"
}

# has RECORD CONDITION...: whether each of jq's CONDITIONs holds for it.
has() {
	local record=$1 condition
	shift
	for condition in "$@"; do
		jq -e "$condition" <<<"$record" >/dev/null || fail "not $condition: $record"
	done
}

@test "JSON: one session has a record of each kind with its fields, and nothing that was typed" {
	start_calmd -o log-to=json -o log-level=debug -o "$ASKS"
	run_peer <<-'END'
		from telnet import *
		client = Telnet(SERVER4, PORT)
		client.offer |= {TTYPE, NAWS}
		client.wait_command(DO, NAWS)
		client.wait_command(SB, TTYPE, b"\x01")
		client.send(command(DO, SGA))
		client.send(subnegotiation(TTYPE, b"\x00XTERM") + subnegotiation(NAWS, bytes((0, 99, 0, 33))))
		client.read_until(rb"Password: $")
		client.type("s3cret-Word\r")
		client.read_until(rb"# $")
		client.type("echo mur'mu'red\r")
		client.read_until(rb"murmured\r\n# $")
		client.type("exit 7\r")
		client.read_all()
		client.close()
	END
	local id record
	record=$(one_record '.event == "connect"')
	id=$(jq .connection <<<"$record")
	has "$record" '.level == "info"' '.role == "master"' '.pid > 1' '.state == "ESTABLISHED"' \
		".peer | test(\"^$CLIENT4:[0-9]+\$\")" ".local == \"$SERVER4:$PORT\"" \
		'.time | test("^20..-..-..T..:..:..[.][0-9]{6}Z$")' '.message | length > 0'
	record=$(one_record '.event == "options"')
	has "$record" ".connection == $id" '.role == "worker"' \
		'.detail | test("server (.* )?SGA")' '.detail | test("client .*TTYPE.*NAWS|client .*NAWS.*TTYPE")' \
		'.detail | test("terminal xterm")' '.detail | test("99x33")' ".peer | test(\"^$CLIENT4:\")"
	record=$(one_record '.event == "session_start"')
	has "$record" ".connection == $id"
	record=$(one_record '.event == "session_end"')
	has "$record" ".connection == $id" '.reason == "logout"' '.detail == "login ended with status 7"' \
		'.bytes_in > 40' '.bytes_out > 40' '.duration_us > 0'
	record=$(one_record '.event == "disconnect"')
	has "$record" ".connection == $id" '.state == "TIME-WAIT" or .state == "CLOSED"' \
		'.reason | length > 0' '.bytes_in > 40' '.bytes_out > 40' '.duration_us > 0'
	records ".connection == $id and .event == \"state\"" | jq -r .state | grep -qx SYN-RECEIVED
	# They come in this order, as their times say.
	assert_equal order "$(records ".connection == $id and .event != \"state\" and .event" |
		jq -rs 'sort_by(.time)[].event' | xargs)" \
		"connect options session_start session_end disconnect"
	run ! grep -iE 's3cret|mur' "$CALMD_DIR/log"
	stop_calmd
	# Every line of it is one object.
	assert_equal objects "$(jq -c 'select(.time and .level and .role and .pid and .message)' "$CALMD_DIR/log" | wc -l)" \
		"$(wc -l <"$CALMD_DIR/log")"
}

@test "JSON: why sessions end, whoever ends them; attacks and refusals" {
	start_calmd -o log-to=json -o connections-per-minute-per-source=6
	run_peer <<-'END'
		from telnet import *
		def begin():
		    client = Telnet(SERVER6, PORT)
		    client.read_until(rb"# $")
		    return client
		# A client that resets.
		with begin() as client:
		    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
		# calmctl
		client = begin()
		ctl("abort", max(row["id"] for row in ctl("list")))
		client.read_all()
		# A shell that is killed.
		client = begin()
		client.type("kill -9 $$\r")
		client.read_all()
	END
	# A worker that is killed.
	start_background victim in_client nc -d "$SERVER6" "$PORT"
	wait_for 10 grep -q '# ' "$BATS_FILE_TMPDIR/victim.out"
	kill -KILL "$(calmd_processes | sed -n 's/^\([0-9]*\) calmd-worker: connection .*/\1/p')"
	wait_for 10 count_records 4 '.event == "session_end"'
	wait_for 10 count_records 4 '.event == "disconnect"'
	local why
	for why in '.reason == "reset by the client"' '.reason == "aborted"' \
		'.reason == "the worker died of signal 9"' \
		'.reason == "logout" and .detail == "login died of signal 9"'; do
		has "$(one_record ".event == \"session_end\" and $why")" \
			'.bytes_out > 0' '.duration_us > 0' ".peer | test(\"^\\\\[$CLIENT6\\\\]:\")"
	done
	# Who sends an attack, and who comes too often, are told of too.
	run_peer <<-'END'
		from telnet import *
		with Telnet(SERVER6, PORT) as client:
		    client.send(command(WILL, 39))
		    client.wait_command(DO, 39)
		    client.send(subnegotiation(39, b"\x00\x00USER\x01-f root"))
		    client.read_until(rb"# $")
		for _ in range(8):
		    with socket.create_connection((SERVER4, PORT)) as client:
		        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
	END
	wait_for 10 some_records '.event == "attack" and .role == "master"'
	has "$(records '.event == "attack" and .role == "master"' | head -n 1)" '.connection > 0' '.level == "warning"' \
		".peer | test(\"^\\\\[$CLIENT6\\\\]:\")" '.reason | test("user name")'
	wait_for 10 some_records '.event == "refusal"'
	has "$(records '.event == "refusal"' | head -n 1)" '.role == "master"' ".peer | test(\"^$CLIENT4:\")" \
		".local == \"$SERVER4:$PORT\"" '.reason == "connections-per-minute-per-source"'
	run ! grep -e '-f root' "$CALMD_DIR/log"
	EXPECTED_LOG='"worker [0-9]* was ended by signal 9' stop_calmd
}

@test "a stranger's records are limited, counted, and nobody else's" {
	start_calmd -o log-to=json -o log-level=info -o max-connections-per-source=0
	run_peer <<-'END'
		import socket
		# Two records of the master a connection; 300 are written at once, and three a second.
		for _ in range(250):
		    with socket.create_connection((SERVER4, PORT)) as client:
		        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
		with socket.create_connection((SERVER6, PORT)) as client:
		    pass
	END
	wait_for 10 count_records 1 ".event == \"connect\" and (.peer // \"\" | contains(\"$CLIENT6\"))"
	wait_for 20 connections_are 0
	stop_calmd 15
	local written left
	written=$(records "(.event == \"connect\" or .event == \"disconnect\") and (.peer // \"\" | contains(\"$CLIENT4\"))" | wc -l)
	left=$(records ".event == \"left_out\" and .role == \"master\" and (.peer // \"\" | contains(\"$CLIENT4\"))" |
		jq -s 'map(.left_out) | add')
	[ "$written" -ge 300 ] && [ "$written" -lt 450 ] || fail "$written were written"
	assert_equal "written and left out" $((written + left)) 500
	count_records 0 ".event == \"left_out\" and (.peer // \"\" | contains(\"$CLIENT6\"))"
}

# A calmd whose standard error is the journal's, in a mount namespace where the journal's socket
# is another one.
journal_program() {
	local program=$CALMD_DIR/calmd-in-journal
	cat >"$program" <<-END
		#!/bin/bash
		mount -t tmpfs tmpfs /run
		mkdir -p /run/systemd/journal
		mount --bind '$CALMD_DIR/journal' /run/systemd/journal
		export JOURNAL_STREAM=\$(stat -L -c %d:%i /proc/self/fd/2)
		exec '$(calmd_path)' "\$@"
	END
	chmod +x "$program"
	echo "$program"
}

@test "the journal gets native records, and JOURNAL_STREAM decides" {
	set_calmd_dir
	mkdir -p "$CALMD_DIR/journal"
	# What it receives: an object a datagram.
	start_background journal python3 -u -c '
import json, socket, sys
receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
receiver.bind(sys.argv[1])
while True:
    fields = receiver.recv(65536).decode().split("\n")
    assert fields.pop() == "", "no newline at the end"
    print(json.dumps(dict(field.split("=", 1) for field in fields)))
' "$CALMD_DIR/journal/socket"
	wait_for 10 test -S "$CALMD_DIR/journal/socket"
	local journal=$BATS_FILE_TMPDIR/journal.out record
	CALMD_PROGRAM=$(journal_program) start_calmd -o log-level=info
	run_peer <<-'END'
		from telnet import *
		with Telnet(SERVER4, PORT) as client:
		    client.read_until(rb"# $")
		    client.type("exit\r")
		    client.read_all()
	END
	wait_for 10 grep -q session_end "$journal"
	record=$(grep session_end "$journal")
	has "$record" '.CALMD_CONNECTION | test("^[0-9]+$")' ".CALMD_PEER | test(\"^$CLIENT4:[0-9]+\$\")" \
		".CALMD_ADDRESS == \"$CLIENT4\"" '.CALMD_DETAIL == "login ended with status 0"' '.CALMD_EVENT == "session_end"' \
		'.CALMD_BYTES_OUT | tonumber > 0' '.MESSAGE_ID | test("^[0-9a-f]{32}$")' \
		'.PRIORITY == "6"' '.SYSLOG_IDENTIFIER == "calmd"' '.CALMD_ROLE == "worker"' \
		'.MESSAGE | test("session of nobody ended")'
	has "$(grep '"connect"' "$journal")" '.CALMD_STATE == "ESTABLISHED"' '.CALMD_ROLE == "master"'
	# Lines on standard error are for those who have no journal.
	run ! grep -q established "$CALMD_DIR/log"
	# Without its socket, they have their level in front.
	stop_background journal
	rm "$CALMD_DIR/journal/socket"
	stop_calmd
	grep -q '^<6>calmd: ending: SIGTERM$' "$CALMD_DIR/log"
}
