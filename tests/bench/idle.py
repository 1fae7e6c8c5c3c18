"""How much memory pods use, by their cgroups."""

from local.install import TENANT
from local.kubectl import Kubectl

# Anonymous memory: what the page cache holds can be taken back. cgroup v1 and v2 have other names for all of it.
_READ = """
import pathlib
root = pathlib.Path("/sys/fs/cgroup")
v1 = root / "memory"
stat = dict(line.split() for line in ((v1 if v1.is_dir() else root) / "memory.stat").read_text().splitlines())
peak = v1 / "memory.max_usage_in_bytes" if v1.is_dir() else root / "memory.peak"
print(stat["total_rss" if v1.is_dir() else "anon"], peak.read_text().strip() if peak.exists() else 0)
"""


def of_pods(cluster: Kubectl, names: list[str]) -> str:
    """Return a sentence with what each idle worker uses and has used at most, in MiB."""
    parts = []
    for name in sorted(names):
        said = cluster.run("exec", "-n", TENANT, name, "--", "python3", "-c", _READ, timeout=60).split()
        used, peak = (round(int(value) / 2**20) for value in said)
        parts.append(f"{'driver' if '-driver-' in name else 'executor'} {used} MiB (peak {peak} with the page cache)")
    return f"Memory of an idle pre-initialized pair: {', '.join(parts)}."
