#!/usr/bin/python3
"""What systemd does for calmd-opener.socket: starts an opener for each connection.

    opener_socket.py SOCKET OPENER

Listens at SOCKET and gives OPENER what has connected as descriptor 3. Ends on SIGTERM, which
openers and sessions survive.
"""

import os
import signal
import socket
import sys


def main():
    path, opener = sys.argv[1:]
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        os.umask(0o177)
        listener.bind(path)
        listener.listen()
        while True:
            channel, _ = listener.accept()
            if os.fork() == 0:
                os.setsid()
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                os.dup2(channel.detach(), 100)
                os.dup2(100, 3)
                os.closerange(4, 1024)
                os.execv(opener, ["calmd-opener"])
            channel.close()


if __name__ == "__main__":
    main()
