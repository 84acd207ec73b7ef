-- Stands in front of the two scripts that append to the journal.

-- The number and the time of the next entry. A clock that was set back waits in the journal: whoever
-- compares times of entries relies on it.
local function next_entry()
  return digits(tonumber(head.seq) + 1), digits(math.max(now_ms(), tonumber(head.time)))
end

-- Appends the next entry; returns the reply to give if the stream does not take it.
local function append(journal, seq, time, nonce, block)
  local added = redis.pcall('XADD', journal, seq .. '-0',
    'n', nonce, 'p', head.nonce, 't', time, 'b', block)
  if type(added) == 'table' then
    return { 'damaged', 'the journal does not take entry ' .. seq .. ': ' .. added.err }
  end
end
