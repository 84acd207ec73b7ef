-- Removes the position of a source, if its stored state is still the whole expected one.
--
-- KEYS: head, positions, recovering
-- ARGV: state id, source, expected state (the whole text)
--
-- Replies `forgotten` or `kept`.

local refusal = read_head(KEYS[1], ARGV[1]) or lost(KEYS[2], 'sources')
if refusal then
  return refusal
end
if redis.call('HGET', KEYS[2], ARGV[2]) ~= ARGV[3] then
  return { 'kept' }
end
redis.call('HDEL', KEYS[2], ARGV[2])
redis.call('HSET', KEYS[1], 'sources', digits(tonumber(head.sources) - 1))
-- Whoever forgets a source does not wait for it to come back.
redis.call('HDEL', KEYS[3], ARGV[2])
return { 'forgotten' }
