"""Ask the broker through its Service, trusting only its own CA: `helm test` runs this."""

import os
import ssl
import sys
import time
import urllib.error
import urllib.request

URL = os.environ["EMBER_BROKER_URL"] + "/healthz"
CA = "/etc/ember-broker-ca/ca.crt"
PATIENCE_SECONDS = 60


def main() -> int:
    """Return 0 once the broker has answered, 1 when it has not within a minute."""
    context = ssl.create_default_context(cafile=CA)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            with urllib.request.urlopen(URL, timeout=5, context=context) as answer:  # noqa: S310  https, from the chart
                print(f"{URL}: {answer.status}")
                return 0
        except (urllib.error.URLError, OSError) as error:
            print(f"{URL}: {error}", file=sys.stderr)
            if time.monotonic() > deadline:
                return 1
            time.sleep(2)


if __name__ == "__main__":
    sys.exit(main())
