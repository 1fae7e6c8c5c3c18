"""kopf and the reconcile loop: events in; gather, plan, apply, record; status out."""
