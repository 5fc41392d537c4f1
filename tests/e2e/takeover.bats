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
	local before
	before=$(takeovers)
	kill "-${1:-KILL}" "$(master_pid)"
	wait_for 10 takeovers_are $((before + 1))
}

takeovers() {
	grep -c 'has taken over' "$CALMD_DIR/log" || true
}

takeovers_are() {
	[ "$(takeovers)" -eq "$1" ]
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

@test "a call goes on under another master, and gives its port back" {
	start_calmd
	run_peer <<-'END'
		import os, signal, socket, subprocess
		from telnet import *
		def guarded(port):
		    lines = subprocess.run(["ip", "netns", "exec", os.environ["SERVER_NS"], "ss", "-Htln"],
		                           capture_output=True, text=True, check=True).stdout
		    return f":{port} " in lines
		def read_until(conn, text):
		    data = b""
		    while text not in data:
		        data += conn.recv(4096)
		for address in (CLIENT4, CLIENT6):
		    family = socket.AF_INET6 if ":" in address else socket.AF_INET
		    server = socket.create_server((address, 5000), family=family)
		    caller = calmctl("call", f"[{address}]:5000" if ":" in address else f"{address}:5000")
		    conn, (_, port, *_) = server.accept()
		    conn.settimeout(10)
		    read_until(conn, b"# ")
		    assert caller.wait(10) == 0 and guarded(port)
		    for _ in range(2):
		        os.kill(ctl("status")["master_pid"], signal.SIGKILL)
		        conn.send(b"echo kept $((6*7))\r")
		        read_until(conn, b"kept 42\r\n# ")
		        assert guarded(port)
		    conn.send(b"exit\r")
		    while conn.recv(4096):
		        pass
		    conn.close()
		    server.close()
		    id, = [c["id"] for c in ctl("list") if c["local"].endswith(f":{port}")]
		    ctl("abort", id)    # it waited in TIME-WAIT
		    wait_until(lambda: not guarded(port), what="the guard's end")
		# Who waits for an answer when the master dies is told that there is none.
		caller = calmctl("call", "10.76.0.99:5000")
		wait_until(lambda: [c for c in ctl("list") if c["state"] == "SYN-SENT"], what="SYN-SENT")
		os.kill(ctl("status")["master_pid"], signal.SIGKILL)
		assert caller.wait(10) == 1
		assert "may have done" in caller.stderr.read()
		wait_until(lambda: [c for c in ctl("list") if c["state"] == "SYN-SENT"], what="SYN-SENT")
	END
	stop_calmd
}

# fail_masters MILLISECONDS: one after the other dies of its own fault, until the next is to come
# only after so long a pause.
fail_masters() {
	local i
	for i in 1 2 3 4 5 6 7 8; do
		if log_has "another one takes over in $1 ms"; then
			return 0
		fi
		end_master ABRT
	done
	fail "no pause of $1 ms"
}

@test "masters that die of their own fault are followed after pauses, and it ends well in one" {
	start_calmd
	capture_start over server
	start_background session in_client nc -d "$SERVER4" "$PORT"
	wait_for 10 grep -q '# ' "$BATS_FILE_TMPDIR/session.out"
	end_master ABRT
	end_master KILL
	fail_masters 400
	log_has 'was ended by signal 6[a-z, ]*; another one takes over$'
	log_has 'was ended by signal 9; another one takes over$'
	log_has 'was ended by signal 6[a-z, ]*; another one takes over in 100 ms$'
	log_has 'was ended by signal 6[a-z, ]*; another one takes over in 200 ms$'
	kill -ABRT "$(master_pid)"
	wait_for 5 log_has 'in 800 ms$'
	stop_calmd
	wait_for 5 background_ended session
	capture_stop over
	assert_equal "RSTs of the server" "$(count_segments over --with R --from "$SERVER4.$PORT")" 0
	[ "$(count_segments over --with F --from "$SERVER4.$PORT")" -ge 1 ]
}

@test "who ends while there is no master is known to the next one" {
	start_calmd -o min-spare-workers=2 -o max-spare-workers=2
	run_peer <<-'END'
		import os, signal, subprocess
		from telnet import *
		def processes(title):
		    watcher = open(os.environ["CALMD_DIR"] + "/watcher").read().strip()
		    lines = subprocess.run([os.environ["E2E"] + "/watch.py", "list", watcher],
		                           capture_output=True, text=True, check=True).stdout
		    return [int(line.split()[0]) for line in lines.splitlines() if line.endswith(title)]
		clients = [Telnet(SERVER4, PORT) for _ in range(3)]
		for client in clients:
		    client.read_until(rb"# $")
		shells = [int(client.run("echo $$")) for client in clients]
		ids = [[c["id"] for c in ctl("list") if is_peer(c["peer"], *client.socket.getsockname())][0]
		       for client in clients]
		log = lambda: open(os.environ["CALMD_DIR"] + "/log").read()
		worker, = processes(f" calmd-worker: connection {ids[1]}")
		idle = processes(" calmd-worker: idle")[0]
		for n in range(1, 6):    # calmctl would wait for the next master
		    os.kill(ctl("status")["master_pid"], signal.SIGABRT)
		    wait_until(lambda: log().count("another one takes over") == n, what="a death")
		    if n < 5:
		        wait_until(lambda: log().count("has taken over") == n, what="the next")
		assert "takes over in 800 ms" in log()
		# One worker dies, one session ends, one idle worker dies.
		for pid in (worker, shells[2], idle):
		    os.kill(pid, signal.SIGKILL)
		clients[1].read_all()
		assert clients[1].reset
		clients[2].read_all()
		assert not clients[2].reset
		clients[2].close()
		assert clients[0].run("echo still here") == "still here\n"
		wait_until(lambda: ctl("status")["workers"] == {"idle": 2, "busy": 1}, what="workers")
		wait_until(lambda: ctl("status")["connections"] == 1, what="one connection")
	END
	EXPECTED_LOG+="|worker [0-9]+ was ended by signal 9"
	stop_calmd
}

@test "SIGTERM ends sessions in order though the master dies of something else meanwhile" {
	start_calmd
	run_peer "$(calmd_pid)" <<-'END'
		import os, signal
		from telnet import *
		clients = [Telnet(address, PORT) for address in (SERVER4, SERVER6)]
		for client in clients:
		    client.read_until(rb"# $")
		supervisor, master = int(sys.argv[1]), ctl("status")["master_pid"]
		os.kill(supervisor, signal.SIGSTOP)
		os.kill(master, signal.SIGKILL)
		os.kill(supervisor, signal.SIGTERM)
		os.kill(supervisor, signal.SIGCONT)
		for client in clients:
		    client.read_all()
		    assert not client.reset
		    client.close()
	END
	wait_calmd_end 10
}

@test "a master that finds too little memory is followed by one that finds enough" {
	[ -z "${CALMD_SANITIZERS:-}" ] || skip "sanitizers need more than any limit"
	start_calmd -o max-connections=2000
	run_peer "$(calmd_pid)" <<-'END'
		import os, resource, signal
		from telnet import *
		client = Telnet(SERVER4, PORT)
		client.read_until(rb"# $")
		supervisor, master = int(sys.argv[1]), ctl("status")["master_pid"]
		used = int(re.search(r"VmData:\s+(\d+) kB", open(f"/proc/{master}/status").read())[1])
		before = resource.prlimit(supervisor, resource.RLIMIT_DATA)
		resource.prlimit(supervisor, resource.RLIMIT_DATA, (used * 600, before[1]))
		os.kill(master, signal.SIGKILL)
		log = os.environ["CALMD_DIR"] + "/log"
		wait_until(lambda: "cannot make the engine: out of memory" in open(log).read())
		resource.prlimit(supervisor, resource.RLIMIT_DATA, before)
		assert client.run("echo here") == "here\n"
	END
	EXPECTED_LOG+="|out of memory"
	stop_calmd
}
