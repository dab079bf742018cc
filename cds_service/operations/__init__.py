"""What the operator sees of the running service: log, metrics, audit log, traces, rate limit, timing."""
