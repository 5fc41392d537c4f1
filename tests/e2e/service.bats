#!/usr/bin/env bats
# A supervisor that is killed, or told to leave, is followed by another one, and
# sessions go on. manager.py plays systemd's part; tests/boot has the real one.

load lib

# With few descriptors at first: systemd gives 1,024, which many sessions need more than, and what
# is kept comes at once.
setup_file() {
	make_network
	# shellcheck disable=SC2016
	manage_calmd sh -c 'ulimit -Sn 64; exec "$0" "$@"'
}

setup() {
	set_calmd_dir
	rm -f "$CALMD_DIR"/{supervisor,starts,store,status,ready,restart,give-up,options,spoil,half,miss,nothing}
	grep -q HAVE_LIBSYSTEMD "$CALMD_BUILDDIR/Makefile" || skip "built without libsystemd"
}

supervisor() {
	cat "$CALMD_DIR/supervisor"
}

is_ready() {
	[ -e "$CALMD_DIR/ready" ] && ctl status
}

starts_are() {
	assert_equal starts "$(<"$CALMD_DIR/starts")" "$1"
}

# follow SIGNAL: ends the supervisor so, and waits until another one serves.
follow() {
	local starts
	starts=$(<"$CALMD_DIR/starts")
	kill "-$1" "$(supervisor)"
	wait_for 10 starts_are $((starts + 1))
	wait_for 20 is_ready
}

# One supervisor, one master, and no more workers than there should be.
processes_are_in_order() {
	local processes
	processes=$(calmd_processes)
	assert_equal masters "$(grep -c 'calmd: master' <<<"$processes")" 1
	assert_equal openers "$(grep -c 'calmd-opener$' <<<"$processes")" 1
	assert_equal "busy workers" "$(grep -c 'calmd-worker: connection' <<<"$processes")" "$1"
	assert_equal "idle workers" "$(grep -c 'calmd-worker: idle' <<<"$processes")" 8
}

# How many the supervisor has open.
descriptors() {
	ls "/proc/$(supervisor)/fd" | wc -l
}

descriptors_are() {
	assert_equal "descriptors of the supervisor" "$(descriptors)" "$1"
}

# stop_managed: in order, with no process left and nothing kept.
stop_managed() {
	kill -TERM "$(supervisor)"
	wait_calmd_end 15
	assert_equal "what is kept" "$(<"$CALMD_DIR/store")" ""
}

# A script for run_peer: SESSIONS that go on over what the shell function `change` does, which the
# script asks for by a line in a pipe, and gets an answer to.
change_on_demand() {
	local change=$1
	shift
	rm -f "$CALMD_DIR"/{ask,answer}
	mkfifo "$CALMD_DIR"/{ask,answer}
	(
		while read -r; do
			"$change" "$REPLY" >&2 && echo done || echo failed
		done <"$CALMD_DIR/ask" >"$CALMD_DIR/answer"
	) 3>&- 4>&- &
	{
		cat <<-'END'
			from telnet import *
			directory = os.environ["CALMD_DIR"]
			ask, answer = open(directory + "/ask", "w"), open(directory + "/answer")
			def change(what):
			    print(what, file=ask, flush=True)
			    assert answer.readline() == "done\n"
		END
		cat
	} | run_peer "$@"
}

@test "a supervisor is killed three times, and upgraded: sessions go on, and no byte of theirs is lost" {
	start_calmd
	wait_for 10 is_ready
	change() {
		case $1 in
		upgrade) ctl upgrade ;;
		*) follow "$1" ;;
		esac
	}
	change_on_demand change <<-'END'
		quiet, shell, busy = clients = [Telnet(address, PORT) for address in (SERVER4, SERVER6, SERVER4)]
		for client in clients:
		    client.read_until(rb"# $")
		assert quiet.run("x=kept; echo $x") == "kept\n"
		busy.type("stty -echo; i=0; while [ $i -lt 100000 ]; do i=$((i+1)); echo $i; done; echo END\r")
		busy.read_until(rb"\n1\r\n")
		for round in range(3):
		    change("KILL")
		    if round == 1:
		        change("upgrade")
		    assert shell.run(f"echo {round}") == f"{round}\n"
		assert quiet.run("echo $x") == "kept\n"
		count = busy.read_until(rb"END\r\n", timeout=60).split()
		assert count[:-1] == [b"%d" % i for i in range(2, 100001)], "lines are missing"
		with Telnet(SERVER4, PORT) as another:
		    another.read_until(rb"# $")
		for client in clients:
		    client.type("exit\r")
		    client.read_all()
		    assert not client.reset
	END
	wait_for 10 processes_are_in_order 0
	assert_equal "lines of takeovers" "$(grep -c 'has taken over 3 connections' "$CALMD_DIR/log")" 4
	log_is_clean
	stop_managed
}

@test "a supervisor that is told to leave (SIGUSR1) leaves everything, half opened sessions too; SIGTERM ends it" {
	start_calmd
	wait_for 10 is_ready
	assert_equal "what is kept" "$(<"$CALMD_DIR/store")" $'lobby-in\nlobby-out'
	wait_for 5 grep -q '^0 connections, 8 workers ready$' "$CALMD_DIR/status"
	leave() {
		touch "$CALMD_DIR/restart"
		follow USR1
	}
	change_on_demand leave <<-'END'
		client = Telnet(SERVER4, PORT)
		client.read_until(rb"# $")
		opening = Telnet(SERVER4, PORT, quiet=True)
		opening.wait_command(DO, TTYPE)
		for round in range(2):
		    change("leave")
		    assert client.run("echo here") == "here\n"
		opening.read_until(rb"# $")
		wait_until(lambda: open(os.environ["CALMD_DIR"] + "/status").read() == "2 connections, 8 workers ready\n")
		os.system("kill -TERM $(cat $CALMD_DIR/supervisor)")
		for each in client, opening:
		    each.read_all()
		    assert not each.reset
	END
	wait_calmd_end 15
	assert_equal "what is kept" "$(<"$CALMD_DIR/store")" ""
	log_is_clean
}

@test "supervisors are killed at random moments, also while they take over: sessions go on" {
	local kills=12 before
	[ -z "${CALMD_LONG:-}" ] || kills=300
	start_calmd
	wait_for 10 is_ready
	wait_for 10 processes_are_in_order 0
	before=$(descriptors)
	PEER_SECONDS=1800 run_peer "$kills" <<-'END'
		import random, threading
		from telnet import *
		seed = int(os.environ.get("CALMD_SEED", time.time_ns() % 2**32))
		print(f"CALMD_SEED={seed}")
		random.seed(seed)
		kills = int(sys.argv[1])
		def kill():
		    for _ in range(kills):
		        # from before it has read the lobby to some time after the new master serves
		        time.sleep(random.choice((0.02, 0.08, 0.3)) * random.random())
		        os.system("kill -KILL $(cat $CALMD_DIR/supervisor) 2>/dev/null")
		idle, busy, shell = [Telnet(address, PORT, timeout=60) for address in (SERVER4, SERVER6, SERVER4)]
		for client in idle, busy, shell:
		    client.read_until(rb"# $")
		idle.run("x=kept")
		busy.type("stty -echo; i=0; while :; do i=$((i+1)); echo $i; done\r")
		killer = threading.Thread(target=kill)
		killer.start()
		busy.read_until(rb"\n1\r\n")
		number, count = 1, 0
		while killer.is_alive():
		    assert shell.run(f"echo {count}") == f"{count}\n"
		    count += 1
		    lines = busy.read_until(rb"\n").split()
		    number += 1
		    assert lines == [b"%d" % number], (lines, number)
		busy.type(b"\x03")
		busy.read_until(rb"# $")
		assert idle.run("echo $x") == "kept\n"
		print(f"{kills} kills, {number} lines, {count} commands")
	END
	wait_for 20 is_ready
	wait_for 20 processes_are_in_order 0
	wait_for 10 descriptors_are "$before"
	log_is_clean
	stop_managed
}

@test "another configuration: limits change with the restart, listeners and the table stay; a wrong one is none" {
	start_calmd
	wait_for 10 is_ready
	change_on_demand follow <<-'END'
		client = Telnet(SERVER4, PORT)
		client.read_until(rb"# $")
		# calmd's own limit of descriptors is for sessions, too; nobody else runs into it
		assert client.run("ulimit -Sn") == "64\n"
		others = [Telnet(SERVER6, PORT) for _ in range(99)]
		for other in others:
		    other.read_until(rb"# $")
		with open(os.environ["CALMD_DIR"] + "/options", "w") as options:
		    print('-o', 'max-connections=2', '-o', 'receive-buffer=64k',
		          '-o', 'min-spare-workers=1', '-o', 'max-spare-workers=1',
		          '-o', f'listen={{"{SERVER4}:24"}}', sep="\n", file=options)
		change("KILL")
		assert client.run("echo here") == "here\n"
		# more than there may be now: they go on all the same
		for other in others:
		    other.type("exit\r")
		    other.read_all()
		    assert not other.reset
		with Telnet(SERVER6, PORT) as another:
		    another.read_until(rb"# $")
		# one with a mistake: what was in effect stays
		with open(os.environ["CALMD_DIR"] + "/options", "a") as options:
		    print('-o', 'max-connections=none', sep="\n", file=options)
		change("KILL")
		assert client.run("echo here") == "here\n"
	END
	grep -q 'max-connections: ' "$CALMD_DIR/log"
	grep -q 'going on with the configuration that was in effect' "$CALMD_DIR/log"
	assert_equal max_connections "$(ctl_get limits.max_connections status)" 2
	grep -q 'listen: stays as it was' "$CALMD_DIR/log"
	stop_managed
}

@test "when nobody starts it again, workers and sessions end" {
	start_calmd
	wait_for 10 is_ready
	touch "$CALMD_DIR/give-up"
	run_peer <<-'END'
		from telnet import *
		client = Telnet(SERVER4, PORT)
		client.read_until(rb"# $")
		os.system("kill -KILL $(cat $CALMD_DIR/supervisor)")
	END
	wait_for 15 no_process_left
}

@test "what cannot be taken up is lost at once, and calmd starts anew, after its quiet time" {
	start_calmd -o msl=1s
	wait_for 10 is_ready
	lose_and_kill() {
		touch "$CALMD_DIR/$1"
		kill -KILL "$(supervisor)"
		wait_for 5 test ! -e "$CALMD_DIR/ready"
		wait_for 20 is_ready
	}
	change_on_demand lose_and_kill <<-'END'
		client = Telnet(SERVER4, PORT)
		client.read_until(rb"# $")
		for what in "spoil", "half":
		    change(what)
		    another = Telnet(SERVER4, PORT)
		    another.read_until(rb"# $")
		# no end of a former one is taken for that of the next
		change("nothing")
		assert another.run("echo here") == "here\n"
		# found when half of it has been taken up
		change("miss")
		with Telnet(SERVER4, PORT) as another:
		    another.read_until(rb"# $")
	END
	assert_equal losses "$(grep -c 'everything is lost' "$CALMD_DIR/log")" 3
	assert_equal "what is kept" "$(<"$CALMD_DIR/store")" $'lobby-in\nlobby-out'
	ctl_is quiet.reason crash status
	wait_for 10 processes_are_in_order 0
	stop_managed
}

@test "what was reloaded, a listener that is closed, and draining outlive the supervisor" {
	local conf=$BATS_TEST_TMPDIR/calmd.conf
	default_options() {
		printf '%s\n' -f "$conf" -o "control-socket=$CALMD_SOCKET" -o "state-dir=$CALMD_DIR/state"
	}
	configure() {
		printf '%s\n' "listen = {\"$SERVER4:$1\"}" 'login = {"/bin/sh"}' "max-connections = $2" >"$conf"
	}
	configure 23 50
	start_calmd
	wait_for 10 is_ready
	change() {
		case $1 in
		reload) configure 2323 40 && ctl reload && ctl drain ;;
		*) follow "$1" && ctl_is draining true status && ctl resume ;;
		esac
	}
	change_on_demand change <<-'END'
		old = Telnet(SERVER4, 23)
		old.read_until(rb"# $")
		change("reload")
		change("KILL")
		assert old.run("echo here") == "here\n"
		try:
		    Telnet(SERVER4, 23)
		    raise AssertionError("port 23 is open")
		except ConnectionRefusedError:
		    pass
		with Telnet(SERVER4, 2323) as new:
		    new.read_until(rb"# $")
		assert ctl("status")["limits"]["max_connections"] == 40
		old.type("exit\r")
		old.read_all()
		assert not old.reset
	END
	log_is_clean
	stop_managed
}

@test "without a service manager SIGUSR1 is refused" {
	calmd_path() {
		echo "$CALMD_BUILDDIR/daemon/calmd"
	}
	start_calmd
	kill -USR1 "$(calmd_pid)"
	wait_for 5 grep -q 'no service manager' "$CALMD_DIR/log"
	ctl status
	stop_calmd
}
