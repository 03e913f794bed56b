"""The fence before a camera's streams: Redis takes entries from the camera's owner alone.

The key ``mirante:{camera}:owner`` holds the owner's token. A publisher claims it before it writes
over a new connection, and each write names the token: the script that writes compares the two
first, so there is no moment between looking and writing. No token is used twice, so a command
that a broken network delivers late finds another one.

A worker claims what is free, and what another process of its own name left. It must hold its name
before it claims and still hold it after, so whoever took the name since finds its own claim the
later one. A publisher without a name takes over once, when it begins, from others without one.

Of a camera that is shared the registry says whose it is. Its worker looks there before it claims
and after, as it does for its name, and may also claim from the worker that had the camera before.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import redis

from mirante.keys import owner_key

OWNER_MS = 10_000  # a camera whose owner died is free for a worker of another name so much later
RENEW_S = 3.0
MOST_FIELDS = 3_000  # of an entry, as a script gives a command fewer than 8,000 arguments
_IN_SCRIPT = ("executing the script", "ACL failure in script")  # Redis to 7.0; later, and Valkey
FOREIGN = "another publisher writes its streams"

_WRITE = """
local owner = redis.call('GET', KEYS[1])
if owner ~= ARGV[1] then return {0, owner} end
local held, facts = '0-0', redis.pcall('XINFO', 'STREAM', KEYS[#KEYS])
for at = 1, #facts - 1, 2 do
  if facts[at] == 'last-generated-id' then held = facts[at + 1] end
end
if held ~= ARGV[5] then
  local ms, seq = string.match(held, '(%d+)-(%d+)')
  local known_ms, known_seq = string.match(ARGV[5], '(%d+)-(%d+)')
  ms, known_ms = tonumber(ms), tonumber(known_ms)
  if ms < known_ms or ms == known_ms and tonumber(seq) < tonumber(known_seq) then return {2} end
end
local before = #KEYS - tonumber(ARGV[6])
local at, number, reply = 8 + 2 * (#KEYS - before), 0, {1}
while at <= #ARGV and ARGV[at] ~= '0' do
  local stream, last = tonumber(ARGV[at]), at + 2 + tonumber(ARGV[at + 1])
  local trim = 6 + 2 * stream
  local done = redis.pcall('XADD', KEYS[before + stream], ARGV[trim], '~', ARGV[trim + 1],
    ARGV[at + 2], 'sent', ARGV[4], unpack(ARGV, at + 3, last))
  if type(done) == 'table' and done.err then
    local again = string.find(done.err, 'equal or smaller', 1, true)
    if number == 0 and not again then return done end
    reply[#reply + 1] = number
    reply[#reply + 1] = done
    if not again then return reply end
  end
  at, number = last + 1, number + 1
end
if at < #ARGV and ARGV[at + 2] ~= '' then
  redis.call('SET', KEYS[before], ARGV[at + 2], 'EX', ARGV[at + 1])
end
for count = at + 3, #ARGV, 5 do
  local hash, keep = KEYS[1 + tonumber(ARGV[count])], ARGV[count + 1]
  local field, place, text = ARGV[count + 2], tonumber(ARGV[count + 3]), ARGV[count + 4]
  if keep == '0' then
    redis.call('DEL', hash)
  else
    if text ~= '' then
      local held = redis.call('HMGET', hash, field)[1] or ''
      held = held .. string.rep('0', place - #held)
      text = string.sub(held, 1, place) .. text .. string.sub(held, place + #text + 1)
      redis.call('HSET', hash, field, text)
    end
    redis.call('EXPIRE', hash, keep)
  end
end
if ARGV[2] ~= '0' then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
if ARGV[3] ~= '0' then
  for own = tonumber(ARGV[7]), #KEYS do redis.call('EXPIRE', KEYS[own], ARGV[3]) end
  for stream = 1, #KEYS - before do
    redis.call('XTRIM', KEYS[before + stream], ARGV[6 + 2 * stream], '~', ARGV[7 + 2 * stream])
  end
end
return reply
"""
_WRITE_SHA = hashlib.sha1(_WRITE.encode(), usedforsecurity=False).hexdigest()

_CLAIM = """
local owner = redis.call('GET', KEYS[1])
for rivals = 2, 4, 2 do
  local begins = ARGV[rivals]
  if owner and begins ~= '' and string.sub(owner, 1, #begins) == begins then owner = false end
end
if owner then return owner end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[3])
return 1
"""

_RELEASE = """
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
"""


@dataclass(slots=True)
class Tenure:
    """A worker's right to its name, as a lease in Redis shows it.

    Attributes:
        worker: the name.
        key: the lease's key.
        value: what the key holds while this process has the name.
        doubted: set by the sender when the key held something else; cleared by who renews it.
    """

    worker: str
    key: str
    value: str
    doubted: bool = False


class Fence:
    """The claims of one publisher. Used by its sender's thread alone.

    Args:
        tenure: of the worker that publishes; None for a line of its own, which has no name.

    Attributes:
        tokens: by camera, of the claims that are good on this connection.
    """

    def __init__(self, tenure: Tenure | None) -> None:
        self.tenure = tenure
        self.tokens: dict[str, str] = {}
        self._name = f"{tenure.worker if tenure else ''}:"
        self._own = f"{self._name}{secrets.token_hex(8)}."
        self._number = 0
        self._due_s: dict[str, float] = {}

    def claim(self, camera: str, begun: bool, before: str = "") -> tuple[str, tuple[Any, ...]]:
        """Return a new token and the command that claims the camera with it.

        Redis answers 1, or the token of the owner.

        Args:
            camera: its name.
            begun: this publisher has owned it before.
            before: the worker whose claim this one takes the place of; empty for none.
        """
        self._number += 1
        token = f"{self._own}{self._number}"
        rivals = self._own if begun and self.tenure is None else self._name
        former = before and f"{before}:"
        return token, ("EVAL", _CLAIM, 1, owner_key(camera), token, rivals, OWNER_MS, former)

    def release(self, camera: str) -> tuple[Any, ...]:
        """Return the command that gives a camera back, and forget its token."""
        return self.withdraw(camera, self.tokens.pop(camera))

    @staticmethod
    def withdraw(camera: str, token: str) -> tuple[Any, ...]:
        """Return the command that gives back a claim by its token."""
        return ("EVAL", _RELEASE, 1, owner_key(camera), token)

    def write(
        self, camera: str, beside: Sequence[str], streams: Sequence[str], whole: bool
    ) -> tuple[Any, ...]:
        """Return the head of a command that writes: up to the token and how long it is to last.

        What follows: seconds until the keys are forgotten or 0, the moment of sending, the last ID
        that the last stream is known to have, the number of streams, the number of the first key
        that is to be forgotten, for each stream how it is trimmed (two texts), for each entry the
        number of its stream from 1, the number of fields and values, ID, fields and values; then,
        where a camera's memory and counts are written behind the last entry: 0, the seconds that
        the memory is kept, the memory (it is the last key of ``beside``; empty to leave it), and
        for each count the number of its key in ``beside`` from 1, the seconds that it is kept,
        field, place and text (``mirante.counts.Digits``).

        Redis answers ``[0, owner]`` when the camera is another's, ``[2]`` when the stream has lost
        what was confirmed, as a replica took over that had not got it; else 1 and, in pairs, the
        number of an entry and its error; behind an error that is not about its ID nothing was
        written.

        Args:
            camera: its name.
            beside: keys of the camera that are no streams of the lane.
            streams: their keys.
            whole: send the script itself, as Redis does not know it.
        """
        now_s = time.monotonic()
        renew = self._due_s.get(camera, 0.0) <= now_s
        if renew:
            self._due_s[camera] = now_s + RENEW_S
        script = ("EVAL", _WRITE) if whole else ("EVALSHA", _WRITE_SHA)
        keys = (1 + len(beside) + len(streams), owner_key(camera), *beside, *streams)
        return (*script, *keys, self.tokens[camera], OWNER_MS if renew else 0)

    def claimed(self, tokens: dict[str, str]) -> None:
        """Take note of claims that are good."""
        self.tokens |= tokens
        due_s = time.monotonic() + RENEW_S
        self._due_s |= dict.fromkeys(tokens, due_s)

    def due(self) -> set[str]:
        """Return the cameras whose claim is due to be renewed."""
        now_s = time.monotonic()
        return {camera for camera in self.tokens if self._due_s.get(camera, 0.0) <= now_s}


def in_script(error: redis.RedisError) -> redis.RedisError:
    """Return the error, as one of permission where Redis met it inside a script."""
    if not any(words in str(error) for words in _IN_SCRIPT):
        return error
    needs = "get, set, del, pexpire, xadd, xtrim, expire, xrevrange, hmget, hset"
    return redis.exceptions.NoPermissionError(f"a publisher needs the commands {needs}: {error}")


def owner_of(token: bytes) -> str:
    """Return the worker whose token it is; empty for a line without one."""
    return token.decode("utf-8", "replace").partition(":")[0]


def owner_words(owner: bytes) -> str:
    """Return who owns a camera in words."""
    name = owner_of(owner)
    who = f'worker "{name}"' if name else "a line without a worker"
    return f"{FOREIGN}: {who}"
