#!/usr/bin/env bats
# calmd as a service of a booted Debian 12 with systemd, with clients on another
# host. `make check-long` runs it; it needs systemd-container and debootstrap
# (./bootstrap packages boot).

load lib

setup_file() {
	command -v systemd-nspawn debootstrap >/dev/null ||
		skip "systemd-container and debootstrap are not installed: ./bootstrap packages boot"
	[ -z "${CALMD_SANITIZERS:-}" ] || skip "the machine has no sanitizers' libraries"
	make_network
	make_root
	make_machine
	boot_machine
}

teardown_file() {
	remove_machine
	stop_all_background
	remove_network
}

teardown() {
	[ -n "${BATS_TEST_COMPLETED:-}" ] || show_machine
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
	in_machine systemd-analyze verify --man=no calmd.service
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

@test "systemctl stop ends sessions in order, and leaves no process" {
	in_machine systemctl start calmd
	run_peer "$(machine_leader)" <<-'END'
		import subprocess
		from telnet import *
		client = Telnet(SERVER4, PORT)
		client.read_until(rb"login: $")
		subprocess.run(["nsenter", "-t", sys.argv[1], "-m", "-p", "systemctl", "stop", "calmd"], check=True)
		client.read_all()
		assert not client.reset
	END
	wait_for 10 unit_is_gone
	assert_equal Result "$(unit_get Result)" success
}
