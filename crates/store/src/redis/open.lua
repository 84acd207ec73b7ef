-- Opens a generation of a source, if the whole stored state is still the one that the opener saw.
--
-- KEYS: head, positions, recovering
-- ARGV: state id, source, expected state (`generation position tail`, '' if not registered), fresh state
--
-- Replies `installed state` or `kept state` ('' if not registered).

local refusal = read_head(KEYS[1], ARGV[1]) or lost(KEYS[2], 'sources')
if refusal then
  return refusal
end

local stored = redis.call('HGET', KEYS[2], ARGV[2])
local expected = ARGV[3]
local same
if stored then
  same = expected ~= '' and begins(stored, expected .. ' ')
else
  same = expected == ''
end
if not same then
  return { 'kept', stored or '' }
end

redis.call('HSET', KEYS[2], ARGV[2], ARGV[4])
if not stored then
  redis.call('HINCRBY', KEYS[1], 'sources', 1)
end
local report = redis.call('HGET', KEYS[3], ARGV[2])
if report and not stored then
  -- The store has forgotten the source: its new generation has to come as far as the old one.
  local generation = string.match(ARGV[4], '^%x+')
  redis.call('HSET', KEYS[3], ARGV[2], generation .. string.match(report, ' .*$'))
elseif report then
  -- The content was replaced: what the older generation had reached cannot be reached any more.
  redis.call('HDEL', KEYS[3], ARGV[2])
end
return { 'installed', ARGV[4] }
