#!/usr/bin/env bats
# The PROXY protocol: clients that come by way of HAProxy, and those who only say so. Needs root
# and haproxy.

load lib

EXPECTED_LOG='master [0-9]+ was ended by signal 9'

# The balancer is the client's host, as CLIENT4 and CLIENT6; the clients are there, too.
setup_file() {
	make_network
	add_clients
}

teardown() {
	show_failure
	stop_all_background
	remove_calmd
}

# proxied_calmd [OPTION]...: port 2323 is for proxies, of which the client's host is one, 23 for everybody.
proxied_calmd() {
	start_calmd -o "proxy-from={\"$CLIENT4\", \"$CLIENT6\"}" \
		-o "listen={\"$SERVER4:2323 proxy\", \"[$SERVER6]:2323 proxy\", \"$SERVER4:23\"}" \
		-o 'login={"/bin/sh", "-c", "echo you come from $0; exec /bin/sh", "%h"}' "$@"
}

# One frontend for each version and family; the name of a server says which.
start_haproxy() {
	cat >"$BATS_FILE_TMPDIR/haproxy.cfg" <<-END
		global
		    stats socket $BATS_FILE_TMPDIR/haproxy.sock
		    maxconn 100
		    nbthread 1
		defaults
		    mode tcp
		    timeout connect 5s
		    timeout client 60s
		    timeout server 60s
		    default-server check inter 200ms
		listen v1
		    bind 10.78.0.1:4001
		    bind fd78::1:4001
		    server v1 $SERVER4:2323 send-proxy
		listen v2
		    bind 10.78.0.1:4002
		    bind fd78::1:4002
		    server v2 $SERVER4:2323 send-proxy-v2
		listen v1-6
		    bind 10.78.0.1:4003
		    bind fd78::1:4003
		    server v1-6 [$SERVER6]:2323 send-proxy
		listen v2-6
		    bind 10.78.0.1:4004
		    bind fd78::1:4004
		    server v2-6 [$SERVER6]:2323 send-proxy-v2-ssl-cn
	END
	start_background haproxy in_client haproxy -db -f "$BATS_FILE_TMPDIR/haproxy.cfg"
	wait_for 10 test -S "$BATS_FILE_TMPDIR/haproxy.sock"
}

# The prelude of every script here.
with_proxy() {
	{
		cat <<-'END'
			import os, socket, struct
			from telnet import *
			def raw(source=None, target=SERVER4, port=2323, timeout=10):
			    return socket.create_connection((target, port), timeout, source and (source, 0))
			def v1(client, port=5555):
			    family = "TCP6" if ":" in client else "TCP4"
			    return f"PROXY {family} {client} {client} {port} 23\r\n".encode()
			V2 = b"\r\n\r\n\0\r\nQUIT\n"
			def v2(client, port=5555, tlv=b""):
			    family = socket.AF_INET6 if ":" in client else socket.AF_INET
			    body = 2 * socket.inet_pton(family, client) + struct.pack("!HH", port, 23) + tlv
			    return V2 + (b"\x21\x21" if ":" in client else b"\x21\x11") + struct.pack("!H", len(body)) + body
			def outcome(*pieces, close=False, source=None, target=SERVER4, timeout=10):
			    """What a peer that sends these has: text, or "reset"."""
			    try:
			        with raw(source, target, timeout=timeout) as connection:
			            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
			            for piece in pieces:
			                connection.sendall(piece)
			            if close:
			                connection.shutdown(socket.SHUT_WR)
			            client = Telnet(None, None, connection=connection)
			            return client.read_until(rb"you come from .*\n").decode().split()[-1]
			    except ConnectionError:
			        return "reset"
			    except AssertionError:
			        if client.reset:
			            return "reset"
			        raise
			def log_has(text):
			    def there():
			        with open(os.environ["CALMD_DIR"] + "/log", encoding="utf-8", errors="replace") as log:
			            return text in log.read()
			    return wait_until(there, what=text)
			def source(address):
			    return next((row for row in ctl("list", "--sources") if row["address"] == address), None)
		END
		cat
	} >"$BATS_TEST_TMPDIR/script"
	run_peer <"$BATS_TEST_TMPDIR/script"
}

@test "clients of HAProxy are themselves, by both versions and families, and its health checks work" {
	command -v haproxy >/dev/null || skip 'haproxy is not installed'
	proxied_calmd
	start_haproxy
	HAPROXY=$BATS_FILE_TMPDIR/haproxy.sock with_proxy <<-'END'
		def haproxy(text):
		    with socket.socket(socket.AF_UNIX) as control:
		        control.connect(os.environ["HAPROXY"])
		        control.sendall(text.encode() + b"\n")
		        return b"".join(iter(lambda: control.recv(65536), b"")).decode()
		def servers():
		    rows = [line.split(",") for line in haproxy("show stat").splitlines() if line]
		    return {row[1]: row[17] for row in rows[1:] if row[1] not in ("FRONTEND", "BACKEND")}
		wait_until(lambda: set(servers().values()) == {"UP"}, 10, "health checks")
		clients = []
		for port in 4001, 4002, 4003, 4004:
		    for address, front in (("10.78.0.2", "10.78.0.1"), ("fd78::2", "fd78::1")):
		        connection = raw(address, front, port)
		        client = Telnet(None, None, connection=connection)
		        assert client.read_until(rb"you come from .*\n").decode().split()[-1] == address
		        client.read_until(rb"# $")
		        name = "{}:{}".format(f"[{address}]" if ":" in address else address, connection.getsockname()[1])
		        row = next(row for row in ctl("list") if row["peer"] == name)
		        proxy = ctl("show", row["id"])["proxy"]
		        assert proxy.startswith("10.76.0.2:" if port < 4003 else "[fd76::2]:"), proxy
		        assert log_has(f"{name} to {row['local']} established, by way of {proxy}")
		        assert client.run("echo through") == "through\n"
		        clients.append(client)
		assert source("10.78.0.2")["connections"] == source("fd78::/64")["connections"] == 4
		checks = ctl("stats")["tcpPassiveOpens"]
		wait_until(lambda: ctl("stats")["tcpPassiveOpens"] > checks + 8, what="more checks")
		assert set(servers().values()) == {"UP"}
		assert (source(CLIENT4) or {"per_minute": 0})["per_minute"] == 0    # checks are nobody's connections
		for client in clients:
		    client.type("exit\r")
		    client.read_all()
	END
	run ! grep -E 'refused|bad|None' <(grep -v 'established\|ended' "$CALMD_DIR/log")
	stop_background haproxy
	stop_calmd
}

@test "a header is read however it comes, and what is behind it is kept" {
	proxied_calmd
	with_proxy <<-'END'
		for target in SERVER4, SERVER6:
		    for header in v1("10.78.0.9"), v2("10.78.0.9"), v2("10.78.0.9", tlv=b"\4\0\x64" + 100 * b"\0"):
		        assert outcome(header, target=target) == "10.78.0.9"
		for header in v1("fd78::9"), v2("fd78::9"):
		    assert outcome(*(bytes([byte]) for byte in header)) == "fd78::9"
		assert outcome(v1("::ffff:10.78.0.9")) == "10.78.0.9"
		assert outcome(v2("10.78.0.9", tlv=b"\4\x0e\0" + 3500 * b"\0")) == "10.78.0.9"
		with raw() as connection:                          # typed ahead, and FIN
		    connection.sendall(v2("10.78.0.9") + b"echo $((6*7))\r\nexit\r\n")
		    connection.shutdown(socket.SHUT_WR)
		    client = Telnet(None, None, quiet=True, connection=connection)
		    assert b"42\r\n# " in client.read_all()
		# Whom the proxy does not know, or itself.
		assert outcome(b"PROXY UNKNOWN\r\n") == CLIENT4
		assert outcome(V2 + b"\x20\0\0\0", target=SERVER6) == CLIENT6
		# Another master reads on.
		with raw() as connection:
		    header = v1("10.78.0.8")
		    connection.sendall(header[:20])
		    wait_until(lambda: [row for row in ctl("list") if row["rcv_queue"] == 20], what="half a header")
		    master = ctl("status")["master_pid"]
		    os.kill(master, 9)
		    connection.sendall(header[20:])
		    client = Telnet(None, None, connection=connection)
		    assert client.read_until(rb"you come from .*\n").endswith(b"10.78.0.8\r\n")
		assert Telnet(SERVER4, 23).read_until(rb"you come from .*\n").endswith(CLIENT4.encode() + b"\r\n")
	END
	stop_calmd
}

@test "without a good header of a proxy nobody gets anything" {
	proxied_calmd -o connections-per-minute-per-source=2 -o ban-after=3
	with_proxy <<-'END'
		good = v1("10.78.0.9")
		# A stranger, even with a header.
		for address, target in (("10.78.0.1", SERVER4), ("fd78::1", SERVER6)):
		    try:
		        raw(address, target)
		        raise SystemExit("a stranger was let in")
		    except ConnectionRefusedError:
		        pass
		assert log_has("is refused: not in proxy-from")
		silent = raw(timeout=15)
		assert outcome(good[:-1], close=True) == "reset" and log_has("is refused: its PROXY header has no end")
		bad = {
		    "it does not begin with a PROXY header": b"\xff\xfd\x03hello",
		    "the PROXY header names a family that is not TCP4 or TCP6": good.replace(b"TCP4", b"UDP4"),
		    "an address in the PROXY header is none of its family": good.replace(b"TCP4", b"TCP6"),
		    "a port in the PROXY header is none": good.replace(b"5555", b"55555555"),
		    "the PROXY header is too long": b"PROXY UNKNOWN " + b"x" * 200,
		    "the PROXY header does not end with CR and LF": good.replace(b"\r", b""),
		    "the client in the PROXY header is none": v2("0.0.0.0"),
		    "the PROXY header is of an unknown version": V2 + b"\x31\x11\0\x0c" + 12 * b"x",
		    "the PROXY header has an unknown command": V2 + b"\x22\x11\0\x0c" + 12 * b"x",
		    "the PROXY header is of a family that is not TCP over IPv4 or IPv6": V2 + b"\x21\x31\0\xd8" + 216 * b"x",
		    "the PROXY header is too short for its addresses": V2 + b"\x21\x21\0\x0c" + 12 * b"x",
		}
		for why, header in bad.items():
		    assert outcome(header) == "reset", why
		    assert log_has(f"is refused: {why}")
		for why, header in bad.items():                    # what is too much for the log is left out
		    assert outcome(*(bytes([byte]) for byte in header)) == "reset", why
		assert outcome(V2 + b"\x21\x11\xff\xff" + 1000 * b"x") == "reset"
		for cut in good[:-1], v2("10.78.0.9")[:-1], V2[:5], b"":
		    assert outcome(cut, close=True) == "reset", cut
		try:
		    silent.recv(1)
		    raise SystemExit("who says nothing is waited for for ever")
		except ConnectionResetError:
		    assert log_has("is refused: no PROXY header came in time")

		# The client's limits, and its ban, by whichever header it comes; the proxy is not to blame.
		assert outcome(v1("10.78.0.3")) == outcome(v2("10.78.0.3")) == "10.78.0.3"
		for _ in range(10):
		    if source("10.78.0.3")["banned"]:
		        break
		    assert outcome(v2("10.78.0.3")) == "reset"
		assert source("10.78.0.3")["banned"]
		assert log_has("10.78.0.3 is banned for")
		assert outcome(v1("10.78.0.3")) == "reset" and log_has("10.78.0.3:5555 is refused: its source is banned")
		ctl("ban", "fd78::/32")
		assert outcome(v1("fd78::9")) == "reset"
		assert outcome(v1("10.78.0.4")) == "10.78.0.4"
		assert source(CLIENT4) is None
		assert ctl("status")["workers"]["idle"] > 0
	END
	stop_calmd
}
