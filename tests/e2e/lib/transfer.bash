# Bytes through a session, with checksums; the file they come from is "$BATS_FILE_TMPDIR/bytes".
# PEER_SECONDS, where set and exported, is how long one may take.
# shellcheck shell=bash

# receive ADDRESS BYTES: has the session write the first BYTES of the file, and compares checksums.
receive() {
	run_peer "$1" "$2" "$BATS_FILE_TMPDIR/bytes" <<-'END'
		import hashlib
		from telnet import *
		address, count, path = sys.argv[1], int(sys.argv[2]), sys.argv[3]
		want = hashlib.sha256(open(path, "rb").read(count)).hexdigest()
		with Telnet(address, PORT) as client:
		    client.read_until(rb"# $")
		    client.type(f"stty raw -echo; echo GO; head -c {count} {path}; exit\r")
		    client.read_until(rb"GO\n")
		    client.timeout = float(os.environ.get("PEER_SECONDS", 120))
		    begin = time.monotonic()
		    chunks, size = [], 0
		    data, client.data = client.data, b""
		    while True:
		        chunks.append(data)
		        size += len(data)
		        if not client.fill():
		            break
		        data, client.data = client.data, b""
		    passed = time.monotonic() - begin
		    assert size == count, f"{size} bytes arrived"
		    assert hashlib.sha256(b"".join(chunks)).hexdigest() == want
		    assert not client.reset
		print(f"{count} bytes out in {passed:.1f} s: {count / passed / 1e6:.1f} MB/s")
	END
}

# send ADDRESS BYTES: types the first BYTES of the file; the session says their checksum.
send() {
	run_peer "$1" "$2" "$BATS_FILE_TMPDIR/bytes" <<-'END'
		import hashlib
		from telnet import *
		address, count, path = sys.argv[1], int(sys.argv[2]), sys.argv[3]
		data = open(path, "rb").read(count)
		with Telnet(address, PORT) as client:
		    client.read_until(rb"# $")
		    # CR with its NUL: a CR alone and an LF that happens to come first are one newline
		    client.type(f"stty raw -echo; echo GO; head -c {count} | sha256sum; exit\r\0")
		    client.read_until(rb"GO\n")
		    client.socket.settimeout(float(os.environ.get("PEER_SECONDS", 120)))
		    begin = time.monotonic()
		    client.send(data.replace(b"\xff", b"\xff\xff").replace(b"\r", b"\r\0"))
		    line = client.read_until(rb"\n", timeout=float(os.environ.get("PEER_SECONDS", 120)))
		    passed = time.monotonic() - begin
		    assert line.split()[0].decode() == hashlib.sha256(data).hexdigest(), line
		    client.read_all()
		    assert not client.reset
		print(f"{count} bytes in in {passed:.1f} s: {count / passed / 1e6:.1f} MB/s")
	END
}
