"""Give the run's own token away."""

import json
from pathlib import Path

print(json.dumps(Path("/run/ember/spark-token").read_text()))
