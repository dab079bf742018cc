"""The operator's view of the running service: log, metrics, audit log, traces, rates, readiness."""
