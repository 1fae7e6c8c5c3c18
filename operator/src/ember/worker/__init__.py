"""What runs inside Spark's pods: the launcher (PID 1) and the Python processes it prepares. Imports no other part."""
