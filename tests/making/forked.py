"""Stands for a process that the fork server makes: has its pipes, ends as it ends, and takes it along when killed.

`python -S -E forked.py SOCKET WORDS...`; imports nothing but the standard library, and so starts in milliseconds.
"""

from __future__ import annotations

import json
import os
import socket
import sys


def ask(server: str, words: list[str], pipes: tuple[int, int, int]) -> socket.socket:
    """Have a process made with these words and pipes; its end is told on the socket."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    connection.connect(server)
    socket.send_fds(connection, [json.dumps(words).encode()], pipes)
    return connection


if __name__ == "__main__":
    asked = ask(sys.argv[1], sys.argv[2:], (0, 1, 2))
    asked.recv(100)  # its process id
    os.close(0)
    os.close(1)  # whoever reads this pipe learns of the other's end
    code = int(asked.recv(100) or b"1")
    if code < 0:
        os.kill(os.getpid(), -code)
    os._exit(code)
