#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# Load for bpftrace.sh: calls of which it knows the number. bpftrace-load.py WHO SHELF.
# What it is called by the kernel is WHO.

import fcntl
import mmap
import os
import select
import struct
import sys
import threading
import time

INFO, GET, GET_MANY, MEMBERS, IS_MEMBER, WAIT, PIN, UNPIN, REPORT, SCAN = \
    range(0xc500, 0xc50a)
ARENA = 0x200000
CHUNK = 0x200000


def call(fd, cmd, arg):
    """Answers what the kernel has written, or a negative errno."""
    buf = bytearray(arg)
    try:
        fcntl.ioctl(fd, cmd, buf)
    except OSError as e:
        return -e.errno
    return bytes(buf)


def get(fd, product):
    return call(fd, GET, struct.pack('IIqQIIQ64xQ', 112, 0, product, 0, 0, 0, 0, 0))


def get_many(fd, products):
    ids = struct.pack(f'{len(products)}q', *products)
    to = bytearray(64 * len(products))
    a = (ctypes_address(ids), ctypes_address(to), len(products))
    return call(fd, GET_MANY, struct.pack('IIQQIIQQ', 48, 0, *a, 0, 0, 0))


def ctypes_address(buf):
    import ctypes
    if isinstance(buf, bytes):
        return ctypes.cast(ctypes.c_char_p(buf), ctypes.c_void_p).value
    return ctypes.addressof((ctypes.c_char * len(buf)).from_buffer(buf))


def is_member(fd):
    return call(fd, IS_MEMBER, struct.pack('IIqqIIQQ', 48, 0, 7, 1, 0, 0, 0, 0))


def wait_ms(fd, ms):
    return call(fd, WAIT, struct.pack('IIQq', 24, 0, 1 << 60, ms * 1000000))


def pin(fd, lease_ms):
    answer = call(fd, PIN, struct.pack('IIQQQII', 40, 0, 0, lease_ms * 1000000, 0, 0, 0))
    return struct.unpack('IIQQQII', answer)[4]


def unpin(fd, token):
    return call(fd, UNPIN, struct.pack('IIQ', 16, 0, token))


# More wait at a time than there are return probes on two CPUs.
def reader(fd):
    for i in range(1000):
        assert isinstance(get(fd, i % 20), bytes)
    for _ in range(10):
        assert get(fd, 999999) == -2
    for _ in range(50):
        assert isinstance(get_many(fd, [1, 2, 3, 999999]), bytes)
    for _ in range(7):
        assert call(fd, 0xc5ff, bytes(8)) == -25
    waiters = [threading.Thread(target=wait_ms, args=(fd, 1500)) for _ in range(24)]
    for t in waiters:
        t.start()
    time.sleep(0.5)
    for _ in range(100):
        assert isinstance(is_member(fd), bytes)
    for t in waiters:
        t.join()


def pinner(fd):
    for _ in range(12):
        token = pin(fd, 60000)
        time.sleep(0.02)
        assert isinstance(unpin(fd, token), bytes)
    token = pin(fd, 50)
    print('holds', flush=True)
    poll = select.poll()
    poll.register(fd, select.POLLPRI)
    assert poll.poll(20000)
    assert unpin(fd, token) == -116
    other = os.open(f'/dev/shelf/{sys.argv[2]}', os.O_RDONLY)
    pin(other, 60000)
    os.close(other)


def holder(fd):
    pin(fd, 600000)
    print('holds', flush=True)
    time.sleep(600)


# Touches all of the arena twice: the second time nothing faults.
def mapper(fd):
    info = call(fd, INFO, struct.pack('II120x', 128, 0))
    arena_bytes = int(sys.argv[3])
    assert isinstance(info, bytes)
    control = mmap.mmap(fd, 4096, mmap.MAP_SHARED, mmap.PROT_READ)
    arena = mmap.mmap(fd, arena_bytes, mmap.MAP_SHARED, mmap.PROT_READ, offset=ARENA)
    for _ in range(2):
        sum(arena[at] for at in range(0, arena_bytes, CHUNK // 2))
    try:
        mmap.mmap(fd, arena_bytes, mmap.MAP_PRIVATE, mmap.PROT_READ, offset=ARENA)
        raise AssertionError('a private mapping')
    except OSError as e:
        assert e.errno == 22
    assert control[0] is not None


def main():
    who = sys.argv[1]
    with open('/proc/self/comm', 'w') as f:
        f.write(who)
    fd = os.open(f'/dev/shelf/{sys.argv[2]}', os.O_RDONLY)
    {'reader': reader, 'pinner': pinner, 'holder': holder, 'mapper': mapper}[who](fd)


main()
