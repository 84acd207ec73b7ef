-- Applies a batch whole or not at all: positions, families and one journal entry.
--
-- KEYS: head, positions, families, recovering, journal
-- ARGV: state id, nonce, increments, number of families,
--       per family: id, description
--       per delta: source, expected state (`generation position tail`), state after it
--                  (`generation position tail note`), records counted, filtered, rejected
--
-- Replies `applied seq states` or `refused 0 states`, with the states as they were found, '' for an
-- unknown source. Which case of the admission table a refused delta is, the caller works out from
-- them: a delta applies if and only if the stored state begins with the expected one, and only that
-- is decided here.

local refusal = read_head(KEYS[1], ARGV[1])
  or lost(KEYS[2], 'sources')
  or lost(KEYS[3], 'families')
if refusal then
  return refusal
end

local FIRST_FAMILY, PER_DELTA = 5, 6
local first_delta = FIRST_FAMILY + 2 * tonumber(ARGV[4])

local sources, stored = {}, {}
for at = first_delta, #ARGV, PER_DELTA do
  sources[#sources + 1] = ARGV[at]
end
in_chunks(sources, function(...)
  for _, state in ipairs(redis.call('HMGET', KEYS[2], ...)) do
    stored[#stored + 1] = state or ''
  end
end)

-- Decide. Nothing is written before the last delta is admitted: there is no way back afterwards.
local RECORDS_MAX = 9007199254740991
local states, admitted = {}, true
for n, state in ipairs(stored) do
  local at = first_delta + (n - 1) * PER_DELTA
  if begins(state, ARGV[at + 1] .. ' ') then
    -- Where the source ends stays as it was opened; only records are added up.
    local source_end, counted, filtered, rejected = string.match(state, ' (%S+) (%d+) (%d+) (%d+)$')
    if not counted then
      return { 'damaged', 'the state of ' .. ARGV[at] .. ' is unreadable' }
    end
    local after = ARGV[at + 2] .. ' ' .. source_end
    for word, records in ipairs({ counted, filtered, rejected }) do
      local sum = tonumber(records) + tonumber(ARGV[at + 2 + word])
      if sum > RECORDS_MAX then
        return { 'damaged', 'the records of ' .. ARGV[at] .. ' reach 2^53' }
      end
      after = after .. ' ' .. digits(sum)
    end
    states[#states + 1] = ARGV[at]
    states[#states + 1] = after
  else
    admitted = false
  end
end
if not admitted then
  return { 'refused', 0, stored }
end

-- What readers reported as acknowledged, and this commit reaches again.
local reached = {}
if redis.call('EXISTS', KEYS[4]) == 1 then
  for n = 1, #states, 2 do
    local report = redis.call('HGET', KEYS[4], states[n])
    if report then
      local generation, position = string.match(report, '^(%x+) (%d+) ')
      local new_generation, new_position = string.match(states[n + 1], '^(%x+) (%d+) ')
      if generation == new_generation and tonumber(position) <= tonumber(new_position) then
        reached[#reached + 1] = states[n]
      end
    end
  end
end

-- Write. The journal first: of all writes only this one could be refused (by a foreign entry in the
-- stream), and then nothing has been written.
local seq, time = next_entry()
refusal = append(KEYS[5], seq, time, ARGV[2], ARGV[3])
if refusal then
  return refusal
end
in_chunks(states, function(...)
  redis.call('HSET', KEYS[2], ...)
end)
local families = tonumber(head.families)
for at = FIRST_FAMILY, first_delta - 1, 2 do
  families = families + redis.call('HSETNX', KEYS[3], ARGV[at], ARGV[at + 1])
end
redis.call('HSET', KEYS[1], 'seq', seq, 'nonce', ARGV[2], 'time', time,
  'families', digits(families))
in_chunks(reached, function(...)
  redis.call('HDEL', KEYS[4], ...)
end)
return { 'applied', tonumber(seq), stored }
