#!/usr/bin/env bats
# What does not come from an honest peer: forged ICMP, malformed packets, other programs' packets.
# None of it changes anything but a counter. Needs root.

load lib

teardown() {
	show_failure
	remove_calmd
	stop_all_background
}

# route_to ADDRESS: what the server's kernel knows about the way to ADDRESS, path MTU and all.
route_to() {
	ip -n "$SERVER_NS" route get "$1" | sed 's/ uid [0-9]*//; s/ expires [0-9a-z]*//'
}

@test "a forged ICMP too-big leaves the host's own route MTU unchanged" {
	start_calmd
	for pair in "$CLIENT4 $SERVER4" "$CLIENT6 $SERVER6"; do
		read -r client server <<<"$pair"
		route=$(route_to "$client")
		assert_match route "$route" "$client"
		[[ $route != *mtu* ]]
		run_peer "$client" "$server" <<-'END'
			peer = Peer(sys.argv[1], sys.argv[2], 4000, PORT)
			peer.connect()
			peer.read_until(b"# ")
			before = ctl("stats")
			# Quotes what is long acknowledged; what nobody sent; and, from a "router", what is in flight.
			peer.send_too_big(600)
			peer.send_too_big(600, source=sys.argv[1].replace("76", "76", 1))
			old = peer.rcv_nxt
			peer.rcv_nxt = old + 1000000 & 0xffffffff
			peer.send_too_big(600)
			peer.rcv_nxt = old
			wait_until(lambda: ctl("stats")["icmpIgnored"] >= before["icmpIgnored"] + 3, what="3 ignored")
			assert show(peer)["send_mss"] == (1440 if peer.v6 else 1460)
			peer.send("PA", b"x")
			peer.expect("PA")                    # its echo, not acknowledged: in flight
			peer.send_too_big(1300)              # this one may be believed, by calmd alone
			peer.send("A")
			peer.abort()
		END
		assert_equal "route to $client" "$(route_to "$client")" "$route"
	done
	stop_calmd
}

@test "a router's too-big is believed at once, and no time-out is needed" {
	local far=calmd-$$-f
	add_namespace "$far"
	ip link add far0 netns "$CLIENT_NS" mtu 1300 type veth peer name far0 netns "$far" mtu 1500
	add_addresses "$CLIENT_NS" far0 10.78.0.1/24 fd78::1/64
	add_addresses "$far" far0 10.78.0.2/24 fd78::2/64
	ip -n "$far" route add default via 10.78.0.1
	ip -n "$far" route add default via fd78::1
	in_client sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
	start_calmd
	for server in "$SERVER4" "$SERVER6"; do
		run_peer_in "$far" "$server" <<-'END'
			from telnet import *
			with Telnet(sys.argv[1], PORT, timeout=60) as client:
			    client.read_until(rb"# $")
			    client.type("stty raw -echo; echo GO; head -c 300000 /dev/zero; echo; echo END\r")
			    client.read_until(rb"\0\nEND\n", timeout=60)
			    row = [row for row in ctl("list") if row["state"] == "ESTABLISHED"][0]
			    shown = ctl("show", row["id"])
			    assert shown["path_mtu"] == 1300, shown["path_mtu"]
			    assert shown["counters"]["timeouts"] == 0, shown["counters"]
			    client.type("exit\n")  # raw: no CR
			    client.read_all()
		END
	done
	assert_equal "black holes" "$(ctl_get pathMtuBlackHoles stats)" 0
	in_client sysctl -qw net.ipv4.ip_forward=0 net.ipv6.conf.all.forwarding=0
	ip netns del "$far"
	stop_calmd
}

@test "a forged ICMP too-big about data in flight makes the segments smaller, and the session goes on" {
	start_calmd
	run_peer <<-'END'
		for src, dst, mss in ((CLIENT4, SERVER4, 1260), (CLIENT6, SERVER6, 1240)):
		    peer = Peer(src, dst, 4001, PORT)
		    peer.connect()
		    peer.read_until(b"# ")
		    peer.send("PA", b"x")
		    echo = peer.expect("PA")
		    peer.rcv_nxt = echo.seq + 1 & 0xffffffff   # send_icmp quotes the octet before this one
		    peer.send_too_big(1300)
		    wait_until(lambda: show(peer)["send_mss"] == mss, what=f"send_mss {mss}")
		    peer.send("A")
		    peer.send("PA", b"\x15seq 3000\n")
		    peer.read_until(b"3000\r\n# ")
		    assert max(len(seg.data) for seg in peer.seen) == mss
		    peer.abort()
	END
	stop_calmd
}

@test "forged ICMP unreachables do not end a connection" {
	start_calmd
	run_peer <<-'END'
		for src, dst, kinds in ((CLIENT4, SERVER4, [(3, c) for c in range(4)] + [(11, 0), (12, 0)]),
		                        (CLIENT6, SERVER6, [(1, c) for c in range(5)] + [(3, 0), (4, 0)])):
		    peer = Peer(src, dst, 4002, PORT)
		    peer.connect()
		    peer.read_until(b"# ")
		    peer.send("PA", b"x")
		    peer.expect("PA")
		    for kind, code in kinds:
		        peer.send_icmp(kind, code)
		    peer.send("PA", b"\x15echo wo'r'ks\n")
		    peer.read_until(b"\nworks\r\n")
		    peer.abort()
	END
	stop_calmd
}

@test "another program's connection on the same port number at another address is not disturbed" {
	ip -n "$SERVER_NS" address add 10.76.0.9/24 dev eth0
	ip -n "$SERVER_NS" address add fd76::9/64 dev eth0 nodad
	for address in 10.76.0.9 fd76::9; do
		start_background "other-$address" in_server python3 -c '
import socket, sys
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
server = socket.create_server((sys.argv[1], int(sys.argv[2])), family=family)
clients = []
server.settimeout(60)
while True:
    client, _ = server.accept()
    clients.append(client)
    if client.recv(100) == b"first":
        continue
    for each in clients:
        each.sendall(b"answer")' "$address" "$PORT"
		wait_for 5 in_server sh -c "ss -Hltn 'src [$address]' | grep -q ."
	done
	start_background early in_client python3 -c '
import socket, sys, time, os
sockets = [socket.create_connection((a, int(sys.argv[1]))) for a in ("10.76.0.9", "fd76::9")]
for s in sockets:
    s.sendall(b"first")
print("connected", flush=True)
for s in sockets:
    s.settimeout(60)
    assert s.recv(100) == b"answer"
print("answered", flush=True)' "$PORT"
	wait_for 10 grep -q connected "$BATS_FILE_TMPDIR/early.out"
	start_calmd
	capture_start other server
	run_peer <<-'END'
		from telnet import *
		with Telnet(SERVER4, PORT) as client:
		    client.read_until(rb"# $")
		    for address in ("10.76.0.9", "fd76::9"):
		        late = socket.create_connection((address, PORT))
		        late.sendall(b"second")
		        late.settimeout(10)
		        assert late.recv(100) == b"answer"
		    assert client.run("echo me too") == "me too\n"
	END
	wait_for 10 grep -q answered "$BATS_FILE_TMPDIR/early.out"
	capture_stop other
	assert_equal "segments with RST from the other address" \
		"$(segments other --with R | grep -cE '(10\.76\.0\.9|fd76::9)\.[0-9]+ > ' || true)" 0
	[ "$(ctl_get inNotOurs stats)" -gt 0 ]
	stop_calmd
	ip -n "$SERVER_NS" address del 10.76.0.9/24 dev eth0
	ip -n "$SERVER_NS" address del fd76::9/64 dev eth0
}

# unmoved <SCRIPT: SCRIPT sends packets on the connection `peer`, in every one of which is `evil`, a
# command; then nothing has changed but counters of what came in, the peer was not answered, and the
# session goes on. At least `at_least` of them were counted as errors.
unmoved() {
	local pair script=$BATS_TEST_TMPDIR/unmoved
	{
		cat <<-'END'
			peer = Peer(sys.argv[1], sys.argv[2], 4003, PORT, timestamps=True, sack=True)
			peer.connect()
			peer.read_until(b"# ")
			# What is measured of time may go on; all else stays.
			def state():
			    shown = show(peer)
			    for key in ("timers", "counters"):
			        del shown[key]
			    return shown
			wait_until(lambda: ctl("status")["workers"]["idle"] >= 8, what="spare workers")
			peer.drain()
			evil = b"echo ev'i'l\n"
			before, stats, status = state(), ctl("stats"), ctl("status")
			at_least = 0
		END
		cat
		cat <<-'END'
			def counted():
			    now = ctl("stats")
			    return {name: now[name] - stats[name] for name in now if now[name] != stats[name]}
			try:
			    wait_until(lambda: counted().get("tcpInErrs", 0) >= at_least)
			except AssertionError:
			    raise AssertionError(f"wanted {at_least} errors: {counted()}") from None
			peer.silent(0.3)
			changed = counted()
			print(changed)
			assert all(name.startswith(("in", "tcpIn", "linkReceive")) for name in changed), changed
			assert state() == before, f"{before}\n{state()}"
			after = ctl("status")
			assert all(after[name] == status[name] for name in ("connections", "half_open", "time_wait",
			                                                   "queue", "master_pid", "workers"))
			peer.send("PA", b"echo wo'r'ks\n")
			data = peer.read_until(b"\nworks\r\n")
			assert b"evil" not in data and b"ev'" not in data, data
			peer.abort()
		END
	} >"$script"
	start_calmd
	for pair in "$CLIENT4 $SERVER4" "$CLIENT6 $SERVER6"; do
		# shellcheck disable=SC2086
		run_peer $pair <"$script"
	done
	CLIENT_NS=$SERVER_NS run_peer_local 127.0.0.1 127.0.0.1 <"$script"
	stop_calmd
}

@test "every truncation of a valid segment changes nothing but a counter" {
	unmoved <<-'END'
		whole = peer.build("PA", evil)
		header = len(whole) - len(evil)
		for length in range(len(whole)):
		    peer.send_ip(tcp.build_ip(peer.src, peer.dst, whole[:length]))
		# The same with checksums that are right for what is left of the header.
		for length in range(20, header):
		    cut = whole[:16] + b"\0\0" + whole[18:length]
		    total = tcp.checksum(peer.src, peer.dst, 6, cut)
		    cut = cut[:16] + total.to_bytes(2, "big") + cut[18:]
		    peer.send_ip(tcp.build_ip(peer.src, peer.dst, cut))
		at_least = len(whole) - 20 + header - 20
	END
}

@test "wrong checksums change nothing but a counter" {
	unmoved <<-'END'
		now = peer.clock()
		peer.clock = lambda: now                  # else the right checksum moves with the time
		whole = peer.build("PA", evil)
		right = int.from_bytes(whole[16:18], "big")
		# One that never left the host holds the sum of the pseudo-header alone.
		unfinished = tcp.ones_sum(tcp.pseudo_header(peer.src, peer.dst, 6, len(whole)))
		wrong = {right ^ 1 << bit for bit in range(16)} | {0, 0xffff, right + 1 & 0xffff}
		wrong -= {right, unfinished}
		for value in wrong:
		    peer.send("PA", evil, seq=peer.snd_nxt, sum_field=value)
		for at in range(len(whole)):              # one bit anywhere
		    if at not in (2, 3):                  # those two would be for another port
		        broken = whole[:at] + bytes([whole[at] ^ 0x10]) + whole[at + 1:]
		        peer.send_ip(tcp.build_ip(peer.src, peer.dst, broken))
		at_least = len(wrong) + len(whole) - 2
	END
}

@test "illegal option lengths change nothing but a counter" {
	unmoved <<-'END'
		now = tcp.option_timestamps(peer.clock(), peer.ts_recent)
		illegal = [bytes([kind, length]) for kind in (2, 3, 4, 5, 8, 77) for length in (0, 1, 39, 255)]
		illegal += [b"\x02\x03\x05", b"\x02\x05\x05\xb4\x00", b"\x03\x02", b"\x03\x04\x07\x07",
		            b"\x04\x03\x00", b"\x05\x02", b"\x05\x09" + bytes(7), b"\x05\x0b" + bytes(9),
		            b"\x08\x09" + bytes(7), b"\x08\x0b" + bytes(9), b"\x08"]
		for option in illegal:
		    # The last octet of the options, or else NOPs would make some of them legal.
		    options = now + b"\x01" * (-(len(now) + len(option)) % 4) + option
		    peer.send("PA", evil, seq=peer.snd_nxt, options=options)
		for words in (0, 1, 2, 3, 4, 15):         # data offsets: too small, and beyond the segment's end
		    peer.send("PA", evil[:10], seq=peer.snd_nxt, options=b"", data_offset=words)
		at_least = len(illegal) + 6
	END
}

@test "impossible flag sets change nothing but a counter" {
	unmoved <<-'END'
		sets = [0, "U", "P", "F", "PU", "FPU", "SF", "SR", "SFR", "SFA", "SRA", "SFRA", "SFRPUA", 0xff]
		for flags in sets:
		    peer.send(flags, evil, seq=peer.snd_nxt, options=tcp.option_timestamps(peer.clock(), peer.ts_recent),
		              urgent=3 if flags == "U" else 0)
		at_least = 8                              # the rest lacks an ACK, no more, and is dropped
	END
}

@test "malformed packets to a listener make no connection and get no answer" {
	start_calmd
	for pair in "$CLIENT4 $SERVER4" "$CLIENT6 $SERVER6"; do
		# shellcheck disable=SC2086
		run_peer $pair <<-'END'
			peer = Peer(sys.argv[1], sys.argv[2], 4004, PORT)
			whole = peer.build("S")
			stats, rows = ctl("stats"), ctl("list")
			for length in range(len(whole)):
			    peer.send_ip(tcp.build_ip(peer.src, peer.dst, whole[:length]))
			for flags in (0, "F", "P", "U", "SF", "SR", "SFR", "FPU", 0xff):
			    peer.send(flags, seq=1, options=b"")
			peer.send("S", seq=1, sum_field=1)
			peer.send("S", seq=1, options=b"\x02\x03\x05\x01")
			peer.send("S", seq=1, options=b"\x02\x00\x05\xb4")
			peer.send("R", seq=1)
			wait_until(lambda: ctl("stats")["tcpInErrs"] >= stats["tcpInErrs"] + 10, what="10 errors")
			peer.silent(0.3)
			strip = lambda rows: [(row["id"], row["state"]) for row in rows]
			assert strip(ctl("list")) == strip(rows), ctl("list")
			peer.send("S", data=b"typed ahead")   # data on a SYN is allowed, and not kept
			peer.expect("SA", ack=peer.iss + 1 & 0xffffffff)
			peer.send("R", seq=peer.iss + 1)
			wait_state(peer, "CLOSED")
		END
	done
	stop_calmd
}

@test "packets from addresses that cannot be a peer's get no answer" {
	start_calmd
	run_peer <<-'END'
		stats = ctl("stats")
		for source in ("0.0.0.0", "255.255.255.255", "224.0.0.1", "127.0.0.1", SERVER4, "10.76.0.255"):
		    segment = tcp.build_tcp(source, SERVER4, 4005, PORT, 1, 0, "S")
		    out = Peer(CLIENT4, SERVER4, 4005, PORT)
		    out.send_ip(tcp.build_ip(source, SERVER4, segment))
		    out.silent(0.1)
		    out.shut()
		assert [row for row in ctl("list") if row["state"] != "LISTEN"
		        and not row["peer"].startswith("10.76.0.255")] == []
	END
	stop_calmd
}

@test "a stranger who guesses sequence numbers changes nothing" {
	start_calmd
	run_peer <<-'END'
		import random
		random.seed(1)
		for src, dst in ((CLIENT4, SERVER4), (CLIENT6, SERVER6)):
		    peer = Peer(src, dst, 4006, PORT)
		    peer.connect()
		    peer.read_until(b"# ")
		    peer.drain()
		    for _ in range(300):
		        flags = random.choice(["R", "RA", "S", "SA", "FA", "PA"])
		        # Far away from the window, and an ACK of what was never sent or is long gone.
		        peer.send(flags, b"echo evil\n" if flags == "PA" else b"",
		                  seq=peer.snd_nxt + random.randrange(1 << 24, 1 << 31),
		                  ack=peer.rcv_nxt + random.randrange(1 << 24, 1 << 31))
		    peer.drain()
		    assert connection(peer)["state"] == "ESTABLISHED"
		    peer.send("PA", b"echo wo'r'ks\n")
		    data = peer.read_until(b"\nworks\r\n")
		    assert b"evil" not in data
		    peer.abort()
		assert ctl("stats")["outChallengeLimited"] > 0   # answers are limited, too
	END
	stop_calmd
}
