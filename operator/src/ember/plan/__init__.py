"""Pure decisions: from what is seen, and the time, to what shall be done. Nothing here waits, reads a clock or talks to anyone."""
