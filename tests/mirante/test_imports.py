"""A consumer needs numpy, msgspec and redis, and nothing else that is not Python's own."""

import subprocess
import sys

PROGRAM = """
import sys
three = {"mirante", "numpy", "msgspec", "redis", "hiredis", "async_timeout"}
allowed = three | sys.stdlib_module_names

class Gate:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] not in allowed:
            raise ModuleNotFoundError(f"blocked: {name}", name=name)

sys.meta_path.insert(0, Gate())
import mirante
assert "redis" not in sys.modules, "types alone must not load the client"
from mirante import subscribe, Frame, Gap, Status, SubscribeError
import mirante.aio, mirante.wire, mirante.schemas
from mirante.wire import encode, decode
frame = mirante.FrameResult("gate", 0, 0, 0, "arrival", 2, 2)
assert decode(encode(frame).detections["json"]).camera == "gate"
"""


def test_a_consumer_needs_three_libraries() -> None:
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
