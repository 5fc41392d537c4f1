#!/usr/bin/env bats
# A master that ends is followed by another, which goes on where it stopped. Needs root.

load lib

# What the tests themselves cause.
EXPECTED_LOG='master [0-9]+ (was ended by signal|exited with status)'

master_pid() {
	ctl_get master_pid status
}

# end_master [SIGNAL]: returns when another one serves.
end_master() {
	local before takeovers
	before=$(master_pid)
	takeovers=$(ctl_get takeovers status)
	kill "-${1:-KILL}" "$before"
	wait_for 10 ctl_is takeovers $((takeovers + 1)) status
	[ "$(master_pid)" != "$before" ]
}

# log_has REGEX: whether the log has a line like that.
log_has() {
	grep -Eq "$1" "$CALMD_DIR/log"
}

@test "sessions go on under another master, and so does everything else" {
	start_calmd -o min-spare-workers=2 -o max-spare-workers=2
	capture_start over server
	run_peer <<-'END'
		import os, signal
		from telnet import *
		clients = [Telnet(address, PORT) for address in (SERVER4, SERVER6, SERVER4)]
		for n, client in enumerate(clients):
		    client.read_until(rb"# $")
		    assert client.run(f"mine={n}; echo $$") != ""
		# One session is over, and its pair of sockets waits.
		clients[2].type("exit\r")
		clients[2].read_all()
		clients[2].close()
		wait_until(lambda: [c for c in ctl("list") if c["state"] == "TIME-WAIT"], what="TIME-WAIT")
		before = {c["id"]: c for c in ctl("list") if c["state"] != "LISTEN"}
		status = ctl("status")
		shells = [client.run("echo $$") for client in clients[:2]]
		wait_until(lambda: ctl("status")["workers"] == {"idle": 2, "busy": 2}, what="workers")

		os.kill(status["master_pid"], signal.SIGKILL)
		# What is typed while nobody is there arrives.
		clients[0].type("echo meanwhile $mine\r")
		clients[0].read_until(rb"\r\nmeanwhile 0\r\n.*# $")

		after = {c["id"]: c for c in ctl("list") if c["state"] != "LISTEN"}
		assert after.keys() == before.keys()
		for id in after:
		    for key in ("state", "peer", "local", "since"):
		        assert after[id][key][:19] == before[id][key][:19], (before[id], after[id])
		    assert ctl("show", id)["id"] == id
		now = ctl("status")
		assert now["master_pid"] != status["master_pid"]
		assert now["supervisor_pid"] == status["supervisor_pid"]
		assert now["takeovers"] == 1
		assert now["connections"] == 2
		assert now["uptime_s"] >= status["uptime_s"] >= now["master_uptime_s"]
		wait_until(lambda: ctl("status")["workers"] == {"idle": 2, "busy": 2}, what="workers")
		assert [client.run("echo $$") for client in clients[:2]] == shells
		assert [client.run("echo $mine") for client in clients[:2]] == ["0\n", "1\n"]
		# Idle workers are as good as before: the two that are ready are used first.
		for address in (SERVER4, SERVER6, SERVER4):
		    with Telnet(address, PORT) as client:
		        client.read_until(rb"# $")
		        assert client.run("echo new") == "new\n"
		for client in clients[:2]:
		    client.type("exit\r")
		    client.read_all()
		    assert not client.reset
	END
	wait_for 5 sessions_are 0
	wait_for 5 ctl_is workers.busy 0 status
	capture_stop over
	assert_equal "RSTs of the server" "$(count_segments over --with R --from "$SERVER4.$PORT")" 0
	assert_equal "RSTs over IPv6" "$(count_segments over --with R --from "$SERVER6.$PORT")" 0
	log_has 'master [0-9]+ was ended by signal 9; another one takes over'
	log_has 'master [0-9]+ has taken over 2 connections in [0-9]+ ms'
	stop_calmd
}
