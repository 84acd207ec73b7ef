-- Appends an entry that moves no source: one that forgets series, or an empty one.
--
-- KEYS: head, journal
-- ARGV: state id, nonce, increments
--
-- Replies `applied seq`.

local refusal = read_head(KEYS[1], ARGV[1])
if refusal then
  return refusal
end
local seq, time = next_entry()
refusal = append(KEYS[2], seq, time, ARGV[2], ARGV[3])
if refusal then
  return refusal
end
redis.call('HSET', KEYS[1], 'seq', seq, 'nonce', ARGV[2], 'time', time)
return { 'applied', tonumber(seq) }
