-- Writes one piece of a fold: absolute values of some counts hashes, up to the entry `to`, and the
-- fields that are gone by then.
--
-- KEYS: head, journal, counts hashes
-- ARGV: state id, place folded to when the fold began, `to` (both as `seq nonce`),
--       per counts hash: its number, its marker as it was read ('' if none), number of pairs, number of
--                        fields that are gone, pairs, fields
--
-- Replies `written` or `moved`. Doing it twice, late, or across a rollback changes nothing: values and
-- gaps are those at `to`, they are only written over the values that they were made from, and only while
-- `to` stands in the journal. The place folded to is compared too: a hash whose marker is older has
-- no increments between its marker and that place, which is not so after a rollback of that place.

local refusal = read_head(KEYS[1], ARGV[1])
if refusal then
  return refusal
end
local to = ARGV[3]
if head.folded ~= ARGV[2] or not stands(KEYS[2], to) then
  return { 'moved' }
end

local buckets = head.buckets
local at, parts = 4, {}
for n = 3, #KEYS do
  local number, expected = tonumber(ARGV[at]), ARGV[at + 1]
  local marker = redis.call('HGET', KEYS[n], MARKER)
  if (marker or '') ~= expected then
    return { 'moved' }
  end
  local written = string.sub(buckets, number + 1, number + 1) == '1'
  if written ~= (marker and true or false) then
    return { 'damaged', KEYS[n] .. ' is gone' }
  end
  buckets = string.sub(buckets, 1, number) .. '1' .. string.sub(buckets, number + 2)
  local pairs_at = at + 4
  local gone_at = pairs_at + 2 * tonumber(ARGV[at + 2])
  at = gone_at + tonumber(ARGV[at + 3])
  parts[n] = { pairs_at = pairs_at, gone_at = gone_at, next_at = at }
end

local function arguments(first, next_at)
  local list = {}
  for i = first, next_at - 1 do
    list[#list + 1] = ARGV[i]
  end
  return list
end

for n = 3, #KEYS do
  local part = parts[n]
  in_chunks(arguments(part.pairs_at, part.gone_at), function(...)
    redis.call('HSET', KEYS[n], ...)
  end)
  -- A forgotten series: the marker keeps the hash itself there.
  in_chunks(arguments(part.gone_at, part.next_at), function(...)
    redis.call('HDEL', KEYS[n], ...)
  end)
  redis.call('HSET', KEYS[n], MARKER, to)
end
redis.call('HSET', KEYS[1], 'buckets', buckets)
return { 'written' }
