#!/usr/bin/env bats
# Inputs that have broken other telnet daemons: each is answered within bounds and the daemon lives on.
# They are sent whole and one byte a segment, over IPv4 and IPv6, many at once; what is longer than
# 1,600 bytes is sent by single bytes with CALMD_LONG alone. Needs root.

load lib

EXPECTED_LOG='worker [0-9]+ was ended by signal 9'

# One daemon for all. Its login says what it was started with: a user's name that was accepted, and TERM.
setup_file() {
	make_network
	start_calmd -o 'max-connections=400' -o 'login-timeout=0' \
		-o 'login={"/bin/sh", "-c", "echo \"<$*|$TERM|$DISPLAY>\"; exec /bin/sh", "sh", "%u"}'
}

teardown() {
	show_failure
}

# attacked <SCRIPT: SCRIPT gives `attacks`, a list of (name, bytes to send), or (name, bytes, what login says).
# Each goes to connections of its own; then others, and where they are still there those themselves, work.
attacked() {
	local script=$BATS_TEST_TMPDIR/attack
	{
		cat <<-'END'
			import os
			from concurrent.futures import ThreadPoolExecutor
			from telnet import *
			long = "CALMD_LONG" in os.environ
			bytewise = 1 << 21 if long else 1600
			def IAC_SB(body):
			    return b"\xff\xfa" + body + b"\xff\xf0"
			def will(option):
			    return command(WILL, option)
			def works(address):
			    with Telnet(address, PORT, timeout=20) as client:
			        client.read_until(rb"# $")
			        assert client.run("echo works") == "works\n"
			def attack(address, whole, name, data, said=None):
			    client = Telnet(address, PORT, timeout=600 if long else 40, quiet=True)
			    try:
			        client.send(data) if whole else [client.send(bytes((byte,))) for byte in data]
			        # It has nothing else to tell, so that calmd does not wait for that.
			        client.send(b"".join(command(WONT, option)
			                             for option in (TTYPE, NAWS, TSPEED, XDISPLOC, NEW_ENVIRON)))
			        client.type("\x15\r\x15echo ali've'\r")
			        got = client.read_until(rb"alive\r\n")
			    except ConnectionError:
			        assert said is None                   # it may be thrown out
			        return
			    finally:
			        client.close()
			    # Nothing of a subnegotiation has become input, and what came back is bounded.
			    assert b"SUBNEG" not in got and b"not found" not in got, (name, got[:2000])
			    answered = len(got) + 10 * len(client.commands)
			    assert answered < 4096 + 10 * len(data), (name, answered)
			    assert said is None or said in got, (name, got[:200], said)
		END
		cat
		cat <<-'END'
			with ThreadPoolExecutor(80) as pool:
			    for done in [pool.submit(attack, address, whole, *one)
			                 for address in (SERVER4, SERVER6) for one in attacks
			                 for whole in (True, False) if whole or len(one[1]) <= bytewise]:
			        done.result()
			for address in (SERVER4, SERVER6):
			    works(address)
		END
	} >"$script"
	run_peer <"$script"
}

@test "EC and EL as the very first bytes (CVE-2022-39028)" {
	attacked <<-'END'
		attacks = [("EC", b"\xff\xf7"), ("EL", b"\xff\xf8"), ("all", bytes(
		    byte for code in range(241, 250) for byte in (255, code)))]
		attacks += [(name + " in LINEMODE", will(LINEMODE) + data) for name, data in attacks]
	END
}

@test "SLC triplets without end (CVE-2026-32746)" {
	attacked <<-'END'
		attacks = [(f"{n} triplets", IAC_SB(b"\x22\x03" + b"\x50\x01\x41" * n))
		           for n in (34, 35, 60, 165, 2000)]
		attacks += [(f"{n} of 255", IAC_SB(b"\x22\x03" + b"\xff\xff\x01\xff\xff" * n))
		            for n in (34, 165, 2000)]
		attacks += [(f"{n} of one that there is", IAC_SB(b"\x22\x03" + b"\x03\x02\x41\x03\x02\x42" * n))
		            for n in (34, 165)]
		attacks += [(name + ", LINEMODE on", will(LINEMODE) + data) for name, data in attacks]
	END
}

@test "a user's name as an option of login (CVE-2026-24061, CVE-2007-0882, CVE-2007-0956)" {
	attacked <<-'END'
		names = (b"-f root", b"-froot", b"-p", b"-h x", b"a b", b"-e", b"-e id", b"a\nb", b"a\x02\x00b", b"`id`",
		         b"$(id)", b"x" * 33, b"%n%s%x")
		attacks = [(name, will(NEW_ENVIRON) + IAC_SB(b"\x27\x00" + kind + b"USER\x01" + name), b"<|dumb|>\r\n")
		           for name in names for kind in (b"\x00", b"\x03")]
		attacks += [("a name", will(NEW_ENVIRON) + IAC_SB(b"\x27\x00\x00USER\x01guest"), b"<-- guest|dumb|>\r\n")]
	END
}

@test "formats (CVE-2004-0998), paths, options and too much as terminal type and display" {
	attacked <<-'END'
		odd = (b"%n%s%x", b"../../../etc/passwd", b"-f root", b"S" * 600, b"", b"a\0b", b"a\nb", b"\xff\xff\xfe")
		attacks = [(name, will(TTYPE) + IAC_SB(b"\x18\x00" + name), b"<|dumb|>\r\n") for name in odd]
		attacks += [(name, will(XDISPLOC) + IAC_SB(b"\x23\x00" + name), b"<|dumb|>\r\n") for name in odd if b"/" not in name]
		attacks += [(name, will(NEW_ENVIRON) + IAC_SB(b"\x27\x00\x03DISPLAY\x01" + name), b"<|dumb|>\r\n")
		            for name in odd if b"/" not in name and b"\0" not in name]
		attacks += [("good ones", will(TTYPE) + IAC_SB(b"\x18\x00VT100") + will(XDISPLOC) + IAC_SB(b"\x23\x00a:0"),
		             b"<|vt100|a:0>\r\n")]
	END
}

@test "variables for the session (CVE-2026-28372, CVE-1999-0073, CVE-2009-0641) do not reach it" {
	run_peer <<-'END'
		from concurrent.futures import ThreadPoolExecutor
		from telnet import *
		names = ("LD_PRELOAD", "LD_LIBRARY_PATH", "GCONV_PATH", "LANGUAGE", "OUTPUT_CHARSET", "IFS", "ENV",
		         "BASH_ENV", "PATH", "TERMCAP", "TTYPROMPT", "CREDENTIALS_DIRECTORY")
		def offer(address, kind, whole):
		    client = Telnet(address, PORT, timeout=20)
		    client.offer.add(NEW_ENVIRON)
		    client.wait_command(SB, NEW_ENVIRON, b"\x01", timeout=20)
		    data = subnegotiation(NEW_ENVIRON, b"\0" + b"".join(kind + name.encode() + b"\x01/tmp" for name in names))
		    client.send(data) if whole else [client.send(bytes((byte,))) for byte in data]
		    client.read_until(rb"# $")
		    # of the process itself, before the shell has added what shells do
		    variables = client.run("tr '\\0' '\\n' </proc/$$/environ").splitlines()
		    assert [v.split("=")[0] for v in variables if v[:4] != "PWD="] == ["TERM"], variables
		    path = client.run("echo $PATH; echo \"$IFS\" | od -An -c")
		    assert "/tmp" not in path and "\\t" in path, path
		    client.close()
		with ThreadPoolExecutor(8) as pool:
		    for done in [pool.submit(offer, address, kind, whole) for address in (SERVER4, SERVER6)
		                 for kind in (b"\x00", b"\x03") for whole in (True, False)]:
		        done.result()
	END
}

@test "AYT 20,000 times from a client that does not read (CVE-2001-0554)" {
	run_peer <<-'END'
		from telnet import *
		def memory():
		    pids = [line.split()[0] for line in os.popen(
		        os.environ["E2E"] + "/watch.py list $(cat $CALMD_DIR/watcher)") if "calmd" in line]
		    return sum(int(line.split()[1]) for pid in pids for line in open(f"/proc/{pid}/status")
		               if line.startswith("RssAnon"))
		def flood(address, whole):
		    client = Telnet(address, PORT, receive_buffer=4096, quiet=True)
		    client.read_until(rb"# $")
		    before = memory()
		    client.socket.settimeout(3)
		    try:
		        if whole:
		            client.send(command(AYT) * 20000)
		        else:
		            times = 20000 if "CALMD_LONG" in os.environ else 500
		            [client.send(bytes((byte,))) for byte in command(AYT) * times]
		    except TimeoutError:
		        pass                                     # it may be held back
		    assert memory() - before < 2048, (before, memory())
		    got = b""
		    client.timeout = 2
		    try:
		        while client.fill():
		            pass
		    except TimeoutError:
		        got = client.data
		    assert 1 <= got.count(b"[calmd: yes]") <= 20000
		    client.timeout = 10
		    client.data = b""
		    assert client.run("echo works") == "works\n"
		    client.close()
		    print(f"{got.count(b'[calmd: yes]')} answers")
		for address in (SERVER4, SERVER6):
		    for whole in (True, False):
		        flood(address, whole)
	END
}

@test "a full output, AO, urgent data and cut-off sequences (CVE-2020-10188)" {
	run_peer <<-'END'
		from concurrent.futures import ThreadPoolExecutor
		from telnet import *
		def attack(address, end, whole):
		    client = Telnet(address, PORT, receive_buffer=4096, quiet=True, timeout=20)
		    client.read_until(rb"# $")
		    data = b"\xff\xfd\x06" * (5000 if whole else 300) + b"\xff\xf5" + b"\xff"
		    client.send(data) if whole else [client.send(bytes((byte,))) for byte in data]
		    client.socket.send(b"\xf2", socket.MSG_OOB)
		    client.send(end)
		    client.socket.shutdown(socket.SHUT_WR)
		    client.read_all(timeout=30)                  # an end of one kind or another
		    client.close()
		with ThreadPoolExecutor(10) as pool:
		    for done in [pool.submit(attack, address, end, whole) for address in (SERVER4, SERVER6)
		                 for end in (b"\xff", b"\xff\xfa", b"\xff\xfa\x18", b"\xff\xfa\x18\xff", b"\xff\xfd")
		                 for whole in (True, False)]:
		        done.result()
		for address in (SERVER4, SERVER6):
		    client = Telnet(address, PORT)
		    client.read_until(rb"# $")
		    assert client.run("echo works") == "works\n"
	END
}

@test "ENCRYPT (CVE-2011-4862) is refused, and what follows discarded" {
	attacked <<-'END'
		attacks = [(f"{verb} {kind} {size}", b"\xff" + verb + b"\x26" + IAC_SB(b"\x26" + kind + b"S" * size))
		           for verb in (b"\xfb", b"\xfd") for kind in (b"\x07", b"\x08") for size in (65, 200)]
	END
}

@test "subnegotiations without end, short, long, doubled, and many variables" {
	attacked <<-'END'
		attacks = [
		    ("1 MB and an end", IAC_SB(b"\x18\x00" + b"SUBNEG\r\n" * 131072)),
		    ("short NAWS", will(NAWS) + IAC_SB(b"\x1f") + IAC_SB(b"\x1f\x00") + IAC_SB(b"\x1f\x00\x50\x00")),
		    ("NAWS of 255s", will(NAWS) + IAC_SB(b"\x1f" + b"\xff\xff" * 4)),
		    ("3000 variables at once", will(NEW_ENVIRON) + IAC_SB(b"\x27\x00" + b"\x03SUBNEG\x01x" * 3000)),
		    ("3000 variables one by one", will(NEW_ENVIRON) + b"".join(
		        IAC_SB(b"\x27\x02\x03SUBNEG%d\x01x" % n) for n in range(3000))),
		    ("a trailing ESC", will(NEW_ENVIRON) + IAC_SB(b"\x27\x00\x03A\x01x\x02") + IAC_SB(b"\x27\x00\x03\x02")),
		    ("SB in SB", b"\xff\xfa\x18\xff\xfa\x1f" + b"SUBNEG" * 10 + b"\xff\xf0"),
		    ("empty", IAC_SB(b"")),
		    ("every option", b"".join(IAC_SB(bytes((n,)) + b"SUBNEG") for n in range(255))),
		    ("every option, all of them on", b"".join(will(n) + command(DO, n) for n in range(256) if n != LOGOUT)
		        + b"".join(IAC_SB(bytes((n, k)) + b"\x80SUBNEG") for n in range(255) for k in (0, 1, 2, 3, 253))),
		    ("speeds", will(TSPEED) + b"".join(IAC_SB(b"\x20\x00" + s) for s in (b"", b"-1,-1", b"9" * 40 + b",9", b",")))]
	END
}

@test "a subnegotiation of 1 MB without end, and a client that then leaves" {
	run_peer <<-'END'
		from telnet import *
		long = "CALMD_LONG" in os.environ
		for address, whole in [(address, whole) for address in (SERVER4, SERVER6)
		                       for whole in ((True, False) if long else (True,))]:
		    client = Telnet(address, PORT, quiet=True)
		    data = b"\xff\xfa\x18\x00" + b"SUBNEG\r\n" * 131072
		    client.send(data) if whole else [client.send(bytes((byte,))) for byte in data]
		    client.socket.shutdown(socket.SHUT_WR)
		    got = client.read_all(timeout=20)
		    assert b"SUBNEG" not in got and not client.reset
		    client = Telnet(address, PORT)
		    client.read_until(rb"# $")
		    assert client.run("echo works") == "works\n"
	END
	wait_for 10 sessions_are 0
}

@test "floods of NULs and of IAC IAC; all options, again and again" {
	attacked <<-'END'
		everything = b"".join(command(verb, n) for n in range(256) if n != LOGOUT for verb in (WILL, DO))
		attacks = [("NULs", bytes(100000)), ("few NULs", bytes(500)), ("IAC IAC", b"\xff\xff" * 50000),
		           ("every command, 500 times", bytes(b for n in range(236, 254) if n not in (237, 238, 244, 250, 251, 252, 253)
		                                              for b in (255, n)) * 500),
		           ("every option, 20 rounds", everything * 20), ("every option", everything)]
	END
}

@test "who is thrown out, or whose worker dies, sees an end (CVE-2021-38387)" {
	run_peer <<-'END'
		from telnet import *
		for address in (SERVER4, SERVER6):
		    for end in (command(DO, LOGOUT), b"exit\r"):
		        client = Telnet(address, PORT)
		        client.read_until(rb"# $")
		        client.send(end)
		        client.read_all(timeout=15)
		        assert client.ended
		    client = Telnet(address, PORT)
		    client.read_until(rb"# $")
		    own = max(row["id"] for row in ctl("list") if row["state"] == "ESTABLISHED")
		    for line in os.popen(os.environ["E2E"] + "/watch.py list $(cat $CALMD_DIR/watcher)"):
		        if line.rstrip().endswith(f"calmd-worker: connection {own}"):
		            os.kill(int(line.split()[0]), 9)
		    client.read_all(timeout=15)
		    assert client.ended
	END
}

@test "a name followed by 100 times A=B at login's prompt (CVE-2001-0797)" {
	stop_calmd
	start_calmd -o 'login={"login", "-p", "-h", "%h"}'
	run_peer <<-'END'
		from concurrent.futures import ThreadPoolExecutor
		from telnet import *
		def attack(address, whole):
		    client = Telnet(address, PORT, timeout=30)
		    client.read_until(rb"login: ")
		    data = b"nobody" + b" A=B" * 100 + b"\r"
		    client.send(data) if whole else [client.send(bytes((byte,))) for byte in data]
		    client.read_until(rb"[Pp]assword: |login: |incorrect")
		    client.close()
		    client = Telnet(address, PORT, timeout=30)
		    client.read_until(rb"login: ")
		with ThreadPoolExecutor(4) as pool:
		    for done in [pool.submit(attack, address, whole) for address in (SERVER4, SERVER6)
		                 for whole in (True, False)]:
		        done.result()
	END
	stop_calmd
}
