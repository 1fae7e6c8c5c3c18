"""`python -m local <verb>`: what a person does with the local cluster."""

import argparse
import signal
import sys
from collections.abc import Callable

from local import console, demo, provider, store
from local import images as image_builds
from local import install as installation
from local.errors import LocalError
from local.kubectl import Kubectl
from local.paths import bin_dir
from local.prerequisites import check_go
from local.programs.build import ensure

Verb = Callable[[argparse.Namespace], int | None]


def up(_: argparse.Namespace) -> None:
    """Start the cluster; nothing happens if it is up."""
    cluster = provider.current()
    cluster.up()
    console.say(f"  export KUBECONFIG={cluster.kubeconfig}")
    console.say(f"  export PATH={bin_dir()}:$PATH")
    console.say(f"  registry {cluster.registry}")


def down(chosen: argparse.Namespace) -> None:
    """Take the cluster away; the cached programs and images stay."""
    provider.current().down(purge=chosen.purge)


def status(_: argparse.Namespace) -> int:
    """Say how the cluster is; fails if it cannot be used."""
    cluster = provider.current()
    for part, state in cluster.status().items():
        _print(f"{part:<26}{state}")
    return 0 if cluster.healthy() else 1


def kubeconfig(_: argparse.Namespace) -> None:
    """Print the path of the kubeconfig."""
    _print(str(provider.current().kubeconfig))


def registry(_: argparse.Namespace) -> None:
    """Print the address of the registry."""
    _print(provider.current().registry)


def programs(_: argparse.Namespace) -> None:
    """Build the programs that the cache lacks."""
    check_go()
    ensure()


def bin_directory(_: argparse.Namespace) -> None:
    """Print the directory with kubectl and helm, for the PATH."""
    _print(str(bin_dir()))


def images(_: argparse.Namespace) -> None:
    """Build what has changed in Ember's images, push what the registry lacks, and print the references."""
    for name, reference in image_builds.build_and_push().items():
        _print(f"{name:<10}{reference}")


def install(_: argparse.Namespace) -> None:
    """Have the cluster up with Ember, the demo's store and its data on it."""
    installation.install()


def reload(_: argparse.Namespace) -> None:
    """Bring a change of Ember's Python code into the running cluster."""
    installation.reload()


def run_demo(_: argparse.Namespace) -> int:
    """Install what is missing, run the examples and check their answers."""
    return demo.demo()


def store_env(_: argparse.Namespace) -> None:
    """Print the demo store's endpoint and keys as AWS_...= lines."""
    sys.stdout.write(store.environment_lines(Kubectl(provider.current().kubeconfig)))


VERBS: dict[str, Verb] = {
    "up": up,
    "down": down,
    "status": status,
    "kubeconfig": kubeconfig,
    "registry": registry,
    "programs": programs,
    "bin": bin_directory,
    "images": images,
    "install": install,
    "reload": reload,
    "demo": run_demo,
    "store-env": store_env,
}


def main(arguments: list[str] | None = None) -> int:
    """Carry out one verb; what the user can mend is one sentence, not a traceback."""
    chosen = _parser().parse_args(arguments)
    # Whoever ends this politely gets what Ctrl-C gives: nothing half made, no builds that go on alone.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return chosen.run(chosen) or 0
    except LocalError as error:
        console.say(f"error: {error}")
        return 1
    except KeyboardInterrupt:
        console.say("Interrupted; the same command goes on from here, and `down` takes everything away.")
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local", description="The local cluster.")
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    for name, run in VERBS.items():
        text = run.__doc__ or ""
        verb = verbs.add_parser(name, help=text, description=text)
        verb.set_defaults(run=run)
        if run is down:
            verb.add_argument("--purge", action="store_true", help="delete the cached images too")
    return parser


def _print(text: str) -> None:
    sys.stdout.write(f"{text}\n")


if __name__ == "__main__":
    sys.exit(main())
