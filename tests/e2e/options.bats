#!/usr/bin/env bats
# Telnet options that a scripted client negotiates: what each tells the session, and how client and
# terminal follow each other. Needs root.

load lib

setup_file() {
	make_network
	start_calmd
}

teardown() {
	show_failure
}

# talk <SCRIPT: SCRIPT with IPv4 and with IPv6 at once. `connect` gives a client with a prompt that does the
# options `offer` and knows what `sb` has to say when it is asked; `mode` reads up to a mode of LINEMODE.
talk() {
	local script=$BATS_TEST_TMPDIR/talk first failed=0
	{
		cat <<-'END'
			import re
			from telnet import *
			address = sys.argv[1]
			EDIT, TRAPSIG, ACK = 1, 2, 4
			def connect(offer=(), sb={}, **options):
			    client = Telnet(address, PORT, timeout=15, **options)
			    client.offer.update(offer, sb)
			    told = dict(sb)
			    def answer(verb, option, usual=client.answer):
			        usual(verb, option)
			        if verb == WILL and option in (ECHO, SGA) and option in client.accept:
			            client.send(command(DO, option))
			        if verb == DO and option in told:
			            client.send(subnegotiation(option, told[option]))
			    client.answer = answer
			    client.read_until(rb"# $")
			    return client
			def linemode(**options):
			    client = connect(**options)
			    client.offer.add(LINEMODE)
			    client.send(command(WILL, LINEMODE))
			    client.wait_command(DO, LINEMODE)
			    return client
			def has(flag):
			    return rf"until stty -a | tr ' ' '\n' | grep -qx {flag}; do sleep 0.02; done; "
			def await_mode(client, mode, agree=True):
			    client.wait_command(SB, LINEMODE, bytes((1, mode)), timeout=15)
			    client.commands.remove((SB, LINEMODE, bytes((1, mode))))
			    if agree:
			        client.send(subnegotiation(LINEMODE, bytes((1, mode | ACK))))
			def await_echo(client, verb):
			    client.wait_command(verb, ECHO, timeout=15)
			    client.commands.remove((verb, ECHO))
		END
		cat
	} >"$script"
	run_peer "$SERVER4" <"$script" >"$script.out" 2>&1 &
	first=$!
	run_peer "$SERVER6" <"$script" || failed=1
	wait "$first" || failed=1
	cat "$script.out"
	[ "$failed" -eq 0 ]
}

@test "speed, display and variables reach the session, and do not slow its prompt" {
	talk <<-'END'
		begin = time.monotonic()
		client = connect(sb={TTYPE: b"\0VT220", TSPEED: b"\0" b"9600,1200", XDISPLOC: b"\0here:7.1",
		                     NEW_ENVIRON: b"\0\3LANG\1C.UTF-8\0LD_PRELOAD\1/tmp/x\0USER\1-froot",
		                     NAWS: b"\0\x64\0\x28"})
		passed = time.monotonic() - begin
		for option in (TTYPE, TSPEED, XDISPLOC, NEW_ENVIRON):
		    assert (SB, option, b"\1") in client.commands, client.commands
		shown = client.run("stty speed; stty size; echo $TERM $DISPLAY $LANG; tr '\\0' '\\n' </proc/$$/environ")
		lines = shown.splitlines()
		assert lines[:3] == ["1200", "40 100", "vt220 here:7.1 C.UTF-8"], shown
		assert sorted(v.split("=")[0] for v in lines[3:]) == ["DISPLAY", "LANG", "TERM"], shown
		assert passed < 1, passed
	END
}

@test "STATUS tells what is on; TIMING-MARK is answered behind the output that it follows; EOR and GA" {
	talk <<-'END'
		client = connect(offer={NAWS}, accept=(ECHO, SGA, STATUS, EOR_OPTION))
		client.send(command(DO, STATUS) + subnegotiation(STATUS, b"\1"))
		client.wait_command(SB, STATUS, bytes((0, WILL, ECHO, WILL, SGA, DO, NAWS, WILL, STATUS)))
		client.send(command(AYT) + command(DO, TIMING_MARK))
		client.wait_command(WILL, TIMING_MARK)
		assert b"[calmd: yes]" in client.data
		client.read_until(rb"yes\]\r\n")
		client.send(command(DO, EOR_OPTION))
		client.wait_command(WILL, EOR_OPTION)
		client.commands.clear()
		client.run("echo one")
		client.wait_command(EOR)
		assert (GA,) not in client.commands
		client.send(command(DONT, SGA))
		client.wait_command(WONT, SGA)
		client.run("echo two")
		client.wait_command(GA)
	END
}

@test "LOGOUT ends the session" {
	talk <<-'END'
		client = connect()
		client.send(command(DO, LOGOUT))
		client.wait_command(WILL, LOGOUT)
		client.read_all()
		assert client.ended and not client.reset
	END
}

@test "CHARSET: UTF-8 makes the terminal one of UTF-8" {
	talk <<-'END'
		client = connect(accept=(ECHO, SGA, CHARSET))
		client.wait_command(SB, CHARSET, b"\1;UTF-8")
		assert " -iutf8" in client.run("stty -a")
		client.send(subnegotiation(CHARSET, b"\2UTF-8"))
		client.run(has("iutf8"))
		client.send("echo aé".encode() + command(EC) + b"b\r")
		client.read_until(rb"\r\nab\r\n# $")
	END
}

@test "TOGGLE-FLOW-CONTROL follows the terminal's IXON" {
	talk <<-'END'
		client = connect(offer={LFLOW})
		client.wait_command(SB, LFLOW, b"\1")
		client.commands.clear()
		client.run("stty -ixon")
		client.wait_command(SB, LFLOW, b"\0")
		client.run("stty ixon ixany")
		client.wait_command(SB, LFLOW, b"\1")
		client.wait_command(SB, LFLOW, b"\2")
		client.commands.clear()
		client.run("stty stop ^A")                       # not what the client would do by itself
		client.wait_command(SB, LFLOW, b"\0")
	END
}

@test "LINEMODE follows canonical mode, signals and echo of the terminal" {
	talk <<-'END'
		client = linemode()
		await_mode(client, TRAPSIG)                      # edited here until it has been asked for a moment
		await_mode(client, EDIT | TRAPSIG)
		await_echo(client, WONT)
		client.send(command(DONT, ECHO))
		client.send(b"echo o'n'e\r\n")                   # a whole line, which the client has shown
		shown = client.read_until(rb"# $")
		assert shown == b"one\r\n# ", shown
		client.send(b"stty raw -echo; sleep 1000; stty sane\r\n")
		await_echo(client, WILL)
		await_mode(client, 0)
		assert client.data == b"", client.data
		client.send(command(DO, ECHO) + b"\x03")         # nothing special, now
		client.send(command(AYT))
		client.read_until(rb"yes\]\r\n")
		client.close()
	END
}

@test "LINEMODE: no echo is told before the prompt for a password" {
	talk <<-'END'
		client = linemode()
		await_mode(client, EDIT | TRAPSIG)
		await_echo(client, WONT)
		client.send(command(DONT, ECHO))
		for _ in range(3):
		    client.commands.clear()
		    client.send(b"printf 'Name: '; read n; stty -echo; printf 'Pass''word: '; read p; stty echo; echo; echo $n,$p.\r\n")
		    client.read_until(rb"Name: $")
		    client.send(b"me\r\n")
		    client.read_until(rb"Password: $")
		    assert client.commands[-1] == (WILL, ECHO), client.commands
		    client.send(command(DO, ECHO) + b"secret\r\n")
		    assert client.read_until(rb"# $") == b"\r\nme,secret.\r\n# "
		    await_echo(client, WONT)
		    client.send(command(DONT, ECHO))
	END
}

@test "LINEMODE: signals, end of file, and characters each way" {
	talk <<-'END'
		client = linemode()
		client.send(subnegotiation(LINEMODE, b"\3" + bytes((3, 2, 7, 10, 2, 8))))   # IP ^G, EC ^H
		client.wait_command(SB, LINEMODE, b"\3" + bytes((3, 2 | 128, 7, 10, 2 | 128, 8)))
		await_mode(client, EDIT | TRAPSIG)
		await_echo(client, WONT)
		client.send(command(DONT, ECHO))
		client.send(b"stty -a\r\n")
		shown = client.read_until(rb"# $")
		assert b"intr = ^G" in shown and b"erase = ^H" in shown, shown
		client.send(b"stty susp ^Y eol X\r\n")
		client.wait_command(SB, LINEMODE, b"\3" + bytes((9, 2 | 64, 0x19, 17, 2, ord("X"))))
		client.wait_command(SB, LINEMODE, bytes((DO, 2)) + bytes(11) + b"\x80" + bytes(20))
		client.read_until(rb"# $")
		client.send(b"sh -c 'echo slee''ping; exec sleep 1000'\r\n")
		client.read_until(rb"sleeping\r\n")
		client.send(command(IP))
		client.read_until(rb"# $")
		client.send(b"echo wrong" + command(EL) + b"echo aZ" + command(EC) + b"b\r\n")
		client.read_until(rb"^ab\r\n# $")
		client.send(b"cat -v\r\n\x07\x08\x1a\r\n" + command(EOF))      # literal, from a client that edits
		client.read_until(rb"\^G\^H\^Z\r\n# $")
		client.send(b"cat\r\nsomething\r\n")
		client.read_until(rb"something\r\n")
		client.send(b"more" + command(EOF) + command(EOF))
		client.read_until(rb"more.*# $")
		client.send(command(WONT, LINEMODE))
		await_echo(client, WILL)
		client.send(command(DO, ECHO))
		assert "-extproc" in client.run("stty -a")
	END
}

@test "a client in LINEMODE that never agrees to a mode, and one that echoes by itself, have their lines edited" {
	talk <<-'END'
		for client, echo in ((linemode(), True), (connect(accept=(SGA,)), False)):
		    if not echo:
		        client.wait_command(WILL, ECHO)
		    end = rb"# $"
		    client.send(b"stty eof ^E\r\n")
		    client.read_until(rb"# $")
		    client.send(b"echo wrong\x15echo ri\x7fxt\x17right\x7f\x7fXY\r")
		    shown = client.read_until(end)
		    assert b"echo" in shown if echo else shown == b"rigXY\r\n# ", shown
		    assert b"rigXY\r\n# " in shown, shown
		    client.send(b"sh -c 'echo slee''ping; exec sleep 1000'\r")
		    client.read_until(rb"sleeping\r\n")
		    client.send(b"\x03")
		    client.read_until(rb"# $")
		    client.send(b"cat\rline\r\x05")
		    client.read_until(rb"line\r\n# $")
		    client.send(b"stty -icanon -echo; echo RE''ADY; od -An -c -N 3; stty sane\r")
		    client.read_until(rb"READY\r\n")
		    client.send(b"a\rb")
		    assert b"a  \\n   b" in client.read_until(rb"# $")
		    client.close()
	END
}

@test "a client that will not have our echo is asked once for each change of the terminal's" {
	talk <<-'END'
		client = connect(accept=(SGA,))
		client.wait_command(WILL, ECHO)
		for _ in range(2):
		    client.commands.clear()
		    client.send(b"stty -echo; echo RE''ADY; read x; stty echo; echo $x.\r")
		    client.read_until(rb"READY\r\n")
		    for _ in range(20):                          # as many round trips
		        client.send(command(DO, TIMING_MARK))
		        client.wait_command(WILL, TIMING_MARK)
		        client.commands.remove((WILL, TIMING_MARK))
		    assert client.commands.count((WILL, ECHO)) == 1, client.commands
		    client.send(b"word\r")
		    client.read_until(rb"word\.\r\n# $")
	END
}
