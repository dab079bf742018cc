-- wrk script: posts one body after the other and ends with one line of JSON. BENCH_BODIES names the file that holds the bodies,
-- one in each line, which take turns; BENCH_TOKENS one with a token in each line, of which each request takes the next.
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"

local bodies, turn = {}, 0
for line in io.lines(os.getenv("BENCH_BODIES")) do
  bodies[#bodies + 1] = line
end
local tokens = os.getenv("BENCH_TOKENS")
local next_token = tokens and tokens ~= "" and io.lines(tokens)

request = function()
  if next_token then
    wrk.headers["Authorization"] = "Bearer " .. next_token()
  end
  turn = turn % #bodies + 1
  return wrk.format(nil, nil, nil, bodies[turn])
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    '{"requests":%d,"bytes":%d,"micros":%d,"p50":%d,"p99":%d,' ..
    '"errors":{"connect":%d,"read":%d,"write":%d,"timeout":%d,"status":%d}}\n',
    summary.requests, summary.bytes, summary.duration, latency:percentile(50), latency:percentile(99),
    errors.connect, errors.read, errors.write, errors.timeout, errors.status))
end
