#!/usr/bin/env bats
# The opener as a unit of its own: somebody else starts it, at `opener-socket`, and its
# sessions have nothing to do with the processes of calmd. Needs root.

load lib

EXPECTED_LOG='the opener has hung up'

setup_file() {
	make_network
	manage_calmd
	start_background openers in_server "$E2E/opener_socket.py" "$BATS_FILE_TMPDIR/opener" \
		"$CALMD_BUILDDIR/shell/calmd-opener"
	wait_for 10 test -S "$BATS_FILE_TMPDIR/opener"
}

setup() {
	set_calmd_dir
	rm -f "$CALMD_DIR"/{supervisor,starts,store,status,ready}
}

# Every process that an opener is, or was before it became a keeper.
opener_processes() {
	ps -eo pid,args | grep -E '^ *[0-9]+ calmd-(opener|keeper)' |
		while read -r pid args; do
			if [ "$(readlink "/proc/$pid/ns/net")" = "$(in_server readlink /proc/self/ns/net)" ]; then
				echo "$pid $args"
			fi
		done
}

no_opener_is_left() {
	assert_equal "openers and keepers" "$(opener_processes)" ""
}

@test "sessions outlive their opener, the supervisor, and the version that opened them" {
	grep -q HAVE_LIBSYSTEMD "$CALMD_BUILDDIR/Makefile" || skip "built without libsystemd"
	start_calmd -o opener-socket="$BATS_FILE_TMPDIR/opener"
	run_peer "$(<"$BATS_FILE_TMPDIR/openers.background")" <<-'END'
		import signal, subprocess
		from telnet import *
		def supervisor():
		    return int(open(os.environ["CALMD_DIR"] + "/supervisor").read())
		def ancestors(pid):
		    while pid > 1:
		        pid = int(open(f"/proc/{pid}/stat").read().rsplit(")")[1].split()[1])
		        yield pid
		def openers():
		    """Those that serve, which their supervisor has not yet left."""
		    found = subprocess.run(["pgrep", "-P", sys.argv[1], "-f", "^calmd-opener"],
		                           stdout=subprocess.PIPE, text=True).stdout.split()
		    return [int(pid) for pid in found]
		clients = []
		def all_go_on():
		    for i, client in enumerate(clients):
		        assert client.run("echo $x") == f"kept{i}\n"
		def log_in():
		    client = Telnet(SERVER4, PORT, timeout=30)
		    client.read_until(rb"# $")
		    client.run(f"x=kept{len(clients)}")
		    clients.append(client)
		log_in()
		shell = int(clients[0].run("echo $$"))
		assert supervisor() not in ancestors(shell)
		first, = openers()
		os.kill(first, signal.SIGKILL)
		wait_until(lambda: openers() and first not in openers(), what="another opener")
		all_go_on()
		log_in()
		before = supervisor()
		os.kill(before, signal.SIGKILL)
		wait_until(lambda: supervisor() != before and os.path.exists(os.environ["CALMD_DIR"] + "/ready"),
		           what="another supervisor")
		all_go_on()
		log_in()
		before = openers()
		assert calmctl("upgrade").wait(20) == 0
		wait_until(lambda: len(openers()) == 1 and openers() != before, what="an opener of the other version")
		all_go_on()
		log_in()
		clients[0].type("exit\r")
		clients[0].read_all()
		assert not clients[0].reset
		os.kill(supervisor(), signal.SIGTERM)
		for client in clients[1:]:
		    client.read_all()
		    assert not client.reset
	END
	wait_calmd_end 15
	wait_for 10 no_opener_is_left
	log_is_clean
}

@test "an opener that is not root's is not believed, and one that is serves root alone" {
	calmd_path() {
		echo "$CALMD_BUILDDIR/daemon/calmd"
	}
	local directory=$BATS_TEST_TMPDIR/nobody
	install -d -o nobody "$directory"
	chmod 711 "$BATS_RUN_TMPDIR" "$BATS_FILE_TMPDIR" "${BATS_TEST_TMPDIR%/*}" "$BATS_TEST_TMPDIR" 2>/dev/null || true
	python3 - "$directory/opener" <<-'END' &
		import os, socket, sys
		os.setresuid(65534, 65534, 65534)
		listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
		os.umask(0) # who listens is what is looked at, not who may connect
		listener.bind(sys.argv[1])
		listener.listen()
		listener.settimeout(60)
		listener.accept()
	END
	wait_for 10 test -S "$directory/opener"
	launch_calmd -o opener-socket="$directory/opener"
	wait_calmd_end 10 'exit 1'
	grep "opener-socket $directory/opener: Operation not permitted" "$CALMD_DIR/log"
	wait
	launch_calmd -o opener-socket=/nonexistent/opener
	wait_calmd_end 10 'exit 1'
	grep "opener-socket /nonexistent/opener: No such file" "$CALMD_DIR/log"
	run python3 - "$CALMD_BUILDDIR/shell/calmd-opener" <<-'END'
		import os, socket, sys
		program = os.open(sys.argv[1], os.O_RDONLY)
		os.setresuid(65534, 65534, 65534)
		ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
		os.dup2(theirs.fileno(), 3)
		os.execve(program, ["calmd-opener"], {})
	END
	assert_equal status "$status" 1
	assert_match "what it says" "$output" "serves nobody but root's calmd"
}
