#!/usr/bin/env bats
# Inputs that have broken other telnet daemons: each is answered within bounds and the daemon lives on.
# They are sent whole and one byte a segment, over IPv4 and IPv6. Needs root.

load lib

# attacked <SCRIPT: SCRIPT gives `attacks`, a list of (name, bytes to send). Each goes to a connection
# of its own; then a second client and, where the connection is still there, the first one work.
attacked() {
	local script=$BATS_TEST_TMPDIR/attack
	{
		cat <<-'END'
			from concurrent.futures import ThreadPoolExecutor
			from telnet import *
			def IAC_SB(body):
			    return b"\xff\xfa" + body + b"\xff\xf0"
			def works(address):
			    with Telnet(address, PORT, timeout=15) as client:
			        client.read_until(rb"# $")
			        assert client.run("echo works") == "works\n"
			def attack(address, name, data, whole):
			    client = Telnet(address, PORT, timeout=30, quiet=True)
			    try:
			        client.send(data) if whole else [client.send(bytes((byte,))) for byte in data]
			        # It has no terminal type and no window, so that calmd waits for none.
			        client.send(command(WONT, TTYPE) + command(WONT, NAWS))
			        client.type("\x15\r\x15echo ali've'\r")
			        got = client.read_until(rb"alive\r\n")
			    except ConnectionError:
			        return                            # it may be thrown out
			    finally:
			        client.close()
			    # Nothing of a subnegotiation has become input, and what came back is bounded.
			    assert b"SUBNEG" not in got and b"not found" not in got, (name, got[:2000])
			    answered = len(got) + 10 * len(client.commands)
			    assert answered < 4096 + 10 * len(data), (name, answered)
		END
		cat
		cat <<-'END'
			with ThreadPoolExecutor(80) as pool:
			    for done in [pool.submit(attack, address, name, data, whole)
			                 for address in (SERVER4, SERVER6) for name, data in attacks
			                 for whole in (True, False) if whole or len(data) <= 600]:
			        done.result()
			for address in (SERVER4, SERVER6):
			    works(address)
		END
	} >"$script"
	start_calmd
	run_peer <"$script"
	stop_calmd
}

@test "EC and EL as the very first bytes (CVE-2022-39028)" {
	attacked <<-'END'
		attacks = [("EC", b"\xff\xf7"), ("EL", b"\xff\xf8"), ("all", bytes(
		    byte for code in range(241, 250) for byte in (255, code)))]
	END
}

@test "SLC triplets without end (CVE-2026-32746)" {
	attacked <<-'END'
		attacks = [(f"{n} triplets", IAC_SB(b"\x22\x03" + b"\x50\x01\x41" * n))
		           for n in (34, 35, 60, 165, 2000)]
		attacks += [(f"{n} of 255", IAC_SB(b"\x22\x03" + b"\xff\xff\x01\xff\xff" * n))
		            for n in (34, 165, 2000)]
		attacks += [("LINEMODE on", b"\xff\xfb\x22" + attacks[4][1])]
	END
}

@test "a user's name as an option of login (CVE-2026-24061, CVE-2007-0882, CVE-2007-0956)" {
	attacked <<-'END'
		names = (b"-f root", b"-froot", b"-p", b"-h x", b"a b", b"-e", b"a\nb", b"`id`", b"%n%s%x")
		attacks = [(name, b"\xff\xfb\x27" + IAC_SB(b"\x27\x00" + kind + b"USER\x01" + name))
		           for name in names for kind in (b"\x00", b"\x03")]
	END
}

@test "variables for the session (CVE-2026-28372, CVE-1999-0073, CVE-2009-0641) do not reach it" {
	start_calmd
	run_peer <<-'END'
		from telnet import *
		names = ("LD_PRELOAD", "LD_LIBRARY_PATH", "GCONV_PATH", "LANGUAGE", "OUTPUT_CHARSET", "IFS", "ENV",
		         "BASH_ENV", "PATH", "TERMCAP", "TTYPROMPT", "CREDENTIALS_DIRECTORY", "USER")
		for kind in (b"\x00", b"\x03"):
		    client = Telnet(SERVER4, PORT)
		    client.send(command(WILL, 39))
		    for name in names:
		        client.send(b"\xff\xfa\x27\x00" + kind + name.encode() + b"\x01/tmp\xff\xf0")
		    client.read_until(rb"# $")
		    variables = client.run("tr '\\0' '\\n' </proc/$$/environ").splitlines()
		    assert [v.split("=")[0] for v in variables] == ["TERM"], variables
	END
	stop_calmd
}

@test "AYT 20,000 times from a client that does not read (CVE-2001-0554)" {
	start_calmd
	run_peer <<-'END'
		from telnet import *
		def memory():
		    pids = [line.split()[0] for line in os.popen(
		        os.environ["E2E"] + "/watch.py list $(cat $CALMD_DIR/watcher)") if "calmd" in line]
		    return sum(int(line.split()[1]) for pid in pids for line in open(f"/proc/{pid}/status")
		               if line.startswith("RssAnon"))
		client = Telnet(SERVER4, PORT, receive_buffer=4096, quiet=True)
		client.read_until(rb"# $")
		before = memory()
		client.socket.settimeout(3)
		try:
		    client.send(command(AYT) * 20000)
		except TimeoutError:
		    pass                                         # it may be held back
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
		print(f"{got.count(b'[calmd: yes]')} answers to 20000 AYT")
	END
	stop_calmd
}

@test "a full output, AO, urgent data and cut-off sequences (CVE-2020-10188)" {
	start_calmd
	run_peer <<-'END'
		from telnet import *
		for address in (SERVER4, SERVER6):
		    for end in (b"\xff", b"\xff\xfa", b"\xff\xfa\x18", b"\xff\xfa\x18\xff", b"\xff\xfd"):
		        client = Telnet(address, PORT, receive_buffer=4096, quiet=True)
		        client.read_until(rb"# $")
		        client.send(b"\xff\xfd\x06" * 5000 + b"\xff\xf5" + b"\xff")
		        client.socket.send(b"\xf2", socket.MSG_OOB)
		        client.send(end)
		        client.socket.shutdown(socket.SHUT_WR)
		        client.read_all(timeout=20)              # an end of one kind or another
		        client.close()
		    client = Telnet(address, PORT)
		    client.read_until(rb"# $")
		    assert client.run("echo works") == "works\n"
	END
	stop_calmd
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
		    ("short NAWS", IAC_SB(b"\x1f") + IAC_SB(b"\x1f\x00") + IAC_SB(b"\x1f\x00\x50\x00")),
		    ("NAWS of 255s", b"\xff\xfb\x1f" + IAC_SB(b"\x1f" + b"\xff\xff" * 4)),
		    ("3000 variables", IAC_SB(b"\x27\x00" + b"\x03SUBNEG\x01x" * 3000)),
		    ("a trailing ESC", IAC_SB(b"\x27\x00\x03A\x01x\x02")),
		    ("terminal type 600", b"\xff\xfb\x18" + IAC_SB(b"\x18\x00" + b"S" * 600)),
		    ("SB in SB", b"\xff\xfa\x18\xff\xfa\x1f" + b"SUBNEG" * 10 + b"\xff\xf0"),
		    ("empty", IAC_SB(b"")),
		    ("every option", b"".join(IAC_SB(bytes((n,)) + b"SUBNEG") for n in range(255))),
		]
	END
}

@test "a subnegotiation of 1 MB without end, and a client that then leaves" {
	start_calmd
	run_peer <<-'END'
		from telnet import *
		for address in (SERVER4, SERVER6):
		    client = Telnet(address, PORT, quiet=True)
		    client.send(b"\xff\xfa\x18\x00" + b"SUBNEG\r\n" * 131072)
		    client.socket.shutdown(socket.SHUT_WR)
		    got = client.read_all(timeout=20)
		    assert b"SUBNEG" not in got and not client.reset
		    client = Telnet(address, PORT)
		    client.read_until(rb"# $")
		    assert client.run("echo works") == "works\n"
	END
	wait_for 10 sessions_are 0
	stop_calmd
}

@test "floods of NULs and of IAC IAC" {
	attacked <<-'END'
		attacks = [("NULs", bytes(100000)), ("few NULs", bytes(500)),
		           ("every command, 500 times", bytes(b for n in range(236, 254) if n not in (237, 238, 244, 250, 251, 252, 253)
		                                              for b in (255, n)) * 500)]
	END
}

@test "a name followed by 100 times A=B at login's prompt (CVE-2001-0797)" {
	start_calmd -o 'login={"login", "-p", "-h", "%h"}'
	run_peer <<-'END'
		from telnet import *
		for address in (SERVER4, SERVER6):
		    client = Telnet(address, PORT, timeout=20)
		    client.read_until(rb"login: ")
		    client.type("nobody" + " A=B" * 100 + "\r")
		    client.read_until(rb"[Pp]assword: |login: |incorrect")
		    client.close()
		    client = Telnet(address, PORT, timeout=20)
		    client.read_until(rb"login: ")
	END
	stop_calmd
}
