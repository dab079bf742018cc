"""The evaluation of one call: request in, decisions and cards out. Read ``hook_call`` first."""
