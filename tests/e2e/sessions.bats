#!/usr/bin/env bats
# Login sessions: who was there, what they were told, when they end, and that nothing is left of them.
# Needs root.

load lib

# run_logins: a script with logins.py, for the daemon that runs.
run_logins() {
	CALMD_PID=$(calmd_pid) PRIVATE_ROOT=$(private_root) CALMD_LONG=${CALMD_LONG:-} run_peer < <(
		echo 'from logins import *'
		cat
	)
}

@test "who, last and calmctl agree with who was there, whoever of the processes is killed" {
	private_login
	start_calmd -o 'login={"login", "-p", "-h", "%h", "%u"}'
	run_logins <<-'END'
		# Two users from two addresses.
		four, six = login(SERVER4), login(SERVER6, "other")
		tty4, tty6 = (command(c, "tty").strip()[5:] for c in (four, six))
		here = sorted([("tester", tty4, CLIENT4), ("other", tty6, CLIENT6)])
		assert who() == here, (who(), here)
		wait_until(lambda: row(four)["user"] == "tester" and row(six)["user"] == "other", 20)
		assert shown(four)["user"] == "tester" and shown(four)["ending"] is None
		addresses = {e[2]: e[5] for e in entries("/run/utmp") if e[0] == USER_PROCESS}
		assert addresses[tty4] == socket.inet_pton(socket.AF_INET, CLIENT4) + bytes(12), addresses
		assert addresses[tty6] == socket.inet_pton(socket.AF_INET6, CLIENT6), addresses

		# Another master is told again.
		kill(ctl("status")["master_pid"])
		wait_until(lambda: row(six) and row(six)["user"] == "other", 20)
		assert row(four)["user"] == "tester"

		# A worker is killed: its session ends, and stands nowhere as there.
		shell = int(command(four, "echo $$"))
		kill(worker_of(four))
		wait_until(lambda: who() == [("other", tty6, CLIENT6)], 30)
		wait_until(lambda: not alive(shell), 30)

		# A keeper is killed.
		shell = int(command(six, "echo $$"))
		kill(keeper_of(tty6))
		six.read_all()
		wait_until(lambda: who() == [] and not alive(shell), 30)

		# Both are.
		both = login(SERVER4)
		tty = command(both, "tty").strip()[5:]
		worker, keeper, shell = worker_of(both), keeper_of(tty), int(command(both, "echo $$"))
		os.kill(keeper, signal.SIGSTOP) # or it may have ended by itself by then
		kill(worker), kill(keeper)
		wait_until(lambda: who() == [] and not alive(shell), 30)

		# The opener and then a keeper, and many before them: the next opener finds what is left.
		opener = process("calmd-opener")
		six = login(SERVER6)
		tty = command(six, "tty").strip()[5:]
		keeper = keeper_of(tty)
		login_pid = children(keeper)[0]
		os.kill(keeper, signal.SIGSTOP)
		with open(ROOT + "/run/utmp", "ab") as utmp:
		    for n in range(300, 500):                      # of pids that cannot be
		        utmp.write(ENTRY.pack(USER_PROCESS, 2 ** 22 + n, b"pts/%d" % n, b"/%d" % n, b"other", b"", 0, 0, 0, 0, 0,
		                              bytes(16), b""))
		kill(opener), kill(keeper), kill(login_pid)
		wait_until(lambda: who() == [], 30)

		# One that just logs out.
		six = login(SERVER6)
		six.type("exit\r")
		six.read_all()
		wait_until(lambda: who() == [], 30)

		# What ended in this very second is still running to last(1).
		wait_until(lambda: not any("still" in line or "gone" in line for line in last()), what="an end of each in wtmp")
		lines = last()
		assert len(lines) == 5, lines
		assert [line.split()[0] for line in lines] == ["tester"] * 3 + ["other", "tester"], lines
		assert [line.split()[2] for line in lines] == [CLIENT6, CLIENT6, CLIENT4, CLIENT6, CLIENT4], lines
	END
	EXPECTED_LOG='was ended by signal 9' stop_calmd
}

@test "su, passwd, job control and the terminal's own process group work as on a console" {
	private_login
	start_calmd -o 'login={"login", "-p", "-h", "%h", "%u"}' -o "banner=$BATS_FILE_TMPDIR/banner" \
		-o login-timeout=40s
	printf 'Welcome to %%h (\\s), line %%t. 100%%%% \\\\ \377\n' >"$BATS_FILE_TMPDIR/banner"
	run_logins <<-'END'
		client = Telnet(SERVER4, PORT, timeout=TIMEOUT)
		seen = client.read_until(rb"login: $")
		assert re.search(rb"^Welcome to %s \(Linux\), line pts/\d+\. 100%% \\ \xff\r\n" %
		                 os.uname().nodename.encode(), seen), seen
		client.type("tester\r")
		client.read_until(rb"Password: $")
		client.type("correct horse\r")
		client.read_until(rb"\$ $")

		# The terminal is the session's own, and it has job control.
		assert command(client, "ps -o tty= -o sid= -p $$").split()[0] == command(client, "tty").strip()[5:]
		client.type("sleep 1000\r")
		client.read_until(rb"sleep 1000\r\n")
		shell = process("-sh")
		wait_until(lambda: children(shell), 30)
		sleeper = children(shell)[0]
		wait_until(lambda: title(sleeper) == "sleep 1000", 30)
		client.send(b"\x1a")
		client.read_until(rb"Stopped.*\$ $")
		assert "Stopped" in command(client, "jobs")
		assert command(client, "bg; jobs").count("Running") == 1
		client.type("fg\r")
		client.read_until(rb"sleep 1000\r\n")
		client.send(b"\x03")
		client.read_until(rb"\$ $")
		wait_until(lambda: not alive(sleeper), 30)

		# Another user, and back; a password that is not shown.
		client.type("su other\r")
		client.read_until(rb"Password: $")
		client.type("correct horse\r")
		client.read_until(rb"\$ $")
		assert command(client, "id -un") == "other\n"
		client.type("exit\r")
		client.read_until(rb"\$ $")
		client.type("su root -c 'id -u'\r")
		assert b"battery" not in client.read_until(rb"Password: $")
		client.type("battery staple\r")
		assert b"\r\n0\r\n" in client.read_until(rb"\$ $")

		client.type("passwd\r")
		for old, answer in ((rb"Current password: $", "correct horse"), (rb"New password: $", "Zwölf 12 boxes"),
		                    (rb"new password: $", "Zwölf 12 boxes")):
		    client.read_until(old)
		    client.type(answer + "\r")
		client.read_until(rb"updated successfully.*\$ $")

		# The end: what runs in the foreground gets SIGHUP; what was told to stay does.
		client.type("(trap '' HUP; exec sleep 1001) & sleep 1002\r")
		client.read_until(rb"sleep 1002\r\n")
		running = lambda: sorted((title(pid)[-10:], pid) for pid in children(shell))
		wait_until(lambda: [name for name, _ in running()] == ["sleep 1001", "sleep 1002"], 30)
		stays, goes = (pid for _, pid in running())
		client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
		client.close() # by RST
		wait_until(lambda: not alive(shell) and not alive(goes), 20)
		assert alive(stays)
		kill(stays)

		# A client that says who it is, and offers variables, good and bad.
		again = Telnet(SERVER4, PORT, timeout=TIMEOUT)
		again.offer = {NEW_ENVIRON, TSPEED}
		again.wait_command(SB, NEW_ENVIRON, b"\1")
		again.send(subnegotiation(TSPEED, b"\x009600,9600") + subnegotiation(NEW_ENVIRON, b"\0" + b"".join(
		    b"%c%s\1%s" % variable for variable in (
		        (0, b"USER", b"tester"), (3, b"LANG", b"C"), (0, b"LC_TIME", b"POSIX"), (3, b"LD_PRELOAD", b"/tmp/x"),
		        (0, b"PATH", b"/tmp"), (3, b"IFS", b"x"), (0, b"CREDENTIALS_DIRECTORY", b"/tmp"), (3, b"EXTRA", b"x")))))
		assert b"login:" not in again.read_until(rb"Password: $")
		again.type("Zwölf 12 boxes\r")
		again.read_until(rb"\$ $")
		assert command(again, "id -un; stty speed; echo $LANG $LC_TIME") == "tester\n9600\nC POSIX\n"
		names = command(again, "env | sed 's/=.*//' | grep -xE 'LD_.*|IFS|CREDENTIALS.*|EXTRA'; echo $PATH").split()
		assert len(names) == 1 and "/usr/bin" in names[0] and "/tmp" not in names[0], names
		wait_until(lambda: row(again)["user"] == "tester", 20)
		if LONG: # who has logged in is not sent away
		    time.sleep(41)
		    assert command(again, "echo here") == "here\n"
		again.type("exit\r")
		again.read_all()
	END
	stop_calmd
}

@test "nobody who logs in in time, nobody who types: each is told why, and calmctl and the log know" {
	start_calmd -o login-timeout=1s -o msl=30s
	run_logins <<-'END'
		client = Telnet(SERVER4, PORT, timeout=TIMEOUT)
		client.read_until(rb"# $")
		id = row(client)["id"]
		assert client.read_all().endswith(b"\r\n[calmd: nobody has logged in within 1 second; goodbye]\r\n") and not client.reset
		wait_until(lambda: ctl("show", id)["ending"] == "nobody logged in")
	END
	assert_match "the log" "$(cat "$CALMD_DIR/log")" "session of nobody ended: nobody logged in"
	stop_calmd

	start_calmd -o idle-timeout=4s -o user-timeout=3s -o keepalive=1h
	run_logins <<-'END'
		# Meanwhile, one that takes nothing any more.
		dead = Peer(CLIENT4, SERVER4, 4000, PORT)
		dead.connect()
		dead.read_until(b"# ")
		dead.send("PA", b"echo pid=$$; sleep 0.5; echo more\n")
		dead.read_until(b"\r\npid=", timeout=20)
		shell = int(dead.read_until(b"\r\n"))
		assert 3500 < show(dead)["timers"]["keepalive_us"] / 1e6 <= 3600
		warning = rb"\r\n\[calmd: no input for 2 seconds; this session ends in 2 seconds\]\r\n"
		client = Telnet(SERVER6, PORT, timeout=TIMEOUT)
		client.read_until(rb"# $")
		client.read_until(warning)
		client.type("echo he''re\r")           # input puts it off
		client.read_until(rb"here\r\n# $")
		client.type("while :; do echo x; sleep 0.2; done\r")
		client.read_until(warning)             # output does not, nor do commands that type nothing
		client.send(command_bytes(NOP) + command_bytes(AYT))
		id = row(client)["id"]
		assert b"\r\n[calmd: no input for 4 seconds; goodbye]\r\n" in client.read_all() and not client.reset
		wait_until(lambda: ctl("show", id)["ending"] == "no input")
		wait_state(dead, "CLOSED", 20)
		wait_until(lambda: not alive(shell), 20)
	END
	assert_match "the log" "$(cat "$CALMD_DIR/log")" "ended: the user timeout has expired"
	stop_calmd
}

@test "a client that is silent is asked whether it is there; one that reads nothing is not lost a byte" {
	start_calmd -o probe=1s
	run_logins <<-'END'
		SECONDS = 60 if LONG else 4
		reader = Telnet(SERVER4, PORT, timeout=TIMEOUT + SECONDS, receive_buffer=65536)
		reader.read_until(rb"# $")
		reader.type("seq 400000; echo e''nd\r")
		worker = worker_of(reader)

		silent = Telnet(SERVER4, PORT, timeout=TIMEOUT, quiet=True)
		silent.send(command_bytes(WONT, TTYPE) + command_bytes(WONT, NAWS))
		silent.read_until(rb"# $")
		answers = Telnet(SERVER6, PORT, timeout=TIMEOUT)
		answers.read_until(rb"# $")
		mute = Telnet(SERVER6, PORT, timeout=TIMEOUT, quiet=True)  # as nc: never asked
		mute.read_until(rb"# $")

		def usage():
		    with open(f"/proc/{worker}/status", encoding="ascii") as file:
		        rss = int(re.search(r"VmRSS:\s+(\d+)", file.read()).group(1))
		    return rss, row(reader)["snd_queue"]

		def serve(done):
		    while not done():
		        for client in (silent, answers, mute):
		            if client.readable(0.05):
		                client.fill()

		first = usage()[0]

		# It stops: what it has not taken stays the same, and little; the session waits.
		id, began, before = row(silent)["id"], time.monotonic(), [None]
		serve(lambda: silent.ended)
		assert silent.data.endswith(b"[calmd: the client does not answer; goodbye]\r\n"), silent.data
		assert (DO, 6) in silent.commands
		wait_until(lambda: ctl("show", id)["ending"] == "the client does not answer")

		def steady():
		    before.append(usage())
		    return before[-1] == before[-2] and time.monotonic() > began + SECONDS

		serve(steady)
		memory, queue = before[-1]
		assert memory < first + 4096 and 0 < queue < 1 << 20, (first, before[-1])
		assert row(reader)["state"] == "ESTABLISHED"

		# And goes on.
		output = reader.read_until(rb"\r\nend\r\n")
		assert output.split(b"\r\n")[1:-2] == [b"%d" % i for i in range(1, 400001)]
		answers.commands.clear()
		answers.wait_command(DO, 6)
		assert answers.run("echo here") == "here\n" and (DO, 6) not in mute.commands
		mute.type("echo he''re\r")
		mute.read_until(rb"here\r\n")
	END
	stop_calmd
}
