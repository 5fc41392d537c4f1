#!/usr/bin/env bats
# Telnet as a client sees it: options, commands, line ends, windows, ends of input and output. Needs root.

load lib

# talk [OPTION]... <SCRIPT: SCRIPT with IPv4 and with IPv6 at once, against one calmd. `connect`
# gives a client with a prompt.
talk() {
	local script=$BATS_TEST_TMPDIR/talk
	{
		cat <<-'END'
			import re
			from telnet import *
			address = sys.argv[1]
			def connect(**options):
			    client = Telnet(address, PORT, **options)
			    client.read_until(rb"# $")
			    return client
		END
		cat
	} >"$script"
	start_calmd "$@"
	local first failed=0
	run_peer "$SERVER4" <"$script" >"$script.out" 2>&1 &
	first=$!
	run_peer "$SERVER6" <"$script" || failed=1
	wait "$first" || failed=1
	cat "$script.out"
	[ "$failed" -eq 0 ]
	stop_calmd
}

@test "the window's size reaches the terminal, and changes with the client's" {
	start_calmd
	for program in telnet busybox plink; do
		[ $program != busybox ] || continue # it tells its size once only
		telnet_client "$program" "$SERVER4" "$PORT"
		run drive "${CLIENT[@]}" <<-'END'
			expect # $
			send stty size\n
			expect ^24 80\r*\n# $
			send sh -c "trap 'stty size; exit' WINCH; echo re'a'dy; while :; do sleep 0.05; done"\n
			expect ^ready
			resize 50 132
			send \n
			expect 50 132\r*\n
			expect # $
			send exit\n
			wait
		END
		[ "$status" -ne 124 ] || fail "$program: a step did not come true"
	done
	stop_calmd
}

@test "NAWS: any size, doubled 255s, and what is no size is ignored" {
	talk <<-'END'
		client = Telnet(address, PORT)
		client.offer.add(NAWS)
		client.wait_command(DO, NAWS)
		client.send(subnegotiation(NAWS, b"\x01\x00\x00\xff"))     # 256 columns, 255 rows
		client.read_until(rb"# $")
		assert client.run("stty size") == "255 256\n"
		client.send(subnegotiation(NAWS, b"\xff\xff\xff\xff"))
		assert client.run("stty size") == "65535 65535\n"
		for wrong in (b"", b"\x00", b"\x00\x50\x00", b"\x00\x50\x00\x18\x00", bytes(300)):
		    client.send(subnegotiation(NAWS, wrong))
		assert client.run("stty size") == "65535 65535\n"
	END
}

@test "the terminal type becomes TERM; junk becomes dumb" {
	talk <<-'END'
		for name, term in ((b"VT100", "vt100"), (b"xterm-256color", "xterm-256color"),
		                   (b"screen.xterm_x+y", "screen.xterm_x+y"), (b"a" * 40, "a" * 40),
		                   (b"a" * 41, "dumb"), (b"", "dumb"), (b"x" * 600, "dumb"),
		                   (b"../../../etc/passwd", "dumb"), (b"-f root", "dumb"), (b"%n%s%x", "dumb"),
		                   (b"vt100\0", "dumb"), (b"a\nb", "dumb"), (b"\xff\xfe", "dumb"), (b"$(id)", "dumb")):
		    with Telnet(address, PORT) as client:
		        client.offer.add(TTYPE)
		        client.wait_command(SB, TTYPE, b"\x01")
		        client.send(subnegotiation(TTYPE, b"\0" + name))
		        client.read_until(rb"# $")
		        assert client.run("echo $TERM") == term + "\n", name
	END
}

@test "a client that negotiates nothing has its prompt within a second" {
	talk <<-'END'
		for _ in range(3):
		    begin = time.monotonic()
		    client = Telnet(address, PORT, quiet=True)
		    client.read_until(rb"# $")
		    passed = time.monotonic() - begin
		    assert passed < 1, passed
		    assert client.run("echo $TERM $(stty size)").startswith("dumb ")
		    client.close()
	END
}

@test "a client that has answered every option does not wait for its prompt" {
	talk <<-'END'
		begin = time.monotonic()
		connect()
		passed = time.monotonic() - begin
		assert passed < 0.3, passed
	END
}

@test "line ends: CR NUL, CR LF and a lone LF each end a line, once" {
	talk <<-'END'
		client = connect()
		for end in (b"\r\0", b"\r\n", b"\n"):
		    client.send(b"echo o'n'e" + end)
		    assert client.read_until(rb"\r\none\r\n# $").count(b"# ") == 1, end
		# One that is cut in two.
		client.send(b"echo t'w'o\r")
		client.read_until(rb"\r\ntwo\r\n# $")
		client.send(b"\n")
		assert client.run("echo three") == "three\n"
		assert client.data == b""
	END
}

@test "what programs read is what was typed: CR NUL is CR, IAC IAC is 255" {
	talk <<-'END'
		client = connect()
		client.type("stty raw -echo; echo READY; od -An -v -tx1 -w1 -N 12\r")
		client.read_until(rb"READY\n")
		client.send(b"\r\0a\r\nb\nc\xff\xffd\x00\x11\x03")
		shown = client.read_until(rb"03\n").decode().split()
		# A terminal in raw mode gets CR for the end of a line, as a key gives it.
		assert shown in (["0d", "61", "0d", "62", "0a", "63", "ff", "64", "00", "11", "03"],
		                 ["0d", "61", "0a", "62", "0a", "63", "ff", "64", "00", "11", "03"]), shown
	END
}

@test "what programs write arrives: 255 doubled, CR alone as CR NUL" {
	talk <<-'END'
		client = connect()
		raw = []
		decode = client.decode
		client.decode = lambda data: raw.append(data) or decode(data)
		client.type("stty raw; printf '\\377\\377a\\rb\\r\\nc\\r'; printf END; exit\r")
		client.read_until(rb"END$")
		client.read_all()
		sent = b"".join(raw)
		assert b"\xff\xff\xff\xffa\r\0b\r\nc\r\0END" in sent, sent
	END
}

@test "BINARY both ways: CR is CR and nothing else, 255 is still doubled" {
	talk <<-'END'
		client = connect(accept=(ECHO, SGA, BINARY))
		client.offer.add(BINARY)
		client.send(command(WILL, BINARY) + command(DO, BINARY))
		client.wait_command(DO, BINARY)
		client.wait_command(WILL, BINARY)
		client.binary = True
		client.send(b"stty raw -echo; echo READY; head -c 8 | od -An -tx1; printf '\\r\\0x\\377'; exit\r")
		client.read_until(rb"READY\n")
		client.send(b"\r\0\r\n\n\xff\xff\0\r")
		assert client.read_until(rb"\n").split() == [b"0d", b"00", b"0d", b"0a", b"0a", b"ff", b"00", b"0d"]
		assert client.read_all() == b"\r\0x\xff"
	END
}

@test "AYT is answered, IP interrupts, BRK too, EC and EL edit, EOF ends" {
	talk <<-'END'
		client = connect()
		client.send(command(AYT))
		client.read_until(rb"\[calmd: yes\]\r\n")
		for interrupt in (IP, BRK):
		    # It says so itself: before that, the interrupt would be the shell's own.
		    client.send(b"sh -c 'echo slee''ping; exec sleep 1000'\r\n")
		    client.read_until(rb"\nsleeping\r\n")
		    client.send(command(interrupt))
		    client.read_until(rb"# $")
		client.send(b"echo abX" + command(EC) + b"c\r")
		client.read_until(rb"\r\nabc\r\n# $")
		client.send(b"echo wrong" + command(EL) + b"echo right\r")
		client.read_until(rb"\r\nright\r\n# $")
		client.send(b"cat\r")
		client.read_until(rb"cat\r\n")
		client.send(b"something\r")
		client.read_until(rb"something\r\nsomething\r\n")
		client.send(command(236))                        # EOF (RFC 1184)
		client.read_until(rb"# $")
	END
}

@test "AO throws output away and marks the place with an urgent DM" {
	talk <<-'END'
		client = connect(receive_buffer=8192)
		client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)
		client.type("yes\r")
		client.read_until(rb"y\r\ny\r\n")
		client.send(command(AO))
		client.wait_command(DM, timeout=10)
		client.send(command(IP))
		client.read_until(rb"\^C.*# $")
		assert client.run("echo works") == "works\n"
	END
}

@test "an interrupt throws away what is under way, up to a data mark that survives every way to read it" {
	start_calmd
	for reading in 0 1; do # as BSD and Linux read the urgent pointer, and as RFC 1122 (4.2.2.4) has it
		in_client sysctl -q "net.ipv4.tcp_stdurg=$reading"
		run_peer "$reading" <<-'END'
			import re
			from telnet import *
			def flood(address, inline):
			    client = Telnet(address, PORT, receive_buffer=8192)
			    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, inline)
			    client.read_until(rb"# $")
			    raw = []
			    decode = client.decode
			    client.decode = lambda data: raw.append(data) or decode(data)
			    client.type("yes 0123456789\r")
			    client.read_until(rb"789\r\n0123456789\r\n")
			    wait_until(lambda: any(row["snd_queue"] > 0 for row in ctl("list")), what="a queue")
			    client.type("\x03")
			    while not client.data.endswith(b"^C\r\n# "):
			        client.data = client.data[-100:]
			        assert client.fill()
			    sent = b"".join(raw)
			    # What was read of the terminal at the same time comes behind it.
			    wanted = b"\xf2\0" if inline else (b"\0", b"\xf2")[int(sys.argv[1])]
			    assert sent.count(b"\xff" + wanted) == sent.count(b"\xff") <= 1, sent[-200:]
			    assert sent.count(b"\xf2") == sent.count(b"\xff") * wanted.count(b"\xf2")
			    assert client.run("echo works") == "works\n"
			    return b"\xff" in sent
			for address in (SERVER4, SERVER6):
			    for inline in (1, 0):                    # all may have arrived just before
			        assert any(flood(address, inline) for attempt in range(10))
		END
	done
	in_client sysctl -q net.ipv4.tcp_stdurg=0
	stop_calmd
}

@test "Synch: urgent data discards what was typed before it, behind a blocked program, too" {
	talk <<-'END'
		client = connect()
		client.type("sh -c 'echo slee''ping; exec sleep 1000'\r")
		client.read_until(rb"\nsleeping\r\n")
		# An urgent pointer reaches 64 KiB far, so that no more than that may wait here.
		client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
		# More than terminal and ring hold; nobody reads it.
		client.socket.settimeout(1)
		sent = 0
		try:
		    while sent < 4 << 20:
		        sent += client.socket.send(b"echo never\r\n" * 1000)
		except TimeoutError:
		    pass
		assert sent < 4 << 20                            # it was held back
		client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 32768)
		client.send(command(IP, IAC))
		client.socket.send(bytes((DM,)), socket.MSG_OOB)
		# What the terminal had taken already, 4 KiB at most each way, is the shell's; the rest is gone.
		shown = client.read_until(rb"# $", timeout=20)
		client.send(b"\x15echo wo'r'ks\r")
		shown += client.read_until(rb"works\r\n# $", timeout=20)
		ran = shown.count(b"\nnever\r\n") + shown.count(b"# never\r\n")
		assert ran <= 8192 // 11 < sent // 11, (ran, sent)
	END
}

@test "option requests without end are each answered at most once: no loop" {
	talk <<-'END'
		client = connect(quiet=True)
		client.commands.clear()
		for _ in range(20):
		    client.send(b"".join(command(verb, option) for option in range(256) for verb in (WILL, DO)
		                         if (verb, option) != (DO, LOGOUT)))
		    client.readable(0.05) and client.fill()
		client.type("echo wo'r'ks\r")                    # in LINEMODE now, which may leave the echo to it
		client.read_until(rb"works\r\n# $")
		assert len(client.commands) <= 20 * 512
		for verb in (WILL, WONT, DO, DONT):              # options that it has: told once each
		    for option in (BINARY, ECHO, SGA, TTYPE, NAWS):
		        assert client.commands.count((verb, option)) <= 21, (verb, option)
		client.commands.clear()
		client.send(b"".join(command(verb, option) for option in range(256) for verb in (WONT, DONT)) * 20)
		client.type("echo wo'r'ks\r")
		client.read_until(rb"works\r\n# $")
		assert len(client.commands) <= 30, client.commands
	END
}

# numbers_of TEXT: its lines that are a number, behind a prompt or not.
numbers_of() {
	tr -d '\r' <<<"$1" | LC_ALL=C sed 's/^.*# //' | grep -ax '[0-9][0-9]*'
}

@test "nc gets all output of what it asked for before its FIN" {
	start_calmd
	for address in "$SERVER4" "$SERVER6"; do
		for _ in 1 2 3; do
			run -0 in_client sh -c "printf 'seq 1 20000\nexit\n' | timeout 20 nc -N $address $PORT"
			assert_equal numbers "$(numbers_of "$output" | cmp - <(seq 20000) 2>&1)" ""
		done
		# And one that does not say exit: the end of its input ends the shell.
		run -0 in_client sh -c "printf 'seq 1 20000\n' | timeout 20 nc -N $address $PORT"
		assert_equal numbers "$(numbers_of "$output" | cmp - <(seq 20000) 2>&1)" ""
	done
	wait_for 5 sessions_are 0
	stop_calmd
}

@test "no byte is lost at logout" {
	talk <<-'END'
		want = "".join(f"{n}\r\n" for n in range(1, 100001)).encode()
		for _ in range(3):
		    client = connect()
		    client.type("seq 1 100000; exit\r")
		    client.read_until(rb"exit\r\n")
		    assert client.read_all(timeout=30) == want
		    assert client.ended and not client.reset
		    client.close()
		# One who reads slowly.
		client = connect(receive_buffer=4096)
		client.type("seq 1 100000; exit\r")
		client.read_until(rb"exit\r\n")
		wait_until(lambda: any(row["snd_queue"] > 0 for row in ctl("list")), what="a full queue")
		assert client.read_all(timeout=30) == want
	END
}

@test "telnet commands between data bytes, cut anywhere, are taken out" {
	talk <<-'END'
		client = connect()
		text = (b"echo a" + command(NOP) + b"b" + command(DO, 200) + b"c"
		        + subnegotiation(200, b"junk \xff\xf1 more") + b"d" + command(249) + b"\xff\xff\r")
		for byte in text:                                # a segment each
		    client.send(bytes((byte,)))
		client.read_until(rb"\nabcd\xff\r\n# $")
	END
}
