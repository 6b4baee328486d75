-- 1 MiB for every request, as wrk's -s wants it. FILE is in the environment.
local file = assert(io.open(os.getenv("FILE"), "rb"))
wrk.method = "POST"
wrk.path = "/v1/scan?name=model.safetensors"
wrk.headers["Content-Type"] = "application/octet-stream"
wrk.body = file:read("*a")
file:close()

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    '{"requests": %d, "seconds": %.1f, "per_second": %.1f, "p50_ms": %.1f, "p99_ms": %.1f, "max_ms": %.1f, ' ..
    '"connect": %d, "read": %d, "write": %d, "status": %d, "timeout": %d}\n',
    summary.requests, summary.duration / 1e6, summary.requests / (summary.duration / 1e6),
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, latency.max / 1e3,
    errors.connect, errors.read, errors.write, errors.status, errors.timeout))
end
