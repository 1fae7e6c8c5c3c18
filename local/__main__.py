"""`python -m local <verb>`: the local cluster's verbs."""

import argparse
import sys

from local import console, provider
from local.errors import LocalError
from local.paths import bin_dir
from local.prerequisites import check_go
from local.programs.build import ensure


def main(arguments: list[str] | None = None) -> int:
    """Carry out one verb; what the user can mend is one sentence, not a traceback."""
    chosen = _parser().parse_args(arguments)
    try:
        return _carry_out(chosen)
    except LocalError as error:
        console.say(f"error: {error}")
        return 1
    except KeyboardInterrupt:
        console.say("Interrupted; the same command goes on from here, and `down` takes everything away.")
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local", description="The local cluster.")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    verbs.add_parser("up", help="start the cluster; nothing happens if it is up")
    down = verbs.add_parser("down", help="take the cluster away; the cached programs and images stay")
    down.add_argument("--purge", action="store_true", help="delete the cached images too")
    verbs.add_parser("status", help="say how the cluster is; fails if it cannot be used")
    verbs.add_parser("kubeconfig", help="print the path of the kubeconfig")
    verbs.add_parser("registry", help="print the address of the registry")
    verbs.add_parser("programs", help="build the programs that the cache lacks")
    verbs.add_parser("bin", help="print the directory with kubectl and helm")
    return parser


def _carry_out(chosen: argparse.Namespace) -> int:
    if chosen.verb == "programs":
        check_go()
        ensure()
        return 0
    if chosen.verb == "bin":
        sys.stdout.write(f"{bin_dir()}\n")
        return 0
    cluster = provider.current()
    match chosen.verb:
        case "up":
            cluster.up()
            _tell(cluster)
        case "down":
            cluster.down(purge=chosen.purge)
        case "kubeconfig":
            sys.stdout.write(f"{cluster.kubeconfig}\n")
        case "registry":
            sys.stdout.write(f"{cluster.registry}\n")
        case "status":
            for part, state in cluster.status().items():
                sys.stdout.write(f"{part:<26}{state}\n")
            return 0 if cluster.healthy() else 1
    return 0


def _tell(cluster: provider.Provider) -> None:
    console.say(f"  export KUBECONFIG={cluster.kubeconfig}")
    console.say(f"  export PATH={bin_dir()}:$PATH")
    console.say(f"  registry {cluster.registry}")


if __name__ == "__main__":
    sys.exit(main())
