-- Remembers what a reader was told, if the store is behind it. `is_behind` in `logtally_core` decides
-- that for all other stores; this is the same decision, and is tested against it: the same generation
-- at a lower position, or no state where something had been counted. Another generation says nothing,
-- because the reader compares that one with the file.
--
-- KEYS: head, positions, recovering
-- ARGV: state id, source, acknowledged generation, acknowledged position
--
-- Replies `behind` or `level`.

local refusal = read_head(KEYS[1], ARGV[1]) or lost(KEYS[2], 'sources')
if refusal then
  return refusal
end

local stored = redis.call('HGET', KEYS[2], ARGV[2])
if stored then
  local generation, position = string.match(stored, '^(%x+) (%d+) ')
  if generation ~= ARGV[3] or tonumber(position) >= tonumber(ARGV[4]) then
    return { 'level' }
  end
elseif tonumber(ARGV[4]) == 0 then
  return { 'level' }
end

-- A report that was under way for long must not lower what is to be reached.
local target = ARGV[4]
local known = redis.call('HGET', KEYS[3], ARGV[2])
if known then
  local generation, position = string.match(known, '^(%x+) (%d+) ')
  if generation == ARGV[3] and tonumber(position) > tonumber(target) then
    target = position
  end
end
redis.call('HSET', KEYS[3], ARGV[2], ARGV[3] .. ' ' .. target .. ' ' .. digits(now_ms()))
return { 'behind' }
