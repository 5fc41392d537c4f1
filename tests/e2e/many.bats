#!/usr/bin/env bats
# Many clients at once, each with a shell of its own, and what those over a limit get. Needs root.

load lib

# The prelude of every script here: 50 clients that have their prompts.
prelude() {
	cat <<-'END'
		from telnet import *
		def connect(address=SERVER4):
		    client = Telnet(address, PORT, timeout=20)
		    client.read_until(rb"# $")
		    return client
		def refused(address=SERVER4):
		    try:
		        client = Telnet(address, PORT, timeout=5)
		        client.fill()
		    except ConnectionError:
		        return True
		    return client.reset
	END
}

# crowd [OPTION]... <SCRIPT: a calmd with these options and SCRIPT behind the prelude.
crowd() {
	start_calmd "$@"
	{
		prelude
		cat
	} >"$BATS_TEST_TMPDIR/crowd"
	run_peer <"$BATS_TEST_TMPDIR/crowd"
}

@test "50 clients at once have 50 shells, and each byte goes to the right one" {
	crowd -o max-connections=50 <<-'END'
		import hashlib
		clients = [connect(SERVER6 if i % 2 else SERVER4) for i in range(50)]
		shells, terminals = set(), set()
		for i, client in enumerate(clients):          # all of them type before any of them reads
		    client.type(f"name=c{i}; echo $$ $(tty); seq -f \"$name-%g\" 3000 | tee /dev/stderr | sha256sum\r")
		for i, client in enumerate(clients):
		    got = client.read_until(rb"[0-9a-f]{64}  -\r\n").decode().split("\r\n")[1:]
		    shell, terminal = got[0].split()
		    shells.add(shell)
		    terminals.add(terminal)
		    want = [f"c{i}-{n}" for n in range(1, 3001)]
		    assert got[1:3001] == want, f"client {i}: {got[:5]}"
		    digest = hashlib.sha256("".join(line + "\n" for line in want).encode()).hexdigest()
		    assert got[3001].split()[0] == digest
		assert len(shells) == len(terminals) == 50
		assert ctl("status")["connections"] == 50
		assert len({row["id"] for row in ctl("list")}) >= 50
		for client in clients:
		    client.type("exit\r")
		for client in clients:
		    client.read_all()
		    assert client.ended and not client.reset
	END
	wait_for 5 sessions_are 0
	wait_for 5 ctl_is connections 0 status
	stop_calmd
}

@test "the 51st of 50, busy = drop: nothing, and it is served when one leaves" {
	crowd -o max-connections=50 -o busy=drop <<-'END'
		import threading
		clients = [connect() for _ in range(50)]
		late = Peer(CLIENT4, SERVER4, 4000, PORT)
		late.send("S")
		late.silent(0.5)                              # dropped
		assert ctl("stats")["busyDropped"] >= 1
		served = []
		def wait_in_line():
		    served.append(connect())                  # its kernel sends the SYN again
		waiting = threading.Thread(target=wait_in_line)
		waiting.start()
		wait_until(lambda: ctl("stats")["busyDropped"] >= 2, what="its SYN")
		assert not served
		clients[7].type("exit\r")
		clients[7].read_all()
		waiting.join(20)
		assert served and served[0].run("echo served") == "served\n"
		assert clients[8].run("echo still here") == "still here\n"
	END
	stop_calmd
}

@test "the 51st of 50, busy = reset: RST, and the next is served when one leaves" {
	crowd -o max-connections=50 -o busy=reset <<-'END'
		clients = [connect() for _ in range(50)]
		late = Peer(CLIENT4, SERVER4, 4000, PORT)
		late.send("S")
		late.expect("RA", ack=late.snd_nxt, strict=True)
		assert refused() and refused(SERVER6)
		assert ctl("stats")["busyReset"] == 3
		clients[7].type("exit\r")
		clients[7].read_all()
		wait_until(lambda: ctl("status")["connections"] == 49, what="a free place")
		next_one = connect()   # kept: it holds the place
		assert next_one.run("echo served") == "served\n"
		assert refused()
	END
	stop_calmd
}

@test "the 51st of 50, busy = message: the message and a proper end, and the next is served when one leaves" {
	crowd -o max-connections=50 -o busy=message -o 'busy-message="Come back later."' <<-'END'
		clients = [connect() for _ in range(50)]
		for address in (SERVER4, SERVER6):
		    late = Telnet(address, PORT)
		    assert late.read_all() == b"Come back later.\r\n" and not late.reset
		    late.close()
		assert ctl("stats")["busyMessage"] == 2
		assert ctl("status")["connections"] == 50
		clients[7].type("exit\r")
		clients[7].read_all()
		wait_until(lambda: ctl("status")["connections"] == 49, what="a free place")
		next_one = connect()   # kept: it holds the place
		assert next_one.run("echo served") == "served\n"
	END
	stop_calmd
}

@test "one address may have as many connections as max-connections-per-source says, and others too" {
	in_client ip address add 10.76.0.3/24 dev eth0
	crowd -o max-connections-per-source=3 -o busy=reset <<-'END'
		import socket
		clients = [connect() for _ in range(3)]
		assert refused()
		assert ctl("stats")["limitSource"] == 1
		other = socket.socket()
		other.bind(("10.76.0.3", 0))
		other.settimeout(10)
		other.connect((SERVER4, PORT))                # another address
		assert other.recv(100)
		clients[0].type("exit\r")
		clients[0].read_all()
		wait_until(lambda: ctl("status")["connections"] == 3, what="a free place")
		connect()
	END
	stop_calmd
}

@test "those who wait for a worker are as many as backlog says, and are served in their turn" {
	# One worker at a time, and it is stopped: nobody is served before it goes on.
	crowd -o max-connections=20 -o backlog=3 -o busy=reset -o min-spare-workers=1 \
		-o max-spare-workers=1 <<-'END'
		import signal, subprocess
		supervisor = ctl("status")["supervisor_pid"]
		os.kill(supervisor, signal.SIGSTOP)           # no new workers
		try:
		    first = Telnet(SERVER4, PORT, timeout=20) # takes the one there is
		    wait_until(lambda: ctl("status")["workers"]["idle"] == 0, what="no idle worker")
		    waiting = [Telnet(SERVER4, PORT, timeout=20) for _ in range(3)]
		    wait_until(lambda: ctl("status")["queue"] == 3, what="a full queue")
		    assert refused()
		    assert ctl("stats")["acceptQueueFull"] >= 1
		    waiting[1].type("echo typed ahead\r")     # kept until there is a worker
		finally:
		    os.kill(supervisor, signal.SIGCONT)
		for client in waiting:
		    client.read_until(rb"# ")
		assert b"typed ahead" in waiting[1].data or waiting[1].read_until(b"typed ahead")
		assert ctl("status")["queue"] == 0
	END
	stop_calmd
}

@test "a hundred clients that come and go all at once are all served" {
	crowd -o max-connections=60 <<-'END'
		import threading
		failed = []
		def visit(number):
		    try:
		        with connect(SERVER6 if number % 2 else SERVER4) as client:
		            assert client.run(f"echo {number}") == f"{number}\n"
		            client.type("exit\r")
		            client.read_all()
		            assert not client.reset
		    except Exception as error:
		        failed.append((number, repr(error)))
		visitors = [threading.Thread(target=visit, args=(n,)) for n in range(100)]
		for visitor in visitors:
		    visitor.start()
		for visitor in visitors:
		    visitor.join(60)
		assert not failed, failed
	END
	wait_for 5 sessions_are 0
	stop_calmd
}
