#!/usr/bin/env bats
# Every state of RFC 9293 and every move between them that the design names, reached by real packets
# and seen through calmctl. The peer sends what its script says and nothing else. Needs root.

load lib

# A session that ignores the end of its input, so that calmd stays in CLOSE-WAIT.
DEAF='login={"/bin/sh", "-c", "exec sleep 100"}'

# with_peers [OPTION]... <SCRIPT: runs SCRIPT three times at once against a fresh calmd: over veth with IPv4
# and IPv6, and over loopback. It finds `peer`, one who has not sent anything yet, and `new_peer`.
with_peers() {
	local script=$BATS_TEST_TMPDIR/script family run pids=() pid
	cat - >"$script"
	start_calmd "$@"
	for family in 4 6 local; do
		{
			printf '%s\n' \
				'pairs = {"4": (CLIENT4, SERVER4), "6": (CLIENT6, SERVER6), "local": ("127.0.0.1",) * 2}' \
				'here, there = pairs[sys.argv[1]]' \
				'next_port = [5000]' \
				'def new_peer(port=PORT, **options):' \
				'    next_port[0] += 1' \
				'    return Peer(here, there, next_port[0], port, **options)' \
				'peer = new_peer()'
			cat "$script"
		} >"$script.$family"
		run=run_peer
		[ "$family" != local ] || run=run_peer_local
		"$run" "$family" <"$script.$family" >"$script.$family.out" 2>&1 &
		pids+=($!)
	done
	local failed=0
	for pid in "${pids[@]}"; do
		wait "$pid" || failed=1
	done
	tail -n 30 "$script".*.out
	return "$failed"
}

@test "LISTEN, SYN-RECEIVED, ESTABLISHED: a passive open" {
	with_peers <<-'END'
		shown = listener(there, PORT)
		assert shown["state"] == "LISTEN" and shown["peer"] is None, shown
		peer.send("S")
		syn_ack = peer.expect("SA", ack=peer.snd_nxt, strict=True)
		assert wait_state(peer, "SYN-RECEIVED")
		assert history(peer) == ["LISTEN", "SYN-RECEIVED"]
		peer.send("A")
		wait_state(peer, "ESTABLISHED")
		assert history(peer) == ["LISTEN", "SYN-RECEIVED", "ESTABLISHED"]
		assert show(peer)["passive"] is True
		peer.abort()
		wait_state(peer, "CLOSED")
	END
	stop_calmd
}

@test "FIN-WAIT-1, FIN-WAIT-2, TIME-WAIT, CLOSED: the session ends first, in four segments" {
	with_peers -o msl=1s -o log-level=debug <<-'END'
		peer.connect()
		peer.read_until(b"# ")
		peer.send("PA", b"exit\n")
		fin = peer.expect("FA", timeout=5)
		wait_state(peer, "FIN-WAIT-1")
		peer.rcv_nxt = fin.seq + 1 + len(fin.data) & 0xffffffff
		peer.send("A")
		wait_state(peer, "FIN-WAIT-2")
		identity = connection(peer)["id"]
		peer.send("FA")
		peer.expect("A", ack=peer.snd_nxt)
		wait_state(peer, "TIME-WAIT")
		assert history(peer) == ["LISTEN", "SYN-RECEIVED", "ESTABLISHED", "FIN-WAIT-1",
		                         "FIN-WAIT-2", "TIME-WAIT"]
		assert connection(peer)["id"] == identity
		left = show(peer)["timers"]["end_us"]
		assert 0 < left <= 2e6, left
		before = time.monotonic()
		wait_state(peer, "CLOSED")
		assert time.monotonic() - before >= left / 1e6 - 0.3
		refused = calmctl("show", identity)
		assert refused.wait() == 1 and "no such connection" in refused.stderr.read()
	END
	stop_calmd
	log_has "FIN-WAIT-2 to TIME-WAIT" "TIME-WAIT to CLOSED"
}

# log_has MOVE...: whether calmd's log, at level debug, tells of these moves.
log_has() {
	local move
	for move in "$@"; do
		grep -q "$move" "$CALMD_DIR/log" || fail "the log has no '$move'"
	done
}

@test "in TIME-WAIT a repeated FIN is acknowledged again, RST ignored, and the time begins anew" {
	with_peers -o msl=2s <<-'END'
		peer.connect()
		peer.read_until(b"# ")
		peer.send("PA", b"exit\n")
		peer.read_until(None)
		peer.send("FA")
		peer.expect("A", ack=peer.snd_nxt)
		wait_state(peer, "TIME-WAIT")
		peer.send("R")
		wait_until(lambda: show(peer)["timers"]["end_us"] < 3.5e6, what="half a second less")
		peer.drain()
		peer.send("FA", seq=peer.snd_nxt - 1)
		peer.expect("A", ack=peer.snd_nxt, strict=True)
		assert show(peer)["timers"]["end_us"] > 3.5e6
		assert show(peer)["state"] == "TIME-WAIT"
	END
	stop_calmd
}

@test "a newer SYN opens a pair in TIME-WAIT again; an older one does not" {
	with_peers <<-'END'
		peer.connect()
		peer.read_until(b"# ")
		peer.send("PA", b"exit\n")
		peer.read_until(None)
		peer.send("FA")
		peer.expect("A", ack=peer.snd_nxt)
		wait_state(peer, "TIME-WAIT")
		old = connection(peer)["id"]
		peer.drain()
		peer.send("S", seq=peer.snd_nxt - 1000)
		peer.expect("A", ack=peer.snd_nxt, strict=True)
		peer.iss = peer.snd_nxt = peer.snd_nxt + 100000 & 0xffffffff
		peer.snd_una = peer.iss
		peer.received.clear()
		peer.finished = False
		peer._read_mark = 0
		peer.connect()
		wait_state(peer, "ESTABLISHED")
		assert connection(peer)["id"] != old
		peer.read_until(b"# ")
		peer.abort()
	END
	stop_calmd
}

@test "CLOSING: both close at once" {
	with_peers <<-'END'
		peer.connect()
		peer.read_until(b"# ")
		ctl("close", connection(peer)["id"])
		fin = peer.expect("FA")
		wait_state(peer, "FIN-WAIT-1")
		peer.send("FA", ack=fin.seq)          # its own FIN, and no word of ours
		peer.expect("A", ack=peer.snd_nxt)
		wait_state(peer, "CLOSING")
		peer.rcv_nxt = fin.seq + 1 & 0xffffffff
		peer.send("A")
		wait_state(peer, "TIME-WAIT")
		assert history(peer)[2:] == ["ESTABLISHED", "FIN-WAIT-1", "CLOSING", "TIME-WAIT"]
	END
	stop_calmd
}

@test "FIN-WAIT-1 to TIME-WAIT: one segment brings FIN and the acknowledgment of ours" {
	with_peers <<-'END'
		peer.connect()
		peer.read_until(b"# ")
		ctl("close", connection(peer)["id"])
		fin = peer.expect("FA")
		peer.rcv_nxt = fin.seq + 1 & 0xffffffff
		peer.send("FA")
		peer.expect("A", ack=peer.snd_nxt)
		wait_state(peer, "TIME-WAIT")
		# The ACK is looked at before the FIN, so FIN-WAIT-2 is passed through, for no time at all.
		assert history(peer)[2:] == ["ESTABLISHED", "FIN-WAIT-1", "FIN-WAIT-2", "TIME-WAIT"]
		times = [entry["after_us"] for entry in show(peer)["history"]]
		assert times[-1] == times[-2], times
	END
	stop_calmd
}

@test "CLOSE-WAIT, LAST-ACK, CLOSED: the client ends first, in four segments" {
	with_peers -o "$DEAF" -o log-level=debug <<-'END'
		peer.connect()
		wait_state(peer, "ESTABLISHED")
		peer.drain()
		peer.send("FA")
		peer.expect("A", ack=peer.snd_nxt)
		wait_state(peer, "CLOSE-WAIT")
		ctl("close", connection(peer)["id"])
		fin = peer.expect("FA")
		wait_state(peer, "LAST-ACK")
		assert history(peer) == ["LISTEN", "SYN-RECEIVED", "ESTABLISHED", "CLOSE-WAIT", "LAST-ACK"]
		peer.rcv_nxt = fin.seq + 1 + len(fin.data) & 0xffffffff
		peer.send("A")
		wait_state(peer, "CLOSED")
		peer.drain()
		peer.send("A")
		peer.expect("R")                      # nothing is known of it any more
	END
	stop_calmd
	log_has "CLOSE-WAIT to LAST-ACK" "LAST-ACK to CLOSED"
}

@test "half-close: one who has sent FIN still gets all output" {
	with_peers <<-'END'
		peer.connect()
		peer.read_until(b"# ")
		peer.send("PA", b"seq 20000; exit\n")
		peer.send("FA")
		data = peer.read_until(None, timeout=20)
		lines = [line for line in data.decode().split("\r\n") if line.isdigit()]
		assert lines == [str(n) for n in range(1, 20001)], lines[-3:]
		wait_state(peer, "CLOSED")
	END
	stop_calmd
}

@test "a FIN that comes with the handshake's third segment" {
	with_peers -o "$DEAF" <<-'END'
		peer.send("S")
		peer.expect("SA")
		peer.rcv_nxt = peer.irs + 1 & 0xffffffff
		peer.send("FA")
		wait_state(peer, "CLOSE-WAIT")
		assert history(peer)[:2] == ["LISTEN", "SYN-RECEIVED"] and history(peer)[-1] == "CLOSE-WAIT"
		peer.abort()
		wait_state(peer, "CLOSED")
	END
	stop_calmd
}

@test "SYN-RECEIVED to LISTEN: RST, and the listener goes on" {
	with_peers -o log-level=debug <<-'END'
		fails = ctl("stats")["tcpAttemptFails"]
		peer.send("S")
		peer.expect("SA")
		wait_state(peer, "SYN-RECEIVED")
		identity = connection(peer)["id"]
		peer.send("R", seq=peer.snd_nxt + 5)  # not exactly the next: not believed (RFC 5961)
		peer.drain()
		assert connection(peer)["state"] == "SYN-RECEIVED"
		peer.send("R")
		wait_state(peer, "CLOSED")
		assert ctl("stats")["tcpAttemptFails"] > fails
		assert listener(there, PORT)["state"] == "LISTEN"
		other = new_peer()
		other.connect()
		other.read_until(b"# ")
		other.abort()
	END
	stop_calmd
	log_has "SYN-RECEIVED to LISTEN"
}

@test "SYN-RECEIVED to FIN-WAIT-1: closed before the handshake is over" {
	with_peers <<-'END'
		peer.send("S")
		peer.expect("SA")
		wait_state(peer, "SYN-RECEIVED")
		ctl("close", connection(peer)["id"])
		fin = peer.expect("FA")
		wait_state(peer, "FIN-WAIT-1")
		assert history(peer) == ["LISTEN", "SYN-RECEIVED", "FIN-WAIT-1"]
		peer.rcv_nxt = fin.seq + 1 & 0xffffffff
		peer.send("A")
		wait_state(peer, "FIN-WAIT-2")
		peer.send("FA")
		wait_state(peer, "TIME-WAIT")
	END
	stop_calmd
}

@test "SYN-SENT, ESTABLISHED: a call, and who answers gets a session" {
	with_peers -o msl=1s <<-'END'
		called = new_peer(port=None)
		call = calmctl("call", f"[{here}]:{called.sport}")
		syn = called.expect("SEC")
		assert syn.ack == 0 and syn.mss and syn.sack_permitted and syn.timestamps, syn
		wait_state(called, "SYN-SENT")
		assert history(called) == ["CLOSED", "SYN-SENT"]
		assert show(called)["passive"] is False
		called.send("SA")
		called.expect("A", ack=called.snd_nxt)
		assert call.wait(5) == 0, call.stderr.read()
		assert "is established" in call.stdout.read()
		assert history(called) == ["CLOSED", "SYN-SENT", "ESTABLISHED"]
		called.read_until(b"# ")
		called.send("PA", b"echo so'me'body; exit\n")
		assert b"\nsomebody\r\n" in called.read_until(None)
		called.send("FA")
		wait_state(called, "TIME-WAIT")
		assert history(called) == ["CLOSED", "SYN-SENT", "ESTABLISHED", "FIN-WAIT-1", "FIN-WAIT-2",
		                           "TIME-WAIT"]
		wait_state(called, "CLOSED")
	END
	stop_calmd
}

@test "SYN-SENT to SYN-RECEIVED: both open at once" {
	with_peers <<-'END'
		called = new_peer(port=None)
		call = calmctl("call", f"[{here}]:{called.sport}")
		syn = called.expect("SEC")
		called.send("S", ack=0)               # its own, not an answer
		called.expect("SA", ack=called.snd_nxt, seq=syn.seq)
		wait_state(called, "SYN-RECEIVED")
		called.send("SA", seq=called.iss)
		wait_state(called, "ESTABLISHED")
		assert history(called) == ["CLOSED", "SYN-SENT", "SYN-RECEIVED", "ESTABLISHED"]
		assert call.wait(5) == 0, call.stderr.read()
		called.read_until(b"# ")
		called.abort()
		wait_state(called, "CLOSED")
	END
	stop_calmd
}

@test "SYN-SENT to CLOSED: nobody answers, and the call gives up after call-timeout" {
	with_peers -o call-timeout=2s <<-'END'
		called = new_peer(port=None)
		begin = time.monotonic()
		call = calmctl("call", f"[{here}]:{called.sport}")
		called.expect("SEC")
		called.expect("S", timeout=2)         # again after the first time-out, without ECN
		wait_state(called, "SYN-SENT")
		assert call.wait(10) == 1
		assert 1.8 < time.monotonic() - begin < 4
		told = call.stderr.read()
		assert told.startswith("calmctl: ") and told.count("\n") == 1, told
		assert connection(called) is None
	END
	stop_calmd
}

@test "SYN-SENT to CLOSED: the call is refused by RST, or ended by close" {
	with_peers <<-'END'
		called = new_peer(port=None)
		call = calmctl("call", f"[{here}]:{called.sport}")
		syn = called.expect("SEC")
		called.send("RA", seq=0, ack=syn.seq + 7)  # acknowledges what was never sent: not believed
		called.drain()
		assert connection(called)["state"] == "SYN-SENT"
		called.send("RA", seq=0, ack=syn.seq + 1 & 0xffffffff)
		assert call.wait(5) == 1
		wait_state(called, "CLOSED")
		other = new_peer(port=None)
		call = calmctl("call", f"[{here}]:{other.sport}")
		other.expect("SEC")
		wait_state(other, "SYN-SENT")
		ctl("close", connection(other)["id"])
		assert call.wait(5) == 1
		wait_state(other, "CLOSED")
	END
	stop_calmd
}

@test "LISTEN to SYN-SENT: a call from the listener's port" {
	with_peers <<-'END'
		called = new_peer(port=PORT)
		call = calmctl("call", "-p", PORT, f"[{here}]:{called.sport}")
		syn = called.expect("SEC")
		wait_state(called, "SYN-SENT")
		assert history(called) == ["CLOSED", "LISTEN", "SYN-SENT"]
		called.send("SA")
		assert call.wait(5) == 0, call.stderr.read()
		called.read_until(b"# ")
		assert listener(there, PORT)["state"] == "LISTEN"
		called.abort()
		wait_state(called, "CLOSED")
	END
	stop_calmd
}

@test "ESTABLISHED to CLOSED: RST at exactly the next sequence number, and no other" {
	with_peers <<-'END'
		peer.connect()
		peer.read_until(b"# ")
		peer.drain()
		peer.send("R", seq=peer.snd_nxt + 1)
		peer.expect("A", ack=peer.snd_nxt, strict=True)   # a challenge (RFC 5961, section 3.2)
		peer.send("R", seq=peer.snd_nxt + 10000000)
		peer.silent(0.3)
		assert connection(peer)["state"] == "ESTABLISHED"
		peer.send("R")
		wait_state(peer, "CLOSED")
	END
	stop_calmd
}
