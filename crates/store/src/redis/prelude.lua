-- Stands in front of every script that works on a partition (a script cannot load another one).
--
-- Numbers are doubles here, exact below 2^53, which the writers respect. Every reply is an array that
-- begins with a status word; nothing is reported as a script error, so that an error always means
-- that the server itself refuses.

-- `unpack` fails near 8,000 values. Even, so that a list of pairs is never cut inside a pair.
local CHUNK = 4000

local function in_chunks(list, call)
  for first = 1, #list, CHUNK do
    call(unpack(list, first, math.min(first + CHUNK - 1, #list)))
  end
end

-- 1e15 and more must not come out as `1e+15`.
local function digits(number)
  return string.format('%.0f', number)
end

local function begins(text, beginning)
  return string.sub(text, 1, #beginning) == beginning
end

local function now_ms()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

local HEAD = { 'state_id', 'seq', 'nonce', 'folded', 'time', 'sources', 'families', 'buckets' }
local head = {}

-- Fills `head`; returns the reply to give if the partition is not (or not wholly) that of the store
-- `state_id`.
local function read_head(key, state_id)
  local values = redis.call('HMGET', key, unpack(HEAD))
  if not values[1] then
    return { 'absent' }
  elseif values[1] ~= state_id then
    return { 'other' }
  end
  for i, field in ipairs(HEAD) do
    if not values[i] then
      return { 'damaged', 'the head has no ' .. field }
    end
    head[field] = values[i]
  end
end

-- A hash that has not as many fields as the head remembers was deleted or evicted. Going on would
-- take every source for a new one and count all of it again.
local function lost(key, count)
  local fields = redis.call('HLEN', key)
  if fields ~= tonumber(head[count]) then
    return { 'damaged', key .. ' has ' .. fields .. ' fields, the head says ' .. head[count] }
  end
end
