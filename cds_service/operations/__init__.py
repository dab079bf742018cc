"""What the operator sees of the running service: log, metrics, audit log, traces, rates, readiness."""
