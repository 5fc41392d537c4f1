#!/usr/bin/env bats
# calmd as a service of a booted Debian 12 with systemd, with clients on another
# host. `make check-long` runs it; it needs systemd-container and debootstrap
# (./bootstrap packages boot).

load lib

setup_file() {
	[ -z "$(why_no_machine)" ] || return 0
	make_network
	make_root
	make_machine 'msl = 1s'
	boot_machine
}

# The unit is stopped, with nothing left of it.
unit_is_gone() {
	unit_is ActiveState inactive && unit_is NFileDescriptorStore 0 &&
		assert_equal "processes of the unit" "$(unit_processes)" "" &&
		assert_equal "processes of calmd" "$(machine_processes calmd-)" ""
}

@test "make install has put unit, users and directories where systemd finds them" {
	in_machine systemd-sysusers
	in_machine getent passwd _calmd _calmd-worker
	in_machine systemd-tmpfiles --create
	in_machine systemd-analyze verify --man=no calmd.service calmd-opener.socket calmd-opener@1.service
	in_machine calmd -n
}

@test "the service starts, says that it is ready, and gives a client a login" {
	in_machine systemctl start calmd
	unit_is ActiveState active
	run_peer <<-'END'
		from telnet import *
		for address in SERVER4, SERVER6:
		    with Telnet(address, PORT) as client:
		        client.read_until(rb"login: $")
		        client.type("guest\r")
		        client.read_until(rb"Password: $")
		        client.type("guest\r")
		        client.read_until(rb"guest@\S+:~\$ $")
		        client.type("exit\r")
		        client.read_all()
		        assert not client.reset
	END
}

# exposure UNIT: the figure that systemd-analyze gives it.
exposure() {
	in_machine systemd-analyze security --no-pager "$1" | sed -n 's/.*exposure level for .*: \([0-9.]*\) .*/\1/p'
}

@test "what touches the network is confined, and what opens sessions is out of its reach" {
	in_machine systemctl start calmd
	local figure opener
	figure=$(exposure calmd.service)
	opener=$(in_machine systemctl list-units --plain --no-legend 'calmd-opener@*' | cut -d ' ' -f 1)
	echo "# exposure of calmd.service $figure, of $opener $(exposure "$opener")" >&3
	[ "${figure/./}" -le 29 ]
	assert_equal "processes of calmd.service that are the opener's" "$(unit_processes | grep -cE '^[0-9]+ calmd-(opener|keeper)')" 0
	assert_equal "rights of the socket" "$(in_machine stat -c '%U %a %F' /run/calmd-opener)" "root 600 socket"
}

@test "a master that is stopped, and a supervisor that is, are replaced: sessions go on" {
	in_machine systemctl start calmd
	three_sessions <<-'END'
		before = json.loads(machine("calmctl", "--json", "status"))
		machine("kill", "-STOP", str(before["master_pid"]))
		all_go_on()
		now = json.loads(machine("calmctl", "--json", "status"))
		assert now["master_pid"] != before["master_pid"] and now["takeovers"] == before["takeovers"] + 1
		assert now["supervisor_pid"] == before["supervisor_pid"]
		machine("kill", "-STOP", str(before["supervisor_pid"]))
		all_go_on()
		deadline = time.monotonic() + 60
		while machine("systemctl", "show", "calmd", "-P", "MainPID") in ("0", str(before["supervisor_pid"])):
		    assert time.monotonic() < deadline
		    time.sleep(0.2)
		wait_until_active()
		all_go_on()
	END
	in_machine journalctl -u calmd --no-pager | grep -q 'Watchdog timeout'
}

@test "two hundred sessions outlive a restart" {
	in_machine sed -i '$ a max-connections-per-source = 250' /etc/calmd.conf
	in_machine systemctl restart calmd
	run_peer "$(machine_leader)" <<-'END'
		import subprocess
		from telnet import *
		def restart():
		    subprocess.run(["nsenter", "-t", sys.argv[1], "-m", "-p", "systemctl", "restart", "calmd"], check=True)
		clients = []
		for _ in range(200):
		    clients.append(Telnet(SERVER4, PORT, timeout=60))
		    clients[-1].read_until(rb"login: $")
		restart()
		for client in clients:
		    client.type("nobody\r")
		    client.read_until(rb"Password: $")
		for client in clients:
		    client.close()
	END
	run ! in_machine journalctl -u calmd --no-pager --grep 'not everything can outlive'
	wait_for 60 processes_are_in_order 0
}

@test "systemctl restart: the sessions of three clients go on" {
	in_machine systemctl start calmd
	three_sessions <<-'END'
		for how in "restart", "try-restart", "restart":
		    before = machine("systemctl", "show", "calmd", "-P", "MainPID")
		    machine("systemctl", how, "calmd")
		    # what systemd keeps outlives its own restart, too
		    machine("systemctl", "daemon-reexec")
		    assert machine("systemctl", "show", "calmd", "-P", "MainPID") != before
		    all_go_on()
		deadline = time.monotonic() + 10
		while not machine("systemctl", "show", "calmd", "-P", "StatusText").startswith("3 connections, "):
		    assert time.monotonic() < deadline
		    time.sleep(0.1)
	END
	wait_for 10 processes_are_in_order 0
	unit_is NFileDescriptorStore 2
	assert_equal NRestarts "$(unit_get NRestarts)" 0
}

@test "the supervisor is killed, five times: the sessions of three clients go on" {
	in_machine systemctl start calmd
	three_sessions <<-'END'
		for round in range(5):
		    before = machine("systemctl", "show", "calmd", "-P", "MainPID")
		    machine("kill", "-KILL", before)
		    all_go_on()
		    wait_until_active()
		    assert machine("systemctl", "show", "calmd", "-P", "MainPID") != before
		    all_go_on()
	END
	wait_for 10 processes_are_in_order 0
	unit_is NFileDescriptorStore 2
}

@test "a restart and a reload, by systemctl, of a service that nobody uses" {
	in_machine systemctl restart calmd
	in_machine systemctl reload calmd
	unit_is ActiveState active
	wait_for 10 processes_are_in_order 0
}

@test "when the start limit is hit, systemd forgets all, and workers and sessions end" {
	in_machine systemctl start calmd
	in_machine mv /usr/local/sbin/calmd /usr/local/sbin/calmd.away
	run_peer "$(machine_leader)" <<-'END'
		import subprocess
		from telnet import *
		client = Telnet(SERVER4, PORT)
		client.read_until(rb"login: $")
		subprocess.run(["nsenter", "-t", sys.argv[1], "-m", "-p", "systemctl", "kill", "-s", "KILL", "--kill-who=main",
		                "calmd"], check=True)
	END
	wait_for 60 unit_is ActiveState failed
	wait_for 20 unit_is NFileDescriptorStore 0
	wait_for 20 assert_nothing_left
	in_machine mv /usr/local/sbin/calmd.away /usr/local/sbin/calmd
	in_machine systemctl reset-failed calmd
	in_machine systemctl start calmd
	in_machine journalctl -u calmd --no-pager -n 20 | grep 'quiet time'
}

assert_nothing_left() {
	assert_equal "processes of calmd" "$(machine_processes 'calmd[-:]')" ""
}

@test "systemctl stop ends sessions in order, those of a supervisor before too, and leaves no process" {
	in_machine systemctl start calmd
	run_peer "$(machine_leader)" <<-'END'
		import subprocess
		from telnet import *
		client = Telnet(SERVER4, PORT, timeout=30) # the last test may have left some quiet time
		client.read_until(rb"login: $")
		for what in "restart", "stop":
		    subprocess.run(["nsenter", "-t", sys.argv[1], "-m", "-p", "systemctl", what, "calmd"], check=True)
		client.read_all()
		assert not client.reset
	END
	wait_for 10 unit_is_gone
	assert_equal Result "$(unit_get Result)" success
	in_machine systemctl start calmd
	wait_for 10 processes_are_in_order 0
	unit_is NFileDescriptorStore 2
}
