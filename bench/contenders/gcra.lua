-- One token bucket (GCRA), the same decision as sidegate.buckets.buckets: one number for each key, the
-- microsecond at which the bucket is full again. The clock is Redis's own, since those of its
-- clients differ.
-- KEYS[1]: the key. ARGV: microseconds for one token, capacity in microseconds, cost.
-- Returns {allowed, microseconds until full, microseconds to wait}.
local call, key, argv = redis.call, KEYS[1], ARGV
local clock = call('TIME')
local now = clock[1] * 1000000 + clock[2]
local full_at = call('GET', key)
full_at = full_at and tonumber(full_at) or now
if full_at < now then full_at = now end
local charged = full_at + argv[1] * argv[3]
local debt = charged - now
if debt > tonumber(argv[2]) then
  return {0, full_at - now, debt - argv[2]}
end
call('PSETEX', key, math.ceil(debt / 1000), charged)
return {1, debt, 0}
