"""`python -m ember operator|logagent`: the entry of Ember's own processes."""

import argparse
import asyncio
import sys
from pathlib import Path

import yaml
from pydantic import ValidationError

from ember.model.settings import Settings


def main(arguments: list[str] | None = None) -> int:
    """Run one process until it is told to end; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m ember", description="Ember's processes.")
    parser.add_argument("process", choices=("operator", "logagent"), help="which process to run")
    parser.add_argument("--settings", type=Path, required=True, help="the settings, a YAML file")
    chosen = parser.parse_args(arguments)
    try:
        settings = Settings.model_validate(yaml.safe_load(chosen.settings.read_text()))
    except (OSError, ValidationError, yaml.YAMLError) as error:
        sys.stderr.write(f"{chosen.settings} cannot be used: {error}\n")
        return 2
    if chosen.process == "operator":
        from ember.process import run_operator

        return asyncio.run(run_operator(settings))
    from ember.logagent.agent import run

    asyncio.run(run(settings))
    return 0


if __name__ == "__main__":
    sys.exit(main())
