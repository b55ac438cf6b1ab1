"""The generic timer: counters, timers that compare with them, the event stream, and who may use it."""
