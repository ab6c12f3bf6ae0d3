#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# P1, P5, P8 with a client that knows nothing of Shelf: YNL, out of the kernel's source,
# with Documentation/netlink/specs/shelf.yaml does all that can be done over netlink, and
# finds in each answer and event what the spec says that there is, neither less nor
# more: of what the spec does not have, it says so and stops. Refusals come with words.
#
# Seen to fail with: an attribute of NEW taken out of the spec, another type for one,
# two attributes in each other's place, another number for BATCH_RESULT and for PIN, and
# an operation that the kernel takes to be another.

import fcntl
import json
import os
import struct
import subprocess
import sys
import time

KERNEL = 'build/kernel'
SPEC = 'Documentation/netlink/specs/shelf.yaml'
SCHEMA = KERNEL + '/Documentation/netlink/genetlink-legacy.yaml'
MIB = 1 << 20

sys.path.insert(0, KERNEL + '/tools/net/ynl')
sys.dont_write_bytecode = True
try:
    import yaml  # noqa: F401
    import jsonschema  # noqa: F401
except ImportError as e:
    print('ok 1 - ynl # SKIP %s: tools/deps test\n1..1' % e)
    sys.exit(0)
from lib import YnlFamily, NlError  # noqa: E402

done = 0
bad = 0


def check(name, good, why=''):
    global done, bad
    done += 1
    if not good:
        bad = 1
        print('# %s' % (why,))
    print('%sok %d - %s' % ('' if good else 'not ', done, name), flush=True)


def told(name, answer, wanted):
    """These values are in the answer; None: any will do."""
    answer = answer or {}
    check(name, all(answer.get(k) == v if v is not None else k in answer
                    for k, v in wanted.items()), answer)


def refused(name, error, words, call, *args):
    try:
        check(name, False, 'not refused: %s' % call(*args))
    except NlError as e:
        text = (e.nl_msg.extack or {}).get('msg', '')
        check(name, e.error == error and words in text, e)


def cli(*args):
    out = subprocess.run([sys.executable, KERNEL + '/tools/net/ynl/cli.py', '--spec', SPEC,
                          '--schema', SCHEMA, '--output-json', *args],
                         capture_output=True, text=True)
    return out.stdout + out.stderr if out.returncode else json.loads(out.stdout)


def reply_of(ynl, op, mode='do'):
    return set(ynl.msgs[op].yaml[mode]['reply']['attributes'])


def shelves(ynl):
    settings = {'name': 'ynl', 'max-bytes': 16 * MIB - 5, 'batch-bytes': 8 * MIB,
                'quarantine-ms': 7, 'lease-ms': 2000, 'lease-max-ms': 3000,
                'pin-bytes': MIB, 'hash-seed': 1, 'max-change': 90, 'dangling': 'warn',
                'require-expect': 0}
    new = ynl.do('create', dict(settings))
    told('create tells of it', new, {
        'name': 'ynl', 'max-bytes': 16 * MIB, 'batch-bytes': 8 * MIB, 'quarantine-ms': 7,
        'lease-ms': 2000, 'lease-max-ms': 3000, 'pin-bytes': MIB, 'generation': 1,
        'max-change': 90, 'dangling': 'warn', 'require-expect': 0,
        'products': 0, 'opens': 0})
    check('all that the spec says', set(new) == reply_of(ynl, 'create'), new)
    refused('create twice', 17, 'a shelf of this name exists', ynl.do, 'create', settings)
    refused('create with no name', 22, 'NAME is missing', ynl.do, 'create', {'max-bytes': MIB * 4})
    refused('create, too small', 34, '', ynl.do, 'create', {'name': 'no', 'max-bytes': MIB})
    refused('an attribute of another command', 22, '', ynl.do, 'get', {'name': 'ynl', 'expect': 1})
    refused('get what is not there', 2, 'no such shelf', ynl.do, 'get', {'name': 'none'})
    told('get', ynl.do('get', {'name': 'ynl'}), {'name': 'ynl', 'generation': 1})
    told('get, by cli.py', cli('--do', 'get', '--json', '{"name": "ynl"}'), {'generation': 1})
    names = [s['name'] for s in ynl.dump('get', {})]
    check('the dump has it', 'ynl' in names, names)
    ynl.do('set', {'name': 'ynl', 'pin-bytes': 2 * MIB, 'quarantine-ms': 0})
    told('set', ynl.do('get', {'name': 'ynl'}), {'pin-bytes': 2 * MIB, 'quarantine-ms': 0})
    refused('set nothing', 22, 'no setting is given', ynl.do, 'set', {'name': 'ynl'})
    refused('set, out of range', 34, '', ynl.do, 'set', {'name': 'ynl', 'pin-bytes': 0})


def members(*ids):
    return b''.join(i.to_bytes(8, sys.byteorder, signed=True) for i in ids)


OPS = [
    {'kind': 'put', 'product': 42, 'price': 1999, 'stock': -7, 'flags': 3, 'currency': b'EUR',
     'attrs': b'{"a":1}'},
    {'kind': 'put', 'product': -(1 << 63)},
    {'kind': 'put', 'product': 43},
    {'kind': 'patch', 'product': 42, 'stock': 6},
    {'kind': 'delete', 'product': 43},
    {'kind': 'catalog-add', 'catalog': 7, 'members': members(42, 43, -1)},
    {'kind': 'catalog-remove', 'catalog': 7, 'members': members(43)},
    {'kind': 'catalog-delete', 'catalog': 8},
]


def begin(ynl):
    return ynl.do('batch-begin', {'name': 'ynl'})['cookie']


def event(ynl, name):
    """The next event of this name, in time."""
    for _ in range(200):
        ynl.check_ntf()
        for msg in ynl.async_msg_queue:
            if msg['name'] == name:
                ynl.async_msg_queue.remove(msg)
                return msg['msg']
        time.sleep(0.05)
    return {}


def commit(ynl, cookie, **more):
    ynl.do('batch-commit', {'cookie': cookie, **more})
    return event(ynl, 'batch-result')


def batches(ynl):
    cookie = begin(ynl)
    check('begin tells a cookie', cookie != 0)
    ynl.do('batch-ops', {'cookie': cookie, 'op': OPS[:3]})
    ynl.do('batch-ops', {'cookie': cookie, 'op': OPS[3:]})
    result = commit(ynl, cookie, ops=len(OPS), expect=1)
    told('the result of a commit', result, {
        'cookie': cookie, 'error': 0, 'generation': 2, 'ops': len(OPS), 'absent': 2,
        'pages': None, 'draft-ns': None, 'publish-ns': None, 'grace-ns': None})
    told('get tells of it', ynl.do('get', {'name': 'ynl'}), {
        'generation': 2, 'products': 2, 'catalogs': 1, 'memberships': 2})
    out = subprocess.run(['build/tools/shelfctl', '-j', '-s', 'ynl', 'get', 'product', '42'],
                         capture_output=True, text=True)
    told('the product', json.loads(out.stdout or '{}'), {
        'price': 1999, 'stock': 6, 'flags': 3, 'currency': 'EUR', 'attrs': {'a': 1}})
    cookie = begin(ynl)
    ynl.do('batch-ops', {'cookie': cookie, 'op': [
        {'kind': 'put', 'product': 77}, {'kind': 'catalog-add', 'catalog': 5,
                                         'members': members(77, 78)}]})
    told('a check, with a warning', commit(ynl, cookie, check=True, **{'max-change': 0}), {
        'cookie': cookie, 'error': 0, 'generation': 2, 'check': True, 'products': 3,
        'catalogs': 2, 'memberships': 4, 'dangles': 1, 'message': None})
    told('changes nothing', ynl.do('get', {'name': 'ynl'}), {'generation': 2, 'products': 2})
    cookie = begin(ynl)
    ynl.do('batch-ops', {'cookie': cookie, 'op': [
        {'kind': 'catalog-add', 'catalog': 5, 'members': members(78)}]})
    told('a guard', commit(ynl, cookie, dangling='refuse'), {'error': 33, 'message': None})
    result = commit(ynl, begin(ynl), expect=1)
    told('another generation was expected', result, {'error': 116, 'message': None})
    cookie = begin(ynl)
    ynl.do('batch-ops', {'cookie': cookie, 'op': [{'kind': 'patch', 'product': 99}]})
    told('a patch of what is not there', commit(ynl, cookie),
         {'error': 2, 'op-index': 0, 'message': None})


def refusals(ynl):
    cookie = begin(ynl)
    refused('an operation that lacks something', 22, 'PRODUCT is missing', ynl.do, 'batch-ops',
            {'cookie': cookie, 'op': [OPS[1], {'kind': 'put'}]})
    refused('ends its batch', 125, 'PRODUCT is missing', ynl.do, 'batch-ops',
            {'cookie': cookie, 'op': OPS[:1]})
    refused('and the commit', 125, 'PRODUCT is missing', ynl.do, 'batch-commit',
            {'cookie': cookie})
    cookie = begin(ynl)
    refused('a part of the batch is missing', 125, "doesn't have as many", ynl.do,
            'batch-commit', {'cookie': cookie, 'ops': 3})
    refused('the batch is over', 2, 'no such open batch', ynl.do, 'batch-abort',
            {'cookie': cookie})
    for what, op in (('kind', {'kind': 200, 'product': 1}),
                     ('currency', {'kind': 'put', 'product': 1, 'currency': b'EURO'}),
                     ('members', {'kind': 'catalog-add', 'catalog': 1, 'members': b'1234'})):
        refused('a wrong %s' % what, 34 if what != 'members' else 22, '', ynl.do,
                'batch-ops', {'cookie': begin(ynl), 'op': [op]})
    cookie = begin(ynl)
    ynl.do('batch-abort', {'cookie': cookie})
    refused('what was aborted', 2, 'no such open batch', ynl.do, 'batch-commit',
            {'cookie': cookie})
    told('nothing of it was applied', ynl.do('get', {'name': 'ynl'}), {'generation': 2})


def pins(ynl):
    check('no pins', ynl.dump('pins', {'name': 'ynl'}) == [])
    fd = pin_by_hand()
    found = ynl.dump('pins', {'name': 'ynl'})
    told('a pin', found[0] if len(found) == 1 else {}, {
        'generation': 2, 'pid': os.getpid(), 'user': 0, 'comm': None, 'age-ms': None,
        'left-ms': None, 'bytes': 0})
    check('all that the spec says', len(found) == 1 and
          set(found[0]) == reply_of(ynl, 'pins', 'dump'), found)
    os.close(fd)
    check('it goes with its file', ynl.dump('pins', {'name': 'ynl'}) == [])
    # Linux 6.1 has no words for a refused dump.
    refused('of what is not there', 2, '', ynl.dump, 'pins', {'name': 'none'})


def pin_by_hand():
    """SHELF_IOC_PIN, of the newest generation, for the usual time."""
    fd = os.open('/dev/shelf/ynl', os.O_RDONLY)
    fcntl.ioctl(fd, 0xc506, bytearray(struct.pack('=IIQQQII', 40, 0, 0, 0, 0, 0, 0)), True)
    return fd


def trim(ynl):
    new = ynl.do('trim', {'name': 'ynl'})
    told('trim tells a ticket', new, {'trims-asked': None, 'trims-done': None})
    for _ in range(200):
        if ynl.do('get', {'name': 'ynl'})['trims-done'] >= new['trims-asked']:
            break
        time.sleep(0.05)
    told('which is done in time', ynl.do('get', {'name': 'ynl'}),
         {'trims-done': new['trims-asked']})


def events(ynl, listener):
    told('event: created', event(listener, 'created'), {'name': 'ynl'})
    told('event: committed', event(listener, 'committed'),
         {'name': 'ynl', 'generation': 2, 'ops': len(OPS), 'absent': 2, 'pages': None})
    check('destroy', ynl.do('destroy', {'name': 'ynl'}) is None)
    refused('destroy twice', 2, 'no such shelf', ynl.do, 'destroy', {'name': 'ynl'})
    told('event: destroyed', event(listener, 'destroyed'), {'name': 'ynl'})


def main():
    ynl = YnlFamily(SPEC, SCHEMA)
    listener = YnlFamily(SPEC, '')
    listener.ntf_subscribe('events')
    try:
        shelves(ynl)
        batches(ynl)
        refusals(ynl)
        pins(ynl)
        trim(ynl)
        events(ynl, listener)
    finally:
        subprocess.run(['build/tools/shelfctl', 'destroy', 'ynl'], stderr=subprocess.DEVNULL)
    print('1..%d' % done)
    return bad


sys.exit(main())
