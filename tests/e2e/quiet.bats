#!/usr/bin/env bats
# Quiet time (RFC 9293, 3.4.3) and calm restart: what a start waits for, and who need not wait.
# Needs root.

load lib

# kill_everything: supervisor, master, workers, sessions, all at once.
kill_everything() {
	# Some are gone by themselves before their turn comes.
	# shellcheck disable=SC2046
	kill -KILL $(calmd_processes | cut -d ' ' -f 1) 2>/dev/null || true
	wait_calmd_end 10 'signal 9'
}

# start_measured [-o KEY=VALUE]...: start_calmd, and START_MS is how long it took: on a busy machine
# quiet time must be longer to see anything of it.
start_measured() {
	local begun
	begun=$(now_ms)
	start_calmd "$@"
	START_MS=$(($(now_ms) - begun))
}

# stamp_us: the last sign of life in the state file, by the clock that begins with the boot.
stamp_us() {
	python3 -c 'import struct, sys
print(struct.unpack_from("<Q", open(sys.argv[1], "rb").read(), 32)[0])' "$CALMD_DIR/state/state"
}

stamp_is_not() {
	[ "$(stamp_us)" != "$1" ]
}

# quiet_is REASON LEAST MOST: which rule applies, and that so many seconds are left.
quiet_is() {
	local quiet reason left
	quiet=$(ctl_get quiet status)
	read -r left reason < <(sed 's/.*"left_s": \([0-9]*\).*"reason": "\([a-z_]*\)".*/\1 \2/' <<<"$quiet")
	assert_equal reason "$reason" "$1" || return
	[ "$left" -ge "$2" ] && [ "$left" -le "$3" ] || fail "$left s are left, not $2 to $3"
}

left_is_below() {
	[ "$(ctl_get quiet.left_s status)" -lt "$1" ]
}

# logged_once REGEX: whether the log says it, once since the last start.
logged_once() {
	local count
	count=$(tac "$CALMD_DIR/log" | sed '/ended$/q' | grep -c "$1")
	assert_equal "lines with '$1'" "$count" 1
}

connects_at_once() {
	start_background prompt in_client nc -d "$SERVER4" "$PORT"
	wait_for 10 grep -q '# ' "$BATS_FILE_TMPDIR/prompt.out"
	stop_background prompt
}

@test "when all was killed at once, no SYN is answered until 2 MSL after the last sign of life" {
	local stamp left passed_ms msl START_MS
	start_measured
	start_background old in_client nc -d "$SERVER4" "$PORT"
	wait_for 10 established_are 1
	kill_everything
	stamp=$(stamp_us)
	passed_ms=$(python3 -c "import time; print(int(time.clock_gettime(time.CLOCK_BOOTTIME) * 1000) - $stamp // 1000)")
	msl=$(((passed_ms + 4 * START_MS + 3000) / 2000 + 1))
	start_calmd -o "msl=${msl}s"
	capture_start quiet server
	quiet_is crash 1 $((2 * msl))
	left=$(ctl_get quiet.left_s status)
	assert_match text "$(ctl status)" "quiet time +[0-9]+ s left: calmd had ended without order"
	# A client that tries on by itself, and segments of every kind that must stay without an answer.
	start_background client in_client nc -d "$SERVER4" "$PORT"
	run_peer <<-'END'
		for src, dst in ((CLIENT4, SERVER4), (CLIENT6, SERVER6)):
		    with Peer(src, dst, 4000, PORT) as peer:
		        for flags in ("S", "A", "PA", "FA", "SA", "R"):
		            peer.send(flags, b"x" if flags == "PA" else b"", ack=1)
		wait_until(lambda: ctl("stats")["inQuietTime"] >= 13, what="all were counted")
	END
	run -1 ctl call "$CLIENT4:5000"
	assert_match refusal "$output" '^calmctl: calmd keeps quiet'
	wait_for 5 left_is_below "$left"
	wait_for $((2 * msl + 15)) grep -q '# ' "$BATS_FILE_TMPDIR/client.out"
	quiet_is crash 0 0
	capture_stop quiet
	python3 - "$BATS_FILE_TMPDIR/quiet.pcap" "$stamp" "$msl" <<-'END'
		import sys, time
		import pcap, segment
		end = (int(sys.argv[2]) / 1e6 + 2 * int(sys.argv[3])
		       + time.clock_gettime(time.CLOCK_REALTIME) - time.clock_gettime(time.CLOCK_BOOTTIME))
		seen = [(seconds, segment.parse_ip(packet, time=seconds))
		        for seconds, packet in pcap.read_packets(sys.argv[1])]
		seen = [(seconds, seg) for seconds, seg in seen if seg is not None]
		early = [seg for seconds, seg in seen if seconds < end]
		answers = [(seconds - end, str(seg)) for seconds, seg in seen if seg.sport == 23]
		print("SYNs in quiet time:", sum(seg.flags == "S" for seg in early), "first answer:", answers[0])
		assert sum(seg.flags == "S" for seg in early) >= 3, early
		assert answers[0][0] >= -0.001, answers[0]
	END
	logged_once 'quiet time of [0-9.]* s: calmd had ended without order'
	logged_once 'quiet time is over'
	stop_background old
	stop_calmd
}

@test "after an orderly end a pair in TIME-WAIT stays barred for what it had left, others connect at once" {
	local msl START_MS
	start_measured
	stop_calmd
	msl=$((2 + START_MS / 500))
	start_calmd -o "msl=${msl}s"
	export KEPT=$BATS_TEST_TMPDIR/kept
	run_peer <<-'END'
		with Peer(CLIENT4, SERVER4, 4000, PORT, timestamps=True) as peer:
		    peer.connect()
		    peer.read_until(b"# ")
		    peer.send("PA", b"exit\n")
		    peer.read_until(None)
		    peer.send("FA")
		    peer.expect("A", ack=peer.snd_nxt)
		    wait_state(peer, "TIME-WAIT")
		    left = show(peer)["timers"]["end_us"] / 1e6
		    with open(os.environ["KEPT"], "w") as file:
		        print(peer.iss, peer.snd_nxt, peer.rcv_nxt, time.monotonic() + left, file=file)
	END
	stop_calmd
	grep -q '1 in TIME-WAIT kept for the next start' "$CALMD_DIR/log"
	start_calmd -o "msl=${msl}s"
	quiet_is pairs_barred 0 0
	logged_once '1 pair of sockets stays in TIME-WAIT'
	run_peer <<-'END'
		iss, snd_nxt, rcv_nxt, end = map(float, open(os.environ["KEPT"]).read().split())
		with Peer(CLIENT4, SERVER4, 4001, PORT) as other:
		    other.connect()
		    assert time.monotonic() < end, "too late to tell anything"
		    other.read_until(b"# ")
		    other.abort()
		with Peer(CLIENT4, SERVER4, 4000, PORT, iss=int(iss)) as peer:
		    assert connection(peer)["state"] == "TIME-WAIT"
		    shown = show(peer)
		    assert shown["history"][-1]["state"] == "TIME-WAIT"
		    assert abs(shown["timers"]["end_us"] / 1e6 - (end - time.monotonic())) < 0.1
		    # A SYN that is not newer (RFC 6191) is acknowledged with the numbers of before, and no more.
		    peer.send("S", seq=int(iss) - 100000 & 0xffffffff)
		    answer = peer.receive()
		    assert (answer.flags, answer.seq, answer.ack) == ("A", int(rcv_nxt), int(snd_nxt)), answer
		    wait_state(peer, "CLOSED", timeout=end - time.monotonic() + 5)
		    assert time.monotonic() - end > -0.1, time.monotonic() - end
		    peer.drain()
		    peer.send("S", seq=int(iss) - 100000 & 0xffffffff)
		    assert peer.receive().flags == "SA"
	END
	stop_calmd
	# Nothing was left this time.
	start_calmd
	quiet_is clean_end 0 0
	connects_at_once
	stop_calmd
}

@test "signs of life go on, though somebody removes the file; quiet time goes on when it is killed in it" {
	local stamp
	start_calmd
	quiet_is first_start 0 0
	assert_match text "$(ctl status)" "quiet time +none: calmd never ran here"
	stamp=$(stamp_us)
	wait_for 5 stamp_is_not "$stamp"
	assert_equal "mode" "$(stat -c '%a %u' "$CALMD_DIR/state/state")" '600 0'
	rm "$CALMD_DIR/state/state"
	wait_for 5 test -s "$CALMD_DIR/state/state"
	kill_everything
	start_calmd
	quiet_is crash 45 60
	kill_everything
	start_calmd
	quiet_is interrupted 40 60
	# Nor does another master, nor another program.
	kill -KILL "$(ctl_get master_pid status)"
	wait_for 10 ctl_is takeovers 1 status
	quiet_is interrupted 30 60
	ctl upgrade
	wait_for 10 ctl_is upgrades 1 status
	quiet_is interrupted 25 60
	kill_everything
	# quiet-time has the last word.
	start_calmd -o quiet-time=off
	quiet_is off 0 0
	connects_at_once
	# An end that a master has to be forced to is not in order.
	kill -STOP "$(ctl_get master_pid status)"
	kill -TERM "$(calmd_pid)"
	wait_for 5 grep -q 'ending: SIGTERM' "$CALMD_DIR/log"
	kill -TERM "$(calmd_pid)"
	wait_calmd_end 10
	start_calmd
	quiet_is crash 45 60
	kill_everything
	start_calmd -o quiet-time=1h
	quiet_is fixed 3590 3600
	EXPECTED_LOG='master [0-9]* was ended by signal 9' stop_calmd
}

@test "after another boot it keeps quiet until 2 MSL of uptime" {
	start_calmd
	stop_calmd
	boot_another_time
	start_calmd -o msl=10m
	local uptime most
	uptime=$(<"$BATS_TEST_TMPDIR/uptime")
	most=$((uptime < 1200 ? 1200 - uptime : 0))
	quiet_is other_boot $((most > 20 ? most - 20 : 0)) $((most + 1))
	stop_calmd
}

# boot_another_time: calmd will find itself on a machine that was just booted: with another boot's
# id, and (where the kernel lets us) the clock of a short uptime, which it leaves in `uptime`.
boot_another_time() {
	local up
	up=$(cut -d . -f 1 /proc/uptime)
	echo 01234567-89ab-cdef-0123-456789abcdef >"$BATS_TEST_TMPDIR/boot_id"
	cat >"$BATS_TEST_TMPDIR/calmd" <<-END
		#!/bin/sh
		exec unshare --mount --time --boottime -$((up - 5)) sh -c '
			mount --bind "$BATS_TEST_TMPDIR/boot_id" /proc/sys/kernel/random/boot_id &&
			cut -d . -f 1 /proc/uptime >"$BATS_TEST_TMPDIR/uptime" && exec "\$0" "\$@"' \
			"$(calmd_path)" "\$@"
	END
	chmod +x "$BATS_TEST_TMPDIR/calmd"
	calmd_path() {
		echo "$BATS_TEST_TMPDIR/calmd"
	}
}

@test "a file that is truncated, or not calmd's, is as bad as one that cannot be written" {
	mkdir -p "$BATS_FILE_TMPDIR/calmd/state"
	head -c 100 /dev/urandom >"$BATS_FILE_TMPDIR/calmd/state/state"
	start_calmd
	quiet_is state_unreadable 55 60
	logged_once "state-dir: .*/state/state: is damaged, or not calmd's"
	kill_everything
	truncate -s 71 "$CALMD_DIR/state/state"
	start_calmd
	quiet_is state_unreadable 55 60
	stop_calmd
	start_calmd -o "state-dir=$CALMD_DIR/log"
	quiet_is state_not_writable 55 60
	logged_once "state-dir: .*/log: Not a directory"
	stop_calmd
}

