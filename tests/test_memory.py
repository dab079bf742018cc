"""What a call needs is given back when it ends, and not only when the garbage collector comes, which is seldom."""

import gc
import weakref

from cds_service.chart.chart import Chart
from cds_service.examples import examples
from cds_service.server.connection import Outbox
from cds_service.settings.settings import data_folder
from tests.shipped import answers, example, library


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
