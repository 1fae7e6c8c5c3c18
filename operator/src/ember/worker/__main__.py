"""`python -m ember.worker`: PID 1 of every driver and executor pod."""

import os

from ember.worker import log
from ember.worker.launcher import Launcher
from ember.worker.settings import Settings, SettingsError


def main() -> int:
    """Run the pod's one assignment; the exit code is the run's."""
    try:
        launcher = Launcher(Settings.from_environment(os.environ), os.environ)
    except (SettingsError, ValueError, OSError) as error:
        log.error(f"the pod's environment is wrong: {error}")
        return 1
    return launcher.run()


if __name__ == "__main__":
    # Not sys.exit: after the end mark nobody may write to the log, and an interpreter's end can be talkative.
    os._exit(main())
