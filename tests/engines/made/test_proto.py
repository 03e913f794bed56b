"""ONNX files read and written by protobuf alone."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from engines.made import proto


def test_threads_that_begin_at_once_have_the_same_classes() -> None:
    proto._made.cache_clear()
    begin = Barrier(8)

    def message(number: int) -> object:
        begin.wait()
        return proto.new("ValueInfo", name=str(number))

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)  # the threads take turns within the making of the classes
    try:
        with ThreadPoolExecutor(8) as pool:
            made = list(pool.map(message, range(8)))
    finally:
        sys.setswitchinterval(interval)
    assert len({type(each) for each in made}) == 1
