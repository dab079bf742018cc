-- wrk script: posts one body over and over and ends with one line of JSON. BENCH_BODY names the file that holds the body,
-- BENCH_TOKENS one with a token in each line, of which each request takes the next.
local file = assert(io.open(os.getenv("BENCH_BODY"), "rb"))
wrk.method = "POST"
wrk.body = file:read("*a")
wrk.headers["Content-Type"] = "application/json"
file:close()

local tokens = os.getenv("BENCH_TOKENS")
if tokens and tokens ~= "" then
  local next_token = io.lines(tokens)
  request = function()
    wrk.headers["Authorization"] = "Bearer " .. next_token()
    return wrk.format()
  end
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    '{"requests":%d,"bytes":%d,"micros":%d,"p50":%d,"p99":%d,' ..
    '"errors":{"connect":%d,"read":%d,"write":%d,"timeout":%d,"status":%d}}\n',
    summary.requests, summary.bytes, summary.duration, latency:percentile(50), latency:percentile(99),
    errors.connect, errors.read, errors.write, errors.timeout, errors.status))
end
