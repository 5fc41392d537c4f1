#!/usr/bin/env bats
# The Debian package, from its build to its purge, on a booted Debian 12 with clients on
# another host. `make check-long` runs it; it needs what ./bootstrap packages boot installs.

load lib

setup_file() {
	[ -z "$(why_no_machine)" ] || return 0
	make_network
	make_root
	build_package 0.1.0
	build_package 0.1.1
	lay_machine
	cp "$(package 0.1.0)" "$(package 0.1.1)" "$MACHINE_DIR/root/root"
	boot_machine
	everything_of_calmd >"$BATS_FILE_TMPDIR/before"
}

package() {
	echo "$BATS_FILE_TMPDIR/$1/calmd_$1_$(dpkg --print-architecture).deb"
}

# build_package VERSION: from what `make dist` would pack, as VERSION.
build_package() {
	local tree=$BATS_FILE_TMPDIR/$1/calmd
	mkdir -p "$BATS_FILE_TMPDIR/$1"
	quietly "dist-$1" outside_make distdir distdir="$tree"
	chmod -R u+w "$tree"
	sed -i "1s/(.*)/($1)/" "$tree/debian/changelog"
	sed -i "s/^\(AC_INIT(\[calmd\], \[\)[^]]*/\1$1/" "$tree/configure.ac"
	(
		cd "$tree"
		quietly "build-$1" env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL \
			DEB_BUILD_OPTIONS="nocheck parallel=2" dpkg-buildpackage -us -uc -b
	)
}

# Every file of calmd's, and every unit; not its users, who stay, and not the packages that wait.
everything_of_calmd() {
	in_machine sh -c 'find / -xdev \( -path /root -o -path /proc -o -path /sys \) -prune -o -name "*calmd*" -print
		find /run /dev/shm -name "*calmd*"
		systemctl list-units --all --plain --no-legend "*calmd*"' | sort -u
}

# logged_in <SCRIPT: for run_peer; a client that guest has logged in before it.
logged_in() {
	log_in_script
	echo "client = log_in(SERVER4)"
	cat
}

@test "lintian has no complaint that is not answered" {
	run lintian --allow-root --fail-on error,warning,info "${BATS_FILE_TMPDIR}"/0.1.0/*.changes
	assert_equal "what lintian says" "$output" ""
	assert_equal status "$status" 0
}

@test "installed, it runs, on this host alone, and is there at the next boot" {
	in_machine dpkg -i "/root/$(basename "$(package 0.1.0)")"
	wait_for 10 unit_is ActiveState active
	unit_is UnitFileState enabled
	assert_match listeners "$(in_machine calmctl list)" '127\.0\.0\.1:23.*\[::1\]:23'
	in_machine getent passwd _calmd _calmd-worker
	in_machine sh -c 'for program in calmd calmctl /usr/libexec/calmd/calmd-opener /usr/libexec/calmd/calmd-worker; do
		$program --version && $program --help; done' | grep -cE '^calm(d|ctl|d-opener|d-worker) 0\.1\.0$' | grep -x 4
}

@test "opened to the network by its configuration and a reload, a user logs in with a password" {
	in_machine sed -i "s/^#listen = .*/listen = {\"$SERVER4:$PORT\", \"[$SERVER6]:$PORT\"}\nmsl = 1s/" /etc/calmd.conf
	in_machine systemctl reload calmd
	assert_match listeners "$(in_machine calmctl list)" "$SERVER4:23"
	drive telnet "$SERVER4" "$PORT" <<-'END'
		expect login: $
		send guest\r
		expect Password: $
		send guest\r
		expect guest@[^:]*:~\$ $
		send id -un; tty\r
		expect guest\r\n/dev/pts/
		send exit\r
		wait
	END
}

@test "who, last, loginctl, systemctl status and the journal tell the truth" {
	logged_in <<-'END' | run_peer "$(machine_leader)"
		import json, subprocess
		def machine(*command):
		    enter = ["nsenter", "-t", sys.argv[1], "-m", "-u", "-i", "-n", "-p", "-C", "--"]
		    return subprocess.run(enter + list(command), check=True, text=True, stdout=subprocess.PIPE).stdout
		tty = client.run("tty").strip().removeprefix("/dev/")
		who = machine("who")
		print(who)
		assert re.search(rf"(?m)^guest +{tty} .*\({CLIENT4}\)$", who), who
		# whoever has gone in this very second is said to be "still running"
		wait_until(lambda: re.search(rf"(?m)^guest +pts/\d+ +{CLIENT4} .* - ", machine("last", "-w")), what="the last one")
		last = machine("last", "-w")
		print(last)
		assert re.search(rf"(?m)^guest +{tty} +{CLIENT4} .*still logged in$", last), last
		session, = [line.split() for line in machine("loginctl", "--no-legend", "list-sessions").splitlines()]
		shown = machine("loginctl", "show-session", session[0])
		print(shown)
		for line in "Name=guest", f"TTY={tty}", "Remote=yes", f"RemoteHost={CLIENT4}", "Service=login", "Active=yes":
		    assert line in shown.splitlines(), (line, shown)
		# told once a second
		wait_until(lambda: 'Status: "1 connection, ' in machine("systemctl", "status", "calmd"), what="the STATUS line")
		status = machine("systemctl", "status", "calmd")
		print(status)
		assert "Active: active (running)" in status
		entries = [json.loads(line) for line in
		           machine("journalctl", "-u", "calmd", "-o", "json").splitlines()]
		fields = {key for entry in entries for key in entry if key.startswith("CALMD_")}
		print(sorted(fields))
		established, = [entry for entry in entries if "established" in entry["MESSAGE"]][-1:]
		print({key: value for key, value in established.items() if key.startswith("CALMD_") or key == "MESSAGE"})
		ids = [c["id"] for c in json.loads(machine("calmctl", "--json", "list")) if c["state"] == "ESTABLISHED"]
		assert [established["CALMD_CONNECTION"]] == [str(id) for id in ids]
		assert CLIENT4 in established["CALMD_PEER"]
		client.type("exit\r")
		client.read_all()
		wait_until(lambda: machine("who") == "", what="nobody there")
		assert "still logged in" not in machine("last", "-w")
		wait_until(lambda: machine("loginctl", "--no-legend", "list-sessions") == "", what="no session")
	END
}

@test "sudo, su, passwd, mount and job control work in a session as on a console" {
	logged_in <<-'END' | run_peer
		def answer(question, text):
		    client.read_until(question)
		    client.type(text + "\r")
		client.type("sudo id -u\r")
		answer(rb"password for guest: $", "guest")
		assert client.read_until(rb"# $") == b"\r\n0\r\n# "
		assert client.run("sudo mount -t tmpfs none /mnt && findmnt -no FSTYPE /mnt; sudo umount /mnt") == "tmpfs\n"
		client.type("su -c 'id -u; tty'\r")
		answer(rb"Password: $", "secret")
		assert re.fullmatch(rb"\r\n0\r\n/dev/pts/\d+\r\n# ", client.read_until(rb"# $"))
		for old, new in ("guest", "Another-0ne"), ("Another-0ne", "guest-Again1"):
		    client.type("passwd\r")
		    answer(rb"Current password: $", old)
		    answer(rb"New password: $", new)
		    answer(rb"Retype new password: $", new)
		    client.read_until(rb"updated successfully\r\n# $")
		client.run("echo guest:guest | sudo chpasswd")
		client.type("sleep 1000\r")
		client.read_until(rb"sleep 1000\r\n")
		while b"Stopped" not in client.data: # not before it is in the foreground
		    client.type(b"\x1a")
		    try:
		        client.read_until(rb"(?=Stopped)", timeout=1)
		    except AssertionError:
		        pass
		client.read_until(rb"# $")
		assert "Stopped" in client.run("jobs")
		client.type("fg\r")
		client.read_until(rb"fg\r\nsleep 1000\r\n")
		client.type(b"\x03")
		client.read_until(rb"\^C\r\n# $")
		assert client.run("jobs") == ""
		assert client.run("sleep 1000 & kill %1; wait; echo ended").endswith("ended\n")
		# what confines calmd.service does not confine what it serves
		assert client.run("grep -c eth0: /proc/net/dev; grep ^NoNewPrivs: /proc/self/status") == "1\nNoNewPrivs:\t0\n"
		client.type("exit\r")
		client.read_all()
	END
}

@test "bash completes commands, options and the numbers of connections" {
	cat >"$MACHINE_DIR/root/root/complete" <<-'END'
		. /usr/share/bash-completion/bash_completion
		_completion_loader calmctl # finds it by the name
		COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
		_calmctl 2>/dev/null # compopt is for a completion that bash itself has asked for
		echo "${COMPREPLY[*]}"
	END
	logged_in <<-'END' | run_peer "$(machine_leader)"
		import json, subprocess
		def machine(*command):
		    enter = ["nsenter", "-t", sys.argv[1], "-m", "-u", "-i", "-n", "-p", "-C", "--"]
		    return subprocess.run(enter + list(command), check=True, text=True, stdout=subprocess.PIPE).stdout
		def offers(*words):
		    return machine("bash", "/root/complete", *words).split()
		assert {"status", "show", "abort", "--json"} <= set(offers("calmctl", ""))
		assert offers("calmctl", "stat") == ["status", "stats"]
		ids = [str(c["id"]) for c in json.loads(machine("calmctl", "--json", "list"))]
		assert len(ids) >= 3 and offers("calmctl", "show", "") == ids
		assert offers("calmctl", "-s", "/run/calmd/control", "-j", "abort", ids[0]) == [i for i in ids if i.startswith(ids[0])]
		assert offers("calmctl", "status", "") == []
		assert offers("calmctl", "-s", "") == []
		client.type("exit\r")
		client.read_all()
	END
}

@test "a newer package upgrades the running daemon: three sessions go on, and what hangs is replaced" {
	local new
	new=/root/$(basename "$(package 0.1.1)")
	NEW=$new three_sessions <<-'END'
		before = json.loads(machine("calmctl", "--json", "status"))
		opener = machine("pgrep", "-x", "calmd-opener")
		print(machine("dpkg", "-i", os.environ["NEW"]))
		all_go_on()
		now = json.loads(machine("calmctl", "--json", "status"))
		assert now["version"] == "0.1.1" and now["upgrades"] == 1, now
		assert now["supervisor_pid"] == before["supervisor_pid"] and now["sessions"] == 3
		assert machine("pgrep", "-x", "calmd-opener") != opener
		assert "msl = 1s" in machine("cat", "/etc/calmd.conf")
		machine("kill", "-STOP", str(now["master_pid"]))
		all_go_on()
		assert json.loads(machine("calmctl", "--json", "status"))["master_pid"] != now["master_pid"]
		another = log_in(SERVER4)
		another.type("exit\r")
		another.read_all()
	END
	wait_for 10 processes_are_in_order 0
}

@test "what cannot be upgraded in place goes on, and the installation says so" {
	three_sessions <<-'END'
		machine("mv", "/usr/libexec/calmd/calmd-worker", "/root")
		run = subprocess.run(["nsenter", "-t", sys.argv[1], "-m", "-u", "-i", "-n", "-p", "-C", "--",
		                      "/var/lib/dpkg/info/calmd.postinst", "configure", "0.1.0"],
		                     text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=True)
		machine("mv", "/root/calmd-worker", "/usr/libexec/calmd/calmd-worker")
		print(run.stdout)
		assert "systemctl restart calmd" in run.stdout
		all_go_on()
	END
}

@test "removal ends sessions in order; a purge leaves nothing but the two users" {
	logged_in <<-'END' | run_peer "$(machine_leader)"
		import subprocess
		subprocess.run(["nsenter", "-t", sys.argv[1], "-m", "-u", "-i", "-n", "-p", "-C", "--",
		                "dpkg", "-r", "calmd"], check=True)
		client.read_all()
		assert not client.reset
	END
	assert_equal "processes of calmd" "$(machine_processes 'calmd[-:]')" ""
	in_machine test -e /etc/calmd.conf
	in_machine dpkg -P calmd
	assert_equal "what is left" "$(everything_of_calmd)" "$(cat "$BATS_FILE_TMPDIR/before")"
	in_machine getent passwd _calmd _calmd-worker
}
