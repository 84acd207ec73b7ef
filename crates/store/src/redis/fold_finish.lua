-- Moves the place folded to, if every counts hash that has increments up to there contains them; and
-- trims entries that have been folded for longer than the grace time.
--
-- KEYS: head, journal, counts hashes with increments between the two places
-- ARGV: state id, place folded to when the fold began, the new one (both as `seq nonce`),
--       grace time (milliseconds), entries to trim at most
--
-- Replies `folded`, last seq, seq folded to, entries in the journal, time, or `moved`.

local refusal = read_head(KEYS[1], ARGV[1])
if refusal then
  return refusal
end
local to = ARGV[3]
if head.folded ~= ARGV[2] or not stands(KEYS[2], to) then
  return { 'moved' }
end

-- Another folder may be ahead, and its marker is as good as ours while it stands.
local to_seq = tonumber(string.match(to, '^%d+'))
local known = { [to] = true }
for n = 3, #KEYS do
  local marker = redis.call('HGET', KEYS[n], MARKER)
  if not marker then
    return { 'moved' }
  end
  if known[marker] == nil then
    known[marker] = tonumber(string.match(marker, '^%d+')) > to_seq and stands(KEYS[2], marker)
  end
  if not known[marker] then
    return { 'moved' }
  end
end

-- `trim` remembers a place and since when everything up to it has been folded. Once that is a grace
-- time ago it is trimmed, and the next place starts to wait: so entries stay between one grace time
-- and two, and no script ever reads a journal's blobs to learn their age.
local now, grace_ms = now_ms(), tonumber(ARGV[4])
local place, since = string.match(redis.call('HGET', KEYS[1], 'trim') or '', '^(%d+) (%d+)$')
place, since = tonumber(place), tonumber(since)
local first = tonumber(head.seq) - redis.call('XLEN', KEYS[2]) + 1
local keep = first
if place and now >= since + grace_ms then
  keep = math.min(place + 1, first + tonumber(ARGV[5]))
end

if to ~= ARGV[2] then
  redis.call('HSET', KEYS[1], 'folded', to)
end
if keep > first then
  redis.call('XTRIM', KEYS[2], 'MINID', digits(keep) .. '-0')
end
-- A clock that was set back must not stop the trimming until it has caught up.
if not place or place < keep or now < since then
  redis.call('HSET', KEYS[1], 'trim', digits(to_seq) .. ' ' .. digits(now))
end
return { 'folded', tonumber(head.seq), to_seq, redis.call('XLEN', KEYS[2]), now }
