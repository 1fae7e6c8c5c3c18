"""What idle pre-initialized workers cost: memory, and the CPU that their warm-up took, by their cgroups."""

import json

from local.install import TENANT
from local.kubectl import Kubectl

# Anonymous memory: what the page cache holds can be taken back. cgroup v1 and v2 have other names for all of it.
_READ = """
import json, pathlib
root = pathlib.Path("/sys/fs/cgroup")
v1 = (root / "memory").is_dir()
stat = lambda path: dict(line.split() for line in path.read_text().splitlines())
peak = root / "memory/memory.max_usage_in_bytes" if v1 else root / "memory.peak"
print(json.dumps({
    "now": int(stat(root / ("memory/memory.stat" if v1 else "memory.stat"))["total_rss" if v1 else "anon"]) / 2**20,
    "peak": int(peak.read_text()) / 2**20 if peak.exists() else 0,
    "cpu": int((root / "cpuacct/cpuacct.usage").read_text()) / 1e9 if v1
    else int(stat(root / "cpu.stat")["usage_usec"]) / 1e6,
}))
"""


def costs(cluster: Kubectl, names: list[str]) -> str:
    """Return sentences about a pair: what each uses and has used at most, in MiB, and the seconds of CPU it took."""
    memory, seconds = [], []
    for name in sorted(names):
        said = json.loads(cluster.run("exec", "-n", TENANT, name, "--", "python3", "-c", _READ, timeout=60))
        kind = "driver" if "-driver-" in name else "executor"
        memory.append(f"{kind} {said['now']:.0f} MiB (peak {said['peak']:.0f} with the page cache)")
        seconds.append(said["cpu"])
    return (
        f"Memory of an idle pre-initialized pair: {', '.join(memory)}. Its warm-up took"
        f" {' and '.join(f'{value:.1f}' for value in seconds)} s of CPU."
    )
