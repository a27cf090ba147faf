"""What comes through the walls of VRRP's protocol: vrrp.py send TEXT ADDRESS... | vrrp.py hear TEXT FILE

The second has the file there while it hears, and says who was heard until somebody said the text.
"""

import socket
import struct
import sys
from pathlib import Path

VRRP = 112
NETLINK_NETFILTER = 12
# A request to ctnetlink that is to be acknowledged: delete, and no word of what.
FORGET = struct.pack("=IHHIIBBH", 20, 1 << 8 | 2, 1 | 4, 1, 0, 0, 0, 0)


def send(text, *addresses):
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, VRRP) as wire:
        for address in addresses:
            wire.sendto(text.encode(), (address, 0))


def forget_connections():
    """To the kernel, whatever comes without ports from where something was sent is an answer, and those may pass."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER) as kernel:
        kernel.send(FORGET)
        (error,) = struct.unpack("=i", kernel.recv(4096)[16:20])
        if error:
            raise OSError(-error, "the kernel did not forget its connections")


def hear(text, file):
    heard, packet = set(), b""
    forget_connections()
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, VRRP) as wire:
        Path(file).touch()
        while not packet.endswith(text.encode()):
            packet, (address, _port) = wire.recvfrom(4096)
            heard.add(address)
    Path(file).unlink()
    print(*sorted(heard))


{"send": send, "hear": hear}[sys.argv[1]](*sys.argv[2:])
