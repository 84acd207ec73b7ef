-- Stands in front of the two scripts that fold.

local MARKER = '\0folded'

-- Whether the entry `mark` (`seq nonce`) is part of this partition's history. Numbers are used again
-- after a rollback, nonces are not. Only valid for the place folded to and what comes after it.
local function stands(journal, mark)
  if mark == head.folded or mark == head.seq .. ' ' .. head.nonce then
    return true
  end
  local seq, nonce = string.match(mark, '^(%d+) (%x+)$')
  local entry = redis.call('XRANGE', journal, seq .. '-0', seq .. '-0')[1]
  return entry and entry[2][2] == nonce
end
