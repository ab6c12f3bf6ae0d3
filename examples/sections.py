#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""
What sections.cc does, from Python by ctypes, without a compiler:

    sections.py SHELF CATALOG

The inline functions of shelf.h are symbols of the library as well, with other names:
shelf_section_begin() and its like. Structs have the layout of shelf/shelf.h, which is
part of the library's ABI, as its calls are.
"""
import ctypes
import os
import sys
from ctypes import (POINTER, Structure, byref, c_bool, c_char, c_char_p, c_int, c_int64, c_uint,
                    c_uint8, c_uint32, c_uint64, c_void_p)


class Section(Structure):
    _fields_ = [("arena", c_void_p), ("mask", c_uint64), ("seed", c_uint64),
                ("root", c_void_p), ("generation", c_uint64)]


class Product(Structure):
    _fields_ = [("id", c_int64), ("generation", c_uint64), ("price", c_int64),
                ("stock", c_int64), ("attrs_generation", c_uint64), ("attrs_ref", c_uint32),
                ("flags", c_uint32), ("currency", c_char * 4), ("attrs_len", c_uint32),
                ("reserved", c_uint8 * 6), ("next", c_uint8), ("state", c_uint8)]


class Catalog(Structure):
    _fields_ = [("id", c_int64), ("generation", c_uint64), ("count", c_uint64),
                ("set", c_uint8 * 40)]


assert ctypes.sizeof(Product) == ctypes.sizeof(Catalog) == 64

lib = ctypes.CDLL("libshelf.so.1")
PROTOTYPES = {
    "shelf_open": (c_int, c_char_p, c_uint, POINTER(c_void_p)),
    "shelf_close": (None, c_void_p),
    "shelf_mapped": (c_bool, c_void_p),
    "shelf_section_begin": (None, c_void_p, POINTER(Section)),
    "shelf_section_retry": (c_bool, c_void_p, POINTER(Section)),
    "shelf_section_product": (c_void_p, POINTER(Section), c_int64),
    "shelf_section_catalog": (c_void_p, POINTER(Section), c_int64),
    "shelf_section_members": (c_uint32, POINTER(Section), POINTER(Catalog), c_bool, c_int64,
                              POINTER(c_int64), c_uint32, POINTER(c_bool)),
}
for name, (result, *arguments) in PROTOTYPES.items():
    getattr(lib, name).restype = result
    getattr(lib, name).argtypes = arguments


def record(kind, address):
    """A copy of our own: in the mapping it may change while it is looked at."""
    return kind.from_buffer_copy(ctypes.string_at(address, ctypes.sizeof(kind)))


def pages(shelf, section, catalog):
    """The members, up to 64 at a time, as long as they count: garbage may have no end."""
    ids, more, after = (c_int64 * 64)(), c_bool(True), None
    while more.value and not lib.shelf_section_retry(shelf, section):
        n = lib.shelf_section_members(section, catalog, after is None, after or 0, ids,
                                      len(ids), byref(more))
        yield ids[:n]
        after = ids[n - 1]


def read(shelf, section, catalog_id):
    members, prices = 0, []
    address = lib.shelf_section_catalog(section, catalog_id)
    if address:
        for ids in pages(shelf, section, record(Catalog, address)):
            members += len(ids)
            found = (lib.shelf_section_product(section, i) for i in ids)
            prices += [record(Product, at).price for at in found if at]
    return members, prices


def main(name, catalog_id):
    shelf, section = c_void_p(), Section()
    ret = lib.shelf_open(name.encode(), 0, byref(shelf))
    if ret:
        sys.exit(f"{name}: {os.strerror(-ret)}")
    if not lib.shelf_mapped(shelf):
        sys.exit(f"{name}: sections need a mapping")
    while True:
        lib.shelf_section_begin(shelf, section)
        members, prices = read(shelf, section, catalog_id)
        if not lib.shelf_section_retry(shelf, section):
            break
    print(f"generation {section.generation}: {members} members, {len(prices)} with a price, "
          f"in all {sum(prices)}")
    lib.shelf_close(shelf)


if len(sys.argv) != 3:
    sys.exit("usage: sections.py SHELF CATALOG")
main(sys.argv[1], int(sys.argv[2]))
