"""What a call needs is given back when it ends, and not only when the garbage collector comes, which is seldom."""

import gc
import subprocess
import sys
import weakref

from cds_service.chart.chart import Chart
from cds_service.examples import examples
from cds_service.server.connection import Outbox
from cds_service.settings.settings import data_folder
from tests.shipped import answers, example, library

# Prints of how many pieces, each asked of the system, memory was made before, with and after a large one (malloc.h).
PIECES = """
import ctypes
from cds_service.server import gunicorn_server
class Info(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in "arena ordblks smblks hblks hblkhd a b c d e".split()]
told = ctypes.CDLL(None).mallinfo2
told.restype = Info
# What was freed before would raise the size from which on glibc asks the system.
del [bytearray(20_000_000)][0]
gunicorn_server._small_heap()
before = told().hblks
# More than any hole may have room for.
body = bytearray(20_000_000)
during = told().hblks
del body
print(during - before, told().hblks - before)
"""


def test_no_chart_outlives_its_call():
    # Of each rule set an empty chart is kept, which is nobody's.
    for policy in library().policies:
        library().silences(policy)
    gc.collect()
    kept = {id(item) for item in gc.get_objects() if isinstance(item, Chart)}
    gc.disable()
    try:
        for name in examples(data_folder("fhir_examples")):
            answers(example(name))
        left = [item for item in gc.get_objects() if isinstance(item, Chart) and id(item) not in kept]
    finally:
        gc.enable()
    assert not left


def test_no_answer_outlives_its_connection():
    outbox = Outbox(("127.0.0.1", 1), ("127.0.0.1", 2), 0.0)
    # As gunicorn writes.
    outbox.sock.sendall(b"HTTP/1.1 200 OK")
    there = weakref.ref(outbox)
    gc.disable()
    try:
        del outbox
        assert there() is None
    finally:
        gc.enable()


def test_what_a_large_body_took_is_given_back_to_the_system():
    run = subprocess.run([sys.executable, "-c", PIECES], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["1", "0"]
