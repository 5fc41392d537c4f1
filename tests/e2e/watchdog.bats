#!/usr/bin/env bats
# A master that lives but does nothing any more is found, and followed by another one.

load lib

EXPECTED_LOG='master [0-9]+ (was ended by signal 9|does not answer)'

setup_file() {
	make_network
	manage_calmd
}

@test "a master that is stopped, and one in an endless loop, are replaced, and the session goes on" {
	start_calmd
	run_peer <<-'END'
		import platform, signal, threading
		from telnet import *
		def stop(pid):
		    os.kill(pid, signal.SIGSTOP)
		def loop(pid):
		    """Puts a jump to itself where it comes back to from its system call."""
		    jump = {"x86_64": b"\xeb\xfe", "aarch64": b"\x00\x00\x00\x14"}[platform.machine()]
		    where = "running"
		    while where == "running":
		        where = open(f"/proc/{pid}/syscall").read().split()[-1]
		    with open(f"/proc/{pid}/mem", "r+b", buffering=0) as memory:
		        memory.seek(int(where, 16))
		        memory.write(jump)
		def signs_of_life():
		    try:
		        return int(open(os.environ["CALMD_DIR"] + "/alive").read())
		    except FileNotFoundError:
		        return None # built without libsystemd
		client = Telnet(SERVER4, PORT, timeout=60)
		client.read_until(rb"# $")
		client.run("x=kept")
		for number, hang in enumerate((stop, loop), 1):
		    master = ctl("status")["master_pid"]
		    before, began = signs_of_life(), time.monotonic()
		    hang(master)
		    assert client.run("echo $x") == "kept\n"
		    print(f"{hang.__name__}: {time.monotonic() - began:.1f} s")
		    now = ctl("status")
		    assert now["master_pid"] != master and now["takeovers"] == number
		    if before is not None:
		        # while there was no master the service manager heard that one would follow
		        assert signs_of_life() >= before + 3
	END
	assert_equal "masters that were killed" "$(grep -c 'does not answer any more, and is killed' "$CALMD_DIR/log")" 2
	kill -TERM "$(<"$CALMD_DIR/supervisor")"
	wait_calmd_end 15
	log_is_clean
}
