"""Pure decisions: from what is seen, and the time, to what shall be done. Nothing here waits or talks to anyone."""
