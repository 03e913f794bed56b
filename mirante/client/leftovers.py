"""What consumers of a group leave in Redis, removed where nobody needs it any more.

A consumer without pending entries is nothing but a name: Redis makes it again when it reads. One
script sees that it has none and removes it, so no entry can come to it in between.
"""

from __future__ import annotations

from typing import Any

from mirante.keys import camera_of, key

_TIDY = """
local group, leaving = ARGV[1], ARGV[3]
local consumers = redis.pcall('XINFO', 'CONSUMERS', KEYS[1], group)
if consumers.err then return 0 end
for _, flat in ipairs(consumers) do
  local facts = {}
  for at = 1, #flat, 2 do facts[flat[at]] = flat[at + 1] end
  local is_gone = facts.idle >= tonumber(ARGV[2]) or facts.name == leaving
  if facts.pending == 0 and is_gone then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], group, facts.name)
  end
end
local oldest = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
local since = oldest and tonumber(string.match(oldest[1], '^%d+')) or 0
local notes, begun = redis.call('ZRANGE', KEYS[2], 0, -1), {}
for _, note in ipairs(notes) do
  local name, epoch = string.match(note, '^(.*)/(%d+)$')
  epoch = tonumber(epoch)
  if epoch and epoch <= since and epoch > (begun[name] or -1) then begun[name] = epoch end
end
for _, note in ipairs(notes) do
  local name, epoch = string.match(note, '^(.*)/(%d+)$')
  if epoch and tonumber(epoch) < (begun[name] or -1) then redis.call('ZREM', KEYS[2], note) end
end
return 1
"""


def tidy(stream: str, group: str, idle_s: float, leaving: str = "") -> tuple[Any, ...]:
    """Return the command that removes a group's dead consumers, and notes that are of no use.

    A note is of an epoch; it goes when every entry of the stream is of a later one.

    Args:
        stream: the key.
        group: the group's name.
        idle_s: a consumer without entries that was silent for so long is dead.
        leaving: one that goes now, unless it has entries.
    """
    keys = (stream, key(camera_of(stream), "groups"))
    return ("EVAL", _TIDY, 2, *keys, group, round(idle_s * 1000), leaving)
