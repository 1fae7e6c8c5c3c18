"""Leave with the exit code that is asked for."""

import sys

print("leaving")
sys.exit(int(sys.argv[1]))
