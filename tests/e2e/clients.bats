#!/usr/bin/env bats
# Real telnet clients against a session: they get a shell, run a command, get all of its output and end
# with the status that they give to a session that ended well. Needs root.

load lib

# The shell's prompt, and a command whose output shows every lost or doubled byte.
LINES_WANTED=5000

# lines_are_complete: whether $output holds the numbers from 1 to LINES_WANTED, each once and in order.
lines_are_complete() {
	assert_equal "numbers" "$(tr -d '\r' <<<"$output" | sed 's/^# //' | grep -xE '[0-9]+' | cmp - <(seq "$LINES_WANTED") 2>&1)" ""
}

# session_of PROGRAM ADDRESS STATUS [local]: a whole session; STATUS is the client's own at the end.
session_of() {
	local program=$1 address=$2 status=$3 drive=drive
	[ "${4:-}" != local ] || drive=drive_local
	telnet_client "$program" "$address" "$PORT"
	case $program in
	curl) # blocks reading its input whenever it has read output, so it has all of it from the start
		run "-$status" "$drive" --pipe "${CLIENT[@]}" <<-END
			send seq $LINES_WANTED; echo do'ne'; exit\n
			eof
			expect ^$LINES_WANTED\r?\ndone\r?\n
			wait
		END
		;;
	nc)
		run "-$status" "$drive" --pipe "${CLIENT[@]}" <<-END
			expect # \$
			send seq $LINES_WANTED\n
			expect ^$LINES_WANTED\r?\n# \$
			send echo do'ne'\n
			expect ^done\r?\n# \$
			send exit\n
			eof
			wait
		END
		;;
	*)
		run "-$status" "$drive" "${CLIENT[@]}" <<-END
			expect # \$
			send seq $LINES_WANTED\n
			expect ^$LINES_WANTED\r*\n# \$
			send echo do'ne'\n
			expect ^done\r*\n# \$
			send exit\n
			wait
		END
		;;
	esac
	lines_are_complete
	wait_for 5 sessions_are 0
	wait_for 5 connections_are 0
}

# everywhere PROGRAM STATUS: over veth and loopback, IPv4 and IPv6.
everywhere() {
	start_calmd
	session_of "$1" "$SERVER4" "$2"
	session_of "$1" "$SERVER6" "$2"
	session_of "$1" 127.0.0.1 "$2" local
	session_of "$1" ::1 "$2" local
	stop_calmd
}

@test "GNU telnet: a session from prompt to logout" {
	everywhere telnet 0
}

@test "BusyBox telnet: a session from prompt to logout" {
	everywhere busybox 1 # whenever the server is the one to end it
}

@test "plink: a session from prompt to logout" {
	everywhere plink 0
}

@test "curl telnet://: a session from prompt to logout" {
	everywhere curl 0
}

@test "nc: a session from prompt to logout" {
	everywhere nc 0
}

@test "a client's terminal type and window reach the session" {
	start_calmd
	for program in telnet busybox plink; do
		telnet_client "$program" "$SERVER4" "$PORT"
		run drive "${CLIENT[@]}" <<-'END'
			expect [$#] $
			send echo $TERM; stty size\n
			expect 24 80
			send exit\n
			wait
		END
		echo "$program: $output"
		assert_match "$program's terminal" "$output" $'\n'"(${TERM:-xterm}|xterm|dumb|linux|vt100|screen)"
	done
	stop_calmd
}

@test "login(1) asks for name and password, and the session is the user's" {
	private_login
	start_calmd -o 'login={"login", "-p", "-h", "%h"}'
	# Without a port telnet offers LINEMODE: the password is not echoed there, either.
	for address in "$SERVER4 $PORT" "$SERVER6"; do
		# shellcheck disable=SC2086 # a port or none
		run -0 drive telnet $address <<-'END'
			expect login: $
			send tester\n
			expect Password: $
			send correct horse\n
			expect \$ $
			send id -un; tty; echo $HOME\n
			expect ^tester\r*\n/dev/pts/[0-9]+\r*\n.*/home-tester\r*\n
			expect \$ $
			send seq 2000\n
			expect ^2000\r*\n\$ $
			send logout 2>/dev/null || exit\n
			wait
		END
		[[ $output != *"correct horse"* ]] || fail "the password was echoed"
		wait_for 5 sessions_are 0
		wait_for 5 connections_are 0
	done
	stop_calmd
}

@test "a wrong password is refused, and the right one after it is not" {
	private_login
	start_calmd -o 'login={"login", "-p", "-h", "%h"}'
	run -0 drive --timeout 20 telnet "$SERVER4" "$PORT" <<-'END'
		expect login: $
		send tester\n
		expect Password: $
		send battery staple\n
		expect Login incorrect
		expect login: $
		send tester\n
		expect Password: $
		send correct horse\n
		expect \$ $
		send exit\n
		wait
	END
	wait_for 5 sessions_are 0
	stop_calmd
}

@test "who is logged in and from where stands in utmp, and is gone at the end" {
	private_login
	start_calmd -o 'login={"login", "-p", "-h", "%h"}'
	start_background user drive_steps_until_told
	wait_for 15 grep -q logged-in "$BATS_FILE_TMPDIR/user.out"
	run -0 who "/proc/$(calmd_pid)/root/run/utmp"
	assert_match "who says" "$output" "^tester +pts/[0-9]+ .*\($CLIENT4\)"
	touch "$BATS_FILE_TMPDIR/told"
	wait_for 10 background_ended user
	wait_for 5 sessions_are 0
	run -0 who "/proc/$(calmd_pid)/root/run/utmp"
	assert_equal "who says afterwards" "$output" ""
	stop_calmd
}

# A client that is logged in until the file `told` is there; exported for start_background.
drive_steps_until_told() {
	drive telnet "$SERVER4" "$PORT" <<-END
		expect login: \$
		send tester\n
		expect Password: \$
		send correct horse\n
		expect \\$ \$
		send echo logged-'in'; until [ -e $BATS_FILE_TMPDIR/told ]; do sleep 0.1; done; exit\n
		wait
	END
}

@test "BusyBox telnet, plink and nc reach login(1), too" {
	private_login
	start_calmd -o 'login={"login", "-p", "-h", "%h"}'
	for program in busybox plink nc; do
		telnet_client "$program" "$SERVER4" "$PORT"
		pipe=() eof='' status=0
		case $program in
		nc) pipe=(--pipe) eof=eof ;;
		busybox) status=1 ;;
		esac
		run "-$status" drive "${pipe[@]}" "${CLIENT[@]}" <<-END
			expect login: \$
			send tester\n
			expect Password: \$
			send correct horse\n
			expect \\$ \$
			send id -un; exit\n
			$eof
			wait
		END
		assert_match "$program: id" "$output" $'\n'tester$'\r'
		wait_for 5 sessions_are 0
	done
	stop_calmd
}
