-- Creates the metadata and all heads together, if nothing of a store exists.
--
-- KEYS: meta, every head that a store can have, then other keys that a store can have
-- ARGV: state id, number of partitions, layout version, hash version, digits of `buckets` at the start
--
-- Replies `created`, or `exists` if there is anything already: what that is, the caller reads.

local existing = 0
in_chunks(KEYS, function(...)
  existing = existing + redis.call('EXISTS', ...)
end)
if existing > 0 then
  return { 'exists' }
end
local no_mark = '0 0000000000000000'
for n = 1, tonumber(ARGV[2]) do
  redis.call('HSET', KEYS[n + 1], 'state_id', ARGV[1], 'seq', 0, 'nonce', '0000000000000000',
    'folded', no_mark, 'time', 0, 'sources', 0, 'families', 0, 'buckets', ARGV[5])
end
redis.call('HSET', KEYS[1], 'state_id', ARGV[1], 'layout', ARGV[3], 'partitions', ARGV[2],
  'hash_version', ARGV[4], 'created_ms', digits(now_ms()))
return { 'created' }
