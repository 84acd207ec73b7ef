-- Writes the sums of one piece of a fold: absolute values of some counts hashes, up to the entry `to`.
--
-- KEYS: head, journal, counts hashes
-- ARGV: state id, place folded to when the fold began, `to` (both as `seq nonce`),
--       per counts hash: its number, its marker as it was read ('' if none), number of pairs, pairs
--
-- Replies `written` or `moved`. Doing it twice, late, or across a rollback changes nothing: the values
-- are those at `to`, they are only written over the values that they were made from, and only while
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
local at, first_pair = 4, {}
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
  first_pair[n] = at + 3
  at = at + 3 + 2 * tonumber(ARGV[at + 2])
end
first_pair[#KEYS + 1] = at + 3

for n = 3, #KEYS do
  -- Behind the last pair of a hash stand three arguments of the next one.
  local pairs_of = {}
  for i = first_pair[n], first_pair[n + 1] - 4 do
    pairs_of[#pairs_of + 1] = ARGV[i]
  end
  in_chunks(pairs_of, function(...)
    redis.call('HSET', KEYS[n], ...)
  end)
  redis.call('HSET', KEYS[n], MARKER, to)
end
redis.call('HSET', KEYS[1], 'buckets', buckets)
return { 'written' }
